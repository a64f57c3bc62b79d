/** `/v1/keys/{key}`: loads, stores, changes and deletes a record or the part of it at a pointer. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { check, checkInPieces, type Checked } from '../base/json/check.ts';
import { SMALL_TEXT_BYTES_MAX } from '../base/limits.ts';
import type { Exchange } from '../http/exchange.ts';
import { checkPointer } from '../record/pointer.ts';
import { asKept, type ByteRange } from '../record/reply.ts';
import type { Condition, Pointer, Request } from '../record/request.ts';
import { conditionOf } from './condition.ts';
import { parseTtl, STORE_DOCUMENT } from './document.ts';
import { mediaTypeOf } from './negotiate.ts';
import { parseReplicas } from './replicas.ts';
import { inBody, isFailed, serving, type BodyReader } from './serve.ts';
import type { Visit } from './visit.ts';

/** GET: answers the record, or 304 where the client has it. */
export const loadRecord = serving((visit, key) => {
  const terms = termsOf(visit);
  if (isFailure(terms)) return terms;
  const { condition, pointer } = terms;
  return { action: 'load', key, condition, pointer };
});

/** PUT: stores a value for a time. */
export const storeRecord = serving((visit, key) => {
  const terms = writeTermsOf(visit);
  if (isFailure(terms)) return terms;
  return inBody(STORE_DOCUMENT, ({ value, ttlNs }) => {
    const { valueBytesMax } = visit.options;
    if (value.end - value.start > valueBytesMax) {
      return failure('VALUE_TOO_LARGE', `a value has at most ${valueBytesMax} bytes`);
    }
    const { condition, pointer, replicas } = terms;
    return pointer === undefined
      ? { action: 'store', key, value, ttlNs: ttlNs ?? 0n, condition, pointer, replicas }
      : { action: 'store', key, value, ttlNs, condition, pointer, replicas };
  });
});

/** DELETE: removes the record, if there is one, or a part of its value. */
export const deleteRecord = serving((visit, key) => {
  const terms = writeTermsOf(visit);
  return isFailure(terms) ? terms : { action: 'delete', key, ...terms };
});

/** The media types of patches (RFC 7396, RFC 6902), and how they are called inside. */
const PATCH_FORMATS = {
  'application/merge-patch+json': 'merge',
  'application/json-patch+json': 'json',
} as const;

export const PATCH_TYPES: readonly string[] = Object.keys(PATCH_FORMATS);

/** PATCH: changes a value by a patch. */
export const patchRecord = serving((visit, key) => {
  const { exchange } = visit;
  const parameters = visit.parameters();
  if (isFailure(parameters)) return parameters;
  const replicas = parseReplicas(parameters.replicas, visit.options.engine);
  if (isFailed(replicas)) return replicas;
  const { expire_time: expireTime } = parameters;
  const ttlNs = expireTime === undefined ? undefined : parseTtl(expireTime);
  if (typeof ttlNs === 'object') return ttlNs;
  const condition = conditionOf(exchange);
  if (condition !== undefined && isFailure(condition)) return condition;
  const type = mediaTypeOf(exchange.header('content-type')) as keyof typeof PATCH_FORMATS;
  return inPatch(visit.options.valueBytesMax, (patch) => {
    return { action: 'patch', key, format: PATCH_FORMATS[type], patch, ttlNs, condition, replicas };
  });
});

/** Reads a patch, which is any JSON text as a whole. */
function inPatch(bytesMax: number, make: (patch: ByteRange) => Request): BodyReader {
  return (body, scheduler, isGone) => {
    if (body.length === 0) return failure('MALFORMED_BODY', 'the body is empty');
    if (body.length > bytesMax) {
      return failure('BODY_TOO_LARGE', `a patch has at most ${bytesMax} bytes`);
    }
    const served = (checked: Checked | Failure): Request | Failure =>
      isFailure(checked) ? checked : make(asKept({ bytes: body, ...checked.root }));
    return body.length <= SMALL_TEXT_BYTES_MAX
      ? served(check(body, []))
      : scheduler.run('client', checkInPieces(body, []), isGone).then(served);
  };
}

interface Terms {
  readonly condition: Condition | undefined;
  readonly pointer: Pointer | undefined;
}

/** What query and headers of a load ask for. */
function termsOf(visit: Visit): Terms | Failure {
  const parameters = visit.parameters();
  return isFailure(parameters) ? parameters : readTerms(visit.exchange, parameters.pointer);
}

interface WriteTerms extends Terms {
  readonly replicas: number | undefined;
}

/** What query and headers of a store or delete ask for. */
function writeTermsOf(visit: Visit): WriteTerms | Failure {
  const { exchange, options } = visit;
  const parameters = visit.parameters();
  if (isFailure(parameters)) return parameters;
  const terms = readTerms(exchange, parameters.pointer);
  if (isFailure(terms)) return terms;
  const replicas = parseReplicas(parameters.replicas, options.engine);
  if (isFailed(replicas)) return replicas;
  return { condition: terms.condition, pointer: terms.pointer, replicas };
}

function readTerms(exchange: Exchange, text: string | undefined): Terms | Failure {
  const condition = conditionOf(exchange);
  if (condition !== undefined && isFailure(condition)) return condition;
  if (text === undefined) return { condition, pointer: undefined };
  const pointer = checkPointer(text);
  return typeof pointer === 'string' ? { condition, pointer } : pointer;
}
