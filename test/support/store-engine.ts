/** An engine of one store: no cluster, no network, the real memory. */

import { randomUUID } from 'node:crypto';

import { systemClock, type Clock } from '../../src/base/clock.ts';
import { keyFromText, type Key } from '../../src/base/key.ts';
import { partitionOfRange } from '../../src/base/partition.ts';
import { Scheduler } from '../../src/base/scheduler.ts';
import type { Text } from '../../src/base/view.ts';
import type { Range } from '../../src/base/json/range.ts';
import { systemTimers, type Timers } from '../../src/base/timers.ts';
import { Watching } from '../../src/cluster/watching.ts';
import type { Failure } from '../../src/base/errors.ts';
import type { AtHand, Engine, Listing, ListQuery, Member } from '../../src/record/engine.ts';
import type { KeptReply, Reply } from '../../src/record/reply.ts';
import type { Request } from '../../src/record/request.ts';
import type { Watch, WatchQuery } from '../../src/record/watch.ts';
import { Store } from '../../src/store/store.ts';

const PARTITIONS = 64;

export class StoreEngine implements Engine {
  readonly node = { id: randomUUID(), addr: '127.0.0.1:2373' };
  readonly store: Store;
  readonly #watching: Watching;

  constructor(clock: Clock = systemClock, timers: Timers = systemTimers) {
    this.store = new Store({
      node: this.node,
      clock,
      partitions: PARTITIONS,
      maxMemoryBytes: 0,
      eviction: 'none',
      scheduler: new Scheduler(),
      random: () => 0.5,
    });
    const { node, store } = this;
    const life = randomUUID();
    this.#watching = new Watching({ self: node, life, partitions: PARTITIONS, store, timers });
  }

  serve(request: Request, isGone?: () => boolean): Reply | Promise<KeptReply> {
    return this.store.serve(request, undefined, isGone);
  }

  atHand(): AtHand {
    const { store } = this;
    const { now } = store;
    return {
      load: (text, key) => store.glance(text, key, partitionAt(text, key), now),
      store: (text, key, value) => store.put(text, key, value, partitionAt(text, key), now),
    };
  }

  *list({ prefix, cursor }: ListQuery): Extract<Listing, Iterable<unknown>> {
    const after = cursor === undefined ? undefined : keyFromText(cursor);
    for (const keys of this.store.list({ prefix, after })) {
      yield { keys, cursorAfter: (key: Key) => Buffer.from(key, 'latin1').toString() };
    }
  }

  watch(query: WatchQuery, onNews: () => void): Watch | Failure {
    return this.#watching.watch(query, onNews);
  }

  members(): Member[] {
    return [this.node];
  }

  async start(): Promise<void> {}

  close(): void {}
}

function partitionAt({ view }: Text, key: Range): number {
  return partitionOfRange(view, key, PARTITIONS);
}
