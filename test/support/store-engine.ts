/** An engine of one store: no cluster, no network, the real memory. */

import { randomUUID } from 'node:crypto';

import { systemClock, type Clock } from '../../src/base/clock.ts';
import { keyFromText, type Key } from '../../src/base/key.ts';
import { Scheduler } from '../../src/base/scheduler.ts';
import type { Engine, Listing, ListQuery, Member } from '../../src/record/engine.ts';
import type { KeptReply, Reply } from '../../src/record/reply.ts';
import type { Request } from '../../src/record/request.ts';
import { Store } from '../../src/store/store.ts';

export class StoreEngine implements Engine {
  readonly node = { id: randomUUID(), addr: '127.0.0.1:2373' };
  readonly store: Store;

  constructor(clock: Clock = systemClock) {
    this.store = new Store({
      node: this.node,
      clock,
      partitions: 64,
      maxMemoryBytes: 0,
      eviction: 'none',
      scheduler: new Scheduler(),
      random: () => 0.5,
    });
  }

  serve(request: Request, isGone?: () => boolean): Reply | Promise<KeptReply> {
    return this.store.serve(request, undefined, isGone);
  }

  *list({ prefix, cursor }: ListQuery): Extract<Listing, Iterable<unknown>> {
    const after = cursor === undefined ? undefined : keyFromText(cursor);
    for (const keys of this.store.list({ prefix, after })) {
      yield { keys, cursorAfter: (key: Key) => Buffer.from(key, 'latin1').toString() };
    }
  }

  members(): Member[] {
    return [this.node];
  }

  async start(): Promise<void> {}

  close(): void {}
}
