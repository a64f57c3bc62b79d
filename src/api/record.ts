/** From an HTTP request on a record to the request that an engine serves. */

import type { IncomingMessage } from 'node:http';

import { failure, isFailure, type Failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import type { Request } from '../record/request.ts';
import { conditionOf } from './condition.ts';
import {
  parseIndex,
  parseIndexDocument,
  parseItemDocument,
  parseStoreDocument,
} from './document.ts';
import { announcesJson } from './negotiate.ts';
import { parseQuery } from './query.ts';
import { keyOf, type RecordRoute } from './route.ts';

/** A request, or, where the body is needed to know it, how to read it from the body. */
export type Parsed = Request | ((body: Buffer) => Request | Failure);

/** Reads what `req` asks of the record that `route` names; `valueBytesMax` bounds what it stores. */
export function parseRequest(
  req: IncomingMessage,
  route: RecordRoute,
  valueBytesMax: number,
): Parsed | Failure {
  const key = keyOf(route.segment);
  if (typeof key !== 'string') return key;
  if (route.name === 'index') return parseIndexRequest(req, key, route.query);
  if (route.name === 'item') return parseItemRequest(req, key, route.query);
  const parameters = parseQuery(route.query, []);
  if (isFailure(parameters)) return parameters;
  const condition = conditionOf(req.headers);
  if (condition !== undefined && isFailure(condition)) return condition;
  if (req.method === 'DELETE') return { action: 'delete', key, condition };
  if (req.method !== 'PUT') return { action: 'load', key, condition };
  return ofBody(req, (body) => {
    const document = parseStoreDocument(body);
    if (isFailure(document)) return document;
    const { value, ttlNs } = document;
    if (value.end - value.start > valueBytesMax) {
      return failure('VALUE_TOO_LARGE', `a value has at most ${valueBytesMax} bytes`);
    }
    return { action: 'store', key, value, ttlNs, condition };
  });
}

function parseIndexRequest(req: IncomingMessage, key: Key, query: string): Parsed | Failure {
  const make = (index: number | Failure): Request | Failure =>
    typeof index === 'number' ? { action: 'index', key, index } : index;
  if (query === '') return ofBody(req, (body) => make(parseIndexDocument(body)));
  const parameters = parseQuery(query, ['index']);
  return isFailure(parameters) ? parameters : make(parseIndex(parameters.index));
}

function parseItemRequest(req: IncomingMessage, key: Key, query: string): Parsed | Failure {
  const make = (item: string | Failure): Request | Failure =>
    typeof item === 'string' ? { action: 'item', key, item } : item;
  if (query === '') return ofBody(req, (body) => make(parseItemDocument(body)));
  const parameters = parseQuery(query, ['item']);
  if (isFailure(parameters)) return parameters;
  return make(parameters.item ?? failure('INVALID_ITEM', 'the parameter item is missing'));
}

/** Lets `read` have the body if it is announced as what it must be. */
function ofBody(req: IncomingMessage, read: (body: Buffer) => Request | Failure): Parsed | Failure {
  if (!announcesJson(req.headers['content-type'])) {
    const type = req.headers['content-type'];
    return failure('UNSUPPORTED_MEDIA_TYPE', `the Content-Type is ${type}, not application/json`);
  }
  const coding = req.headers['content-encoding'] ?? 'identity';
  if (coding !== 'identity') {
    return failure('UNSUPPORTED_MEDIA_TYPE', `the Content-Encoding is ${coding}, not identity`);
  }
  return read;
}
