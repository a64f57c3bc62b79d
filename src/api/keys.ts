/** `GET /v1/keys`: lists keys as they are found, never holding the whole list. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyFromText, keyText, type Key } from '../base/key.ts';
import {
  ANSWER_CHUNK_CHARS,
  KEY_BYTES_MAX,
  PAGE_KEYS_MAX,
  PAGE_KEY_BYTES_MAX,
} from '../base/limits.ts';
import type { Lane } from '../base/scheduler.ts';
import { headerLine, type Exchange, type HeaderLines } from '../http/exchange.ts';
import type { KeyGroup, Listing, ListQuery } from '../record/engine.ts';
import type { Grant } from './access.ts';
import { byteString, failLate, JSON_HEAD, sendFailure } from './answer.ts';
import type { Parameters, Visit } from './visit.ts';

/** Answers all keys, or a page of them. */
export async function listKeys(visit: Visit): Promise<void> {
  const { exchange, grant, options } = visit;
  const query = readListQuery(visit.parameters());
  if (isFailure(query)) return sendFailure(exchange, query);
  const lane = options.scheduler.enter('client', () => exchange.isGone);
  if (isFailure(lane)) return sendFailure(exchange, lane);
  if (!(await lane.share())) return;
  const groups = shownTo(grant, options.engine.list(query));
  if (query.limit === undefined) return sendAll(exchange, groups, lane);
  const page = await takePage(groups, query.limit, lane);
  return isFailure(page) ? sendFailure(exchange, page) : sendPage(exchange, page, query);
}

/** The keys of a list that a client may see. */
function shownTo(grant: Grant, groups: Listing): Listing {
  return grant.coversAll ? groups : covered(grant, groups);
}

async function* covered(grant: Grant, groups: Listing): AsyncGenerator<KeyGroup | Failure> {
  for await (const group of groups) {
    if (isFailure(group)) yield group;
    else {
      const cursorAfter = (key: Key): string => group.cursorAfter(key);
      yield { keys: group.keys.filter((key) => grant.covers(key)), cursorAfter };
    }
  }
}

interface PageQuery extends ListQuery {
  /** Undefined for all keys. */
  readonly limit: number | undefined;
}

function readListQuery(parameters: Parameters | Failure): PageQuery | Failure {
  if (isFailure(parameters)) return parameters;
  const { prefix = '', limit, cursor, scope = 'node' } = parameters;
  if (scope !== 'node' && scope !== 'cluster') {
    return failure('INVALID_PARAMETER', 'scope is node or cluster');
  }
  const prefixKey = keyFromText(prefix);
  if (prefixKey === undefined || prefixKey.length > KEY_BYTES_MAX) {
    return failure('INVALID_PARAMETER', `prefix has at most ${KEY_BYTES_MAX} bytes`);
  }
  const limitKeys = limit === undefined ? undefined : Number(limit);
  if (limit !== undefined && (!/^[1-9]\d{0,4}$/.test(limit) || Number(limit) > PAGE_KEYS_MAX)) {
    return failure('INVALID_PARAMETER', `limit is a number from 1 to ${PAGE_KEYS_MAX}`);
  }
  return { scope, prefix: prefixKey, cursor, limit: limitKeys };
}

interface Page {
  readonly keys: readonly Key[];
  /** The cursor of the next page; undefined where the list ends. */
  readonly next: string | undefined;
}

/** The first keys of a list: up to `limit`, and up to a bound on their bytes. */
async function takePage(groups: Listing, limit: number, lane: Lane): Promise<Page | Failure> {
  const keys: Key[] = [];
  let bytes = 0;
  let nextPage: (() => string) | undefined;
  for await (const group of groups) {
    if (isFailure(group)) return group;
    for (const key of group.keys) {
      bytes += key.length;
      if (keys.length === limit || bytes > PAGE_KEY_BYTES_MAX) return { keys, next: nextPage?.() };
      keys.push(key);
      nextPage = () => group.cursorAfter(key);
    }
    if (!(await lane.share())) break;
  }
  return { keys, next: undefined };
}

/** Sends a page and, if there are more keys, the address of the next one. */
async function sendPage(exchange: Exchange, page: Page, query: PageQuery): Promise<void> {
  let headers = JSON_HEAD;
  if (page.next !== undefined) {
    const next = new URLSearchParams({ limit: String(query.limit), cursor: page.next });
    if (query.prefix !== '') next.set('prefix', keyText(query.prefix));
    if (query.scope === 'cluster') next.set('scope', query.scope);
    headers += headerLine('Link', `</v1/keys?${next.toString()}>; rel="next"`);
  }
  const list = new KeyList(exchange, headers);
  for (const key of page.keys) {
    list.add(key);
    if (list.isLong) await list.flush();
  }
  list.end();
}

/** Sends all keys, a chunk at a time. */
async function sendAll(exchange: Exchange, groups: Listing, lane: Lane): Promise<void> {
  const list = new KeyList(exchange, JSON_HEAD);
  for await (const group of groups) {
    if (isFailure(group)) return failLate(exchange, group);
    if (exchange.method === 'HEAD') break;
    for (const key of group.keys) list.add(key);
    if (list.isLong) await list.flush();
    if (!(await lane.share())) return;
  }
  // How long a list would be is not known before all of it was made.
  if (exchange.method === 'HEAD') await list.flush();
  list.end();
}

/** A JSON list of keys on its way to a client, no faster than that reads. */
class KeyList {
  readonly #exchange: Exchange;
  readonly #headers: HeaderLines;
  #text = '[';
  #separator = '';

  constructor(exchange: Exchange, headers: HeaderLines) {
    this.#exchange = exchange;
    this.#headers = headers;
  }

  /** Whether enough is gathered for a chunk. */
  get isLong(): boolean {
    return this.#text.length >= ANSWER_CHUNK_CHARS;
  }

  add(key: Key): void {
    this.#text += this.#separator + renderKey(key);
    this.#separator = ',';
  }

  /** Writes what is gathered; resolves when there may be more. */
  async flush(): Promise<void> {
    if (!this.#exchange.isAnswered) this.#exchange.begin(200, this.#headers);
    const text = this.#text;
    this.#text = '';
    if (!this.#exchange.write(text)) await this.#exchange.drained();
  }

  end(): void {
    const text = `${this.#text}]\n`;
    if (this.#exchange.isAnswered) this.#exchange.end(text);
    else this.#exchange.send(200, this.#headers, text);
  }
}

/** A key as JSON text, one character a byte. */
function renderKey(key: Key): string {
  return /^[ !#-[\]-~]*$/.test(key) ? `"${key}"` : byteString(JSON.stringify(keyText(key)));
}
