/** What tests of a store have in common: a clock that is set by hand, requests, and what comes back. */

import { keyFromText, type Key } from '../../src/base/key.ts';
import type { KeptReply, Reply } from '../../src/record/reply.ts';
import type { Request } from '../../src/record/request.ts';
import { Store, type StoreOptions } from '../../src/store/store.ts';
import { numbersOf } from './random.ts';

const NODE = { id: 'node', addr: '127.0.0.1:2373' };
export const SECOND_NS = 1_000_000_000n;
export const MIB = 2 ** 20;

/** A clock that is set by hand, in microseconds. */
export class Hand {
  now = 1_000_000;
  readonly clock = (): number => this.now;
}

export function makeStore(hand: Hand, options: Partial<StoreOptions> = {}): Store {
  return new Store({
    node: NODE,
    clock: hand.clock,
    partitions: 16,
    maxMemoryBytes: 0,
    eviction: 'none',
    random: numbersOf(1),
    ...options,
  });
}

export function key(text: string): Key {
  const found = keyFromText(text);
  if (found === undefined) throw new Error(`no key: ${text}`);
  return found;
}

export function storing(name: string, text: string, ttlNs = 0n): Request {
  const bytes = Buffer.from(`_${text}_`);
  const value = { bytes, start: 1, end: bytes.length - 1 };
  return { action: 'store', key: key(name), value, ttlNs, condition: undefined };
}

export function loading(name: string): Request {
  return { action: 'load', key: key(name), condition: undefined };
}

export function deleting(name: string): Request {
  return { action: 'delete', key: key(name), condition: undefined };
}

/** What a store that is tested can do. */
interface Serving {
  serve(request: Request): Reply | Promise<KeptReply>;
}

/** Serves a request; the answer must be there at once. */
export function serve(store: Serving, request: Request): Reply {
  const reply = store.serve(request);
  if (reply instanceof Promise) throw new Error(`the answer to ${request.action} is a promise`);
  return reply;
}

export function valueOf(reply: Reply): string | undefined {
  if (reply.status !== 'ok' || reply.value === undefined) return undefined;
  return reply.value.bytes.toString('utf8', reply.value.start, reply.value.end);
}

export function allKeys(store: Store, prefix = ''): Key[] {
  return [...store.list({ prefix: key(prefix) })].flat();
}

export function maintainAll(store: Store): void {
  while (store.maintain(1000)) {
    // The clock is set by hand and stands still: one call does everything.
  }
}
