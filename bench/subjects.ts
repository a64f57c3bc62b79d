/** The stores that are measured in process: ours, and a `Map` of plain objects. */

import { systemClock, type Clock } from '../src/base/clock.ts';
import type { Key } from '../src/base/key.ts';
import { Scheduler } from '../src/base/scheduler.ts';
import { Maintenance } from '../src/node/maintenance.ts';
import type { NodeRef, ByteRange } from '../src/record/reply.ts';
import { Store } from '../src/store/store.ts';

/** What a measurement does with a store. */
export interface Subject {
  store(key: Key, value: ByteRange): void;
  /** Reads a record and counts the access; returns whether it is there. */
  load(key: Key): boolean;
  delete(key: Key): void;
  stop(): void;
}

export type SubjectName = 'store' | 'map';

/** Makes an empty store of that name, with whatever runs beside it in a node. */
export function createSubject(name: SubjectName): Subject {
  return name === 'store' ? new StoreSubject() : new MapSubject();
}

/** What answers name as the node. */
const SELF: NodeRef = {
  id: '5c3cb886-8609-4851-ac50-f8c04d2fee65',
  addr: '127.0.0.1:2373',
};

/** A store as a node makes it. */
export function createStore(clock: Clock): Store {
  return new Store({
    node: SELF,
    clock,
    partitions: 16_384,
    maxMemoryBytes: 0,
    eviction: 'none',
    random: Math.random,
  });
}

class StoreSubject implements Subject {
  readonly #store = createStore(systemClock);
  readonly #maintenance = new Maintenance(this.#store, new Scheduler(), false);

  store(key: Key, value: ByteRange): void {
    void this.#store.serve({ action: 'store', key, value, ttlNs: 0n });
  }

  load(key: Key): boolean {
    const reply = this.#store.serve({ action: 'load', key });
    return 'status' in reply && reply.status === 'ok';
  }

  delete(key: Key): void {
    void this.#store.serve({ action: 'delete', key });
  }

  stop(): void {
    this.#maintenance.stop();
    this.#store.check();
  }
}

interface MapRecord {
  value: string;
  index: number;
  created: number;
  updated: number;
  accessed: number;
  ttl: number;
}

class MapSubject implements Subject {
  readonly #records = new Map<Key, MapRecord>();

  store(key: Key, { bytes, start, end }: ByteRange): void {
    const value = bytes.toString('latin1', start, end);
    const now = systemClock();
    const record = this.#records.get(key);
    if (record === undefined) {
      const [created, updated] = [now, now];
      this.#records.set(key, { value, index: 1, created, updated, accessed: 0, ttl: 0 });
      return;
    }
    record.value = value;
    record.index++;
    record.updated = now;
    record.ttl = 0;
  }

  load(key: Key): boolean {
    const record = this.#records.get(key);
    const now = systemClock();
    if (record === undefined || (record.ttl !== 0 && now >= record.updated + record.ttl)) {
      return false;
    }
    record.accessed = now;
    return true;
  }

  delete(key: Key): void {
    this.#records.delete(key);
  }

  stop(): void {}
}
