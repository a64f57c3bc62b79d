/** Histories of versions: what clients saw of keys that many write, and whether that can be. */

import { ask, pathOf } from './client.ts';

/** One operation that was answered, and the version that it made or saw. */
export interface Seen {
  readonly key: string;
  readonly action: 'store' | 'load';
  /** The `index` of the record: each store makes it one higher. */
  readonly index: number;
  readonly createdAt: string;
  readonly value: unknown;
  readonly sentMs: number;
  readonly answeredMs: number;
}

/** What clients do, to which nodes, and what they have seen. */
export interface Load {
  /** The nodes that are asked, by their URL; it may change meanwhile. */
  readonly urls: () => readonly string[];
  readonly keys: readonly string[];
  readonly random: () => number;
  readonly isOver: () => boolean;
  /** Whether an answer that is no success is one that there may be. */
  readonly allows: (code: string) => boolean;
  readonly onAnswer: () => void;
}

interface RecordBody {
  readonly data?: unknown;
  readonly meta?: { readonly index: number; readonly created_at: string };
  readonly code?: string;
}

/** Loads and stores, with and without conditions, until it is over; gives what was seen. */
export async function runVersions(load: Load): Promise<Seen[]> {
  const { urls, keys, random, isOver, allows, onAnswer } = load;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const history: Seen[] = [];
  const tags = new Map<string, string>();
  while (!isOver()) {
    const key = pick(keys);
    const action = random() < 0.5 ? 'store' : 'load';
    const tag = random() < 0.3 ? tags.get(key) : undefined;
    const value = Math.floor(random() * 2 ** 32);
    const headers = { 'Content-Type': 'application/json', ...(tag && { 'If-Match': tag }) };
    const sentMs = performance.now();
    const answer =
      action === 'load'
        ? await ask(pick(urls()), 'GET', pathOf(key))
        : await ask(pick(urls()), 'PUT', pathOf(key), {
            headers,
            body: JSON.stringify({ data: value, expire_time: '1h' }),
          });
    const answeredMs = performance.now();
    onAnswer();
    const body = answer.json as RecordBody;
    if (answer.status === 200) {
      const found = answer.headers['etag'];
      if (typeof found === 'string') tags.set(key, found);
      const { index, created_at: createdAt } = body.meta!;
      history.push({ key, action, index, createdAt, value: body.data, sentMs, answeredMs });
    } else if (!(answer.status === 412 && tag) && !allows(body.code!)) {
      throw new Error(`${action} of ${key}: ${answer.status} ${JSON.stringify(answer.json)}`);
    }
  }
  return history;
}

/**
 * Checks what all clients have seen, key by key.
 *
 * @throws Error that says of which key something cannot be, and what.
 */
export function checkHistory(history: readonly Seen[]): void {
  for (const key of new Set(history.map((operation) => operation.key))) {
    try {
      checkVersions(history.filter((operation) => operation.key === key));
    } catch (error) {
      throw new Error(`${key}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/**
 * Checks what all clients have seen of one key: stores have made one version after the other, each once;
 * nobody saw an older one than was answered before it asked; a version has one value.
 *
 * @throws Error that says what cannot be.
 */
function checkVersions(operations: readonly Seen[]): void {
  const values = new Map<number, unknown>();
  const makers = new Set<number>();
  for (const { action, index, value } of operations) {
    if (values.has(index) && values.get(index) !== value) {
      throw new Error(`version ${index} is ${String(values.get(index))} and ${String(value)}`);
    }
    values.set(index, value);
    if (action === 'load') continue;
    if (makers.has(index)) throw new Error(`two stores have made version ${index}`);
    makers.add(index);
  }
  const lives = new Set(operations.map(({ createdAt }) => createdAt));
  if (lives.size > 1) throw new Error(`it was created at ${[...lives].join(' and ')}`);
  const answered = operations.toSorted((a, b) => a.answeredMs - b.answeredMs);
  let at = 0;
  let highest: Seen | undefined;
  for (const operation of operations.toSorted((a, b) => a.sentMs - b.sentMs)) {
    for (; at < answered.length && answered[at]!.answeredMs < operation.sentMs; at++) {
      if (highest === undefined || answered[at]!.index > highest.index) highest = answered[at];
    }
    const floor = (highest?.index ?? 0) + (operation.action === 'store' ? 1 : 0);
    if (operation.index < floor) {
      throw new Error(`${JSON.stringify(operation)} after ${JSON.stringify(highest)}`);
    }
  }
}
