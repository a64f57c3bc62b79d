/** `GET /v1/keys`: lists keys as they are found, never holding the whole list. */

import type { ServerResponse } from 'node:http';

import { failure, isFailure, type Failure } from '../errors.ts';
import { keyFromText, keyText, type Key } from '../key.ts';
import { KEY_BYTES_MAX, PAGE_KEYS_MAX } from '../limits.ts';
import type { MemberQuery, MemberSlice, Position } from '../cluster/listing.ts';
import { Turn } from '../cluster/turn.ts';
import { sendFailure } from './answer.ts';
import { parseQuery } from './query.ts';

/** Text that is gathered before it is written; also about what a client that does not read costs. */
const CHUNK_CHARS = 64 * 1024;

/** Whatever lists the keys of one or all members; a failure ends what it gives. */
export interface Listing {
  list(query: MemberQuery): Slices;
}

type Slices = Iterable<MemberSlice | Failure> | AsyncIterable<MemberSlice | Failure>;

/** Answers a listing; `query` is the part of the request target after the question mark. */
export async function sendListing(
  res: ServerResponse,
  listing: Listing,
  query: string,
): Promise<void> {
  const page = parsePage(query);
  if (isFailure(page)) sendFailure(res, page);
  else if (page.limit === undefined) await streamKeys(res, listing.list(page));
  else await sendPage(res, listing, page, page.limit);
}

interface Page extends MemberQuery {
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
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  if (after === null) return failure('INVALID_PARAMETER', 'cursor is not one that a page gave out');
  const limitKeys = limit === undefined ? undefined : Number(limit);
  return { scope, prefix: prefixKey, after, limit: limitKeys };
}

function invalidLimit(): Failure {
  return failure('INVALID_PARAMETER', `limit is a number from 1 to ${PAGE_KEYS_MAX}`);
}

/** Where the page before ended; null if it is not a cursor. */
function decodeCursor(cursor: string): Position | null {
  const [, member, text] =
    /^([^ ]+) (.+)$/s.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  const key = text === undefined ? undefined : keyFromText(text);
  if (member === undefined || key === undefined || key.length > KEY_BYTES_MAX) return null;
  return encodeCursor({ member, key }) === cursor ? { member, key } : null;
}

function encodeCursor({ member, key }: Position): string {
  return Buffer.from(`${member} ${key}`, 'latin1').toString('base64url');
}

/** Sends up to `limit` keys and, if there are more, the address of the next page. */
async function sendPage(
  res: ServerResponse,
  listing: Listing,
  query: MemberQuery,
  limit: number,
): Promise<void> {
  const keys: Key[] = [];
  let last: Position | undefined;
  let hasMore = false;
  const turn = new Turn();
  for await (const slice of listing.list(query)) {
    if (isFailure(slice)) return sendFailure(res, slice);
    const { member } = slice;
    const taken = slice.keys.slice(0, limit - keys.length);
    for (const key of taken) keys.push(key);
    const key = taken.at(-1);
    if (key !== undefined) last = { member, key };
    hasMore = taken.length < slice.keys.length;
    if (hasMore) break;
    await turn.share();
  }
  const headers = ['Content-Type', 'application/json'];
  if (hasMore && last !== undefined) {
    const next = new URLSearchParams({ limit: String(limit), cursor: encodeCursor(last) });
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
async function streamKeys(res: ServerResponse, slices: Slices): Promise<void> {
  const turn = new Turn();
  let text = '[';
  let separator = '';
  for await (const slice of slices) {
    if (isFailure(slice)) {
      // A list that breaks off must not look complete.
      if (res.headersSent) res.destroy();
      else sendFailure(res, slice);
      return;
    }
    if (res.req.method === 'HEAD') break;
    for (const key of slice.keys) {
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
