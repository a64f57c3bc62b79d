/** `GET /v1/keys`: lists keys as they are found, never holding the whole list. */

import type { ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';

import { failure, isFailure, type Failure } from '../errors.ts';
import { keyFromText, keyText, type Key } from '../key.ts';
import { KEY_BYTES_MAX, PAGE_KEYS_MAX } from '../limits.ts';
import type { Lister, ListQuery } from '../store/request.ts';
import { sendFailure } from './answer.ts';
import { parseQuery } from './query.ts';

/** Text that is gathered before it is written; also about what a client that does not read costs. */
const CHUNK_CHARS = 64 * 1024;

/** Time for which a listing may hold up the node before it lets other requests go first. */
const TURN_MS = 2;

/** Answers a listing; `query` is the part of the request target after the question mark. */
export async function sendListing(
  res: ServerResponse,
  lister: Lister,
  query: string,
): Promise<void> {
  const page = parsePage(query);
  if (isFailure(page)) sendFailure(res, page);
  else if (page.limit === undefined) await streamKeys(res, lister.list(page));
  else await sendPage(res, lister, page, page.limit);
}

interface Page extends ListQuery {
  readonly limit: number | undefined;
}

function parsePage(query: string): Page | Failure {
  const parameters = parseQuery(query, ['prefix', 'limit', 'cursor']);
  if (isFailure(parameters)) return parameters;
  const { prefix = '', limit, cursor } = parameters;
  const prefixKey = keyFromText(prefix);
  if (prefixKey === undefined || prefixKey.length > KEY_BYTES_MAX) {
    return failure('INVALID_PARAMETER', `prefix has at most ${KEY_BYTES_MAX} bytes`);
  }
  if (limit !== undefined && !/^[1-9]\d{0,4}$/.test(limit)) return invalidLimit();
  if (Number(limit) > PAGE_KEYS_MAX) return invalidLimit();
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  if (after === null) return failure('INVALID_PARAMETER', 'cursor is not one that a page gave out');
  return { prefix: prefixKey, after, limit: limit === undefined ? undefined : Number(limit) };
}

function invalidLimit(): Failure {
  return failure('INVALID_PARAMETER', `limit is a number from 1 to ${PAGE_KEYS_MAX}`);
}

/** The last key of the page before; null if it is not a cursor. */
function decodeCursor(cursor: string): Key | null {
  const key = keyFromText(Buffer.from(cursor, 'base64url').toString());
  if (key === undefined || key.length === 0 || key.length > KEY_BYTES_MAX) return null;
  return encodeCursor(key) === cursor ? key : null;
}

function encodeCursor(key: Key): string {
  return Buffer.from(key, 'latin1').toString('base64url');
}

/** Sends up to `limit` keys and, if there are more, the address of the next page. */
async function sendPage(
  res: ServerResponse,
  lister: Lister,
  query: ListQuery,
  limit: number,
): Promise<void> {
  const keys: Key[] = [];
  const turn = new Turn();
  for await (const slice of lister.list(query)) {
    for (const key of slice) keys.push(key);
    if (keys.length > limit) break;
    await turn.share();
  }
  const headers = ['Content-Type', 'application/json'];
  const last = keys[limit - 1];
  if (keys.length > limit && last !== undefined) {
    const next = new URLSearchParams({ limit: String(limit), cursor: encodeCursor(last) });
    if (query.prefix !== '') next.set('prefix', keyText(query.prefix));
    headers.push('Link', `</v1/keys?${next.toString()}>; rel="next"`);
  }
  const body = `[${keys.slice(0, limit).map(renderKey).join()}]\n`;
  res.writeHead(200, [...headers, 'Content-Length', String(body.length)]);
  res.end(body, 'latin1');
}

/**
 * Writes all keys, a chunk at a time, no faster than the client reads. Node sends the head with the
 * first piece, with a `Content-Length` where that is the only one.
 */
async function streamKeys(
  res: ServerResponse,
  slices: Iterable<Key[]> | AsyncIterable<Key[]>,
): Promise<void> {
  res.setHeader('Content-Type', 'application/json');
  if (res.req.method === 'HEAD') {
    res.end();
    return;
  }
  const turn = new Turn();
  let text = '[';
  let separator = '';
  for await (const slice of slices) {
    for (const key of slice) {
      text += separator + renderKey(key);
      separator = ',';
    }
    if (text.length >= CHUNK_CHARS) {
      if (!res.write(text, 'latin1')) await drained(res);
      text = '';
    }
    if (res.destroyed) return;
    await turn.share();
  }
  res.end(`${text}]\n`, 'latin1');
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

/** A stretch of work that gives way to others when it has gone on long enough. */
class Turn {
  #startMs = performance.now();

  /** Lets other requests go first if this turn is over. */
  async share(): Promise<void> {
    if (performance.now() - this.#startMs < TURN_MS) return;
    await setImmediate();
    this.#startMs = performance.now();
  }
}

/** A key as JSON text, one character a byte. */
function renderKey(key: Key): string {
  if (/^[ !#-[\]-~]*$/.test(key)) return `"${key}"`;
  return Buffer.from(JSON.stringify(keyText(key))).toString('latin1');
}
