/** `GET /v1/keys`: lists keys as they are found, never holding the whole list. */

import type { ServerResponse } from 'node:http';

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyFromText, keyText, type Key } from '../base/key.ts';
import { KEY_BYTES_MAX, PAGE_KEYS_MAX } from '../base/limits.ts';
import { Turn } from '../base/turn.ts';
import type { Engine, Listing, ListQuery } from '../record/engine.ts';
import { sendFailure } from './answer.ts';
import { parseQuery } from './query.ts';

/** Text that is gathered before it is written; also about what a client that does not read costs. */
const CHUNK_CHARS = 64 * 1024;

/** Answers a listing; `query` is the part of the request target after the question mark. */
export async function sendListing(
  res: ServerResponse,
  engine: Engine,
  query: string,
): Promise<void> {
  const page = parsePage(query);
  if (isFailure(page)) sendFailure(res, page);
  else if (page.limit === undefined) await streamKeys(res, engine.list(page));
  else await sendPage(res, engine, page, page.limit);
}

interface Page extends ListQuery {
  readonly limit: number | undefined;
}

function parsePage(query: string): Page | Failure {
  const parameters = parseQuery(query, ['prefix', 'limit', 'cursor', 'scope']);
  if (isFailure(parameters)) return parameters;
  const { prefix = '', limit, cursor, scope = 'node' } = parameters;
  if (scope !== 'node' && scope !== 'cluster') {
    return failure('INVALID_PARAMETER', 'scope is node or cluster');
  }
  const prefixKey = keyFromText(prefix);
  if (prefixKey === undefined || prefixKey.length > KEY_BYTES_MAX) {
    return failure('INVALID_PARAMETER', `prefix has at most ${KEY_BYTES_MAX} bytes`);
  }
  if (limit !== undefined && !/^[1-9]\d{0,4}$/.test(limit)) return invalidLimit();
  if (Number(limit) > PAGE_KEYS_MAX) return invalidLimit();
  const limitKeys = limit === undefined ? undefined : Number(limit);
  return { scope, prefix: prefixKey, cursor, limit: limitKeys };
}

function invalidLimit(): Failure {
  return failure('INVALID_PARAMETER', `limit is a number from 1 to ${PAGE_KEYS_MAX}`);
}

/** Sends up to `limit` keys and, if there are more, the address of the next page. */
async function sendPage(
  res: ServerResponse,
  engine: Engine,
  query: ListQuery,
  limit: number,
): Promise<void> {
  const keys: Key[] = [];
  let cursor = '';
  let hasMore = false;
  const turn = new Turn();
  for await (const group of engine.list(query)) {
    if (isFailure(group)) return sendFailure(res, group);
    const taken = group.keys.slice(0, limit - keys.length);
    for (const key of taken) keys.push(key);
    const last = taken.at(-1);
    if (last !== undefined) cursor = group.cursorAfter(last);
    hasMore = taken.length < group.keys.length;
    if (hasMore) break;
    await turn.share();
  }
  const headers = ['Content-Type', 'application/json'];
  if (hasMore) {
    const next = new URLSearchParams({ limit: String(limit), cursor });
    if (query.prefix !== '') next.set('prefix', keyText(query.prefix));
    if (query.scope === 'cluster') next.set('scope', query.scope);
    headers.push('Link', `</v1/keys?${next.toString()}>; rel="next"`);
  }
  const body = `[${keys.map(renderKey).join()}]\n`;
  res.writeHead(200, [...headers, 'Content-Length', String(body.length)]);
  res.end(body, 'latin1');
}

/**
 * Writes all keys, a chunk at a time, no faster than the client reads. Node sends the head with the
 * first piece, with a `Content-Length` where that is the only one.
 */
async function streamKeys(res: ServerResponse, groups: Listing): Promise<void> {
  const turn = new Turn();
  let text = '[';
  let separator = '';
  for await (const group of groups) {
    if (isFailure(group)) {
      // A list that breaks off must not look complete.
      if (res.headersSent) res.destroy();
      else sendFailure(res, group);
      return;
    }
    if (res.req.method === 'HEAD') break;
    for (const key of group.keys) {
      text += separator + renderKey(key);
      separator = ',';
    }
    if (text.length >= CHUNK_CHARS) {
      if (!res.headersSent) res.setHeader('Content-Type', 'application/json');
      if (!res.write(text, 'latin1')) await drained(res);
      text = '';
    }
    if (res.destroyed) return;
    await turn.share();
  }
  if (!res.headersSent) res.setHeader('Content-Type', 'application/json');
  if (res.req.method === 'HEAD') res.end();
  else res.end(`${text}]\n`, 'latin1');
}

/** Resolves when a response takes more, or never will. */
function drained(res: ServerResponse): Promise<void> {
  if (res.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      res.off('drain', done).off('close', done);
      resolve();
    };
    res.on('drain', done).on('close', done);
  });
}

/** A key as JSON text, one character a byte. */
function renderKey(key: Key): string {
  if (/^[ !#-[\]-~]*$/.test(key)) return `"${key}"`;
  return Buffer.from(JSON.stringify(keyText(key))).toString('latin1');
}
