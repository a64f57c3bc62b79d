/** The store of a node: all its records, in memory, and what can be done with them. */

import type { Clock } from '../base/clock.ts';
import { failure, type Failure } from '../base/errors.ts';
import { finish } from '../base/json/scan.ts';
import { keyText, type Key } from '../base/key.ts';
import { VALUE_BYTES_MAX } from '../base/limits.ts';
import { partitionOf } from '../base/partition.ts';
import { brokenCondition, preconditionFailed } from '../record/condition.ts';
import { isLive } from '../record/expiry.ts';
import type { Lister, KeyQuery } from '../record/lister.ts';
import { select } from '../record/part.ts';
import { NO_META, type Meta, type NodeRef, type Reply } from '../record/reply.ts';
import {
  isEdit,
  type DeleteRequest,
  type ReadRequest,
  type Request,
  type StoreRequest,
} from '../record/request.ts';
import { Evictor, type Eviction } from './eviction.ts';
import { PackedKey, type SoughtKey } from './keys/packed-key.ts';
import { listKeys } from './listing.ts';
import { WORD_BYTES, type BlockAddress } from './memory/arena.ts';
import { systemMemory, type MemorySource } from './memory/chunk.ts';
import { recordWords } from './memory/records.ts';
import { RecordMap } from './record-map.ts';

/** Records that one request may evict; the rest of a large value's room is made afterwards. */
const EVICTIONS_PER_REQUEST = 64;

/** Steps of maintenance between two looks at the clock. */
const STEPS_PER_LOOK = 16;

export interface StoreOptions {
  /** What replies name as the node that served them. */
  readonly node: NodeRef;
  readonly clock: Clock;
  /** How many partitions the space of keys has. */
  readonly partitions: number;
  /** Bound of records and key table together; 0 for none. */
  readonly maxMemoryBytes: number;
  readonly eviction: Eviction;
  /** Gives numbers from 0 to 1, 1 excluded. */
  readonly random: () => number;
  /** The system's, unless another is given. */
  readonly memory?: MemorySource;
  /** Fewer segments of memory than addresses reach. */
  readonly segmentsMax?: number;
}

export interface StoreStats {
  readonly records: number;
  /** Records that expire. */
  readonly expiring: number;
  /** Records with their headers and padding. */
  readonly liveBytes: number;
  readonly keyTableBytes: number;
  /** Dead records whose memory is not won back yet. */
  readonly garbageBytes: number;
  /** Records evicted since the start. */
  readonly evicted: number;
}

/**
 * Serves requests at once. Memory for records lies outside the JavaScript heap; what cannot be done
 * within a request, `maintain` does in pieces: it must be called every few milliseconds.
 */
export class Store implements Lister {
  readonly #options: StoreOptions;
  readonly #map: RecordMap;
  readonly #evictor: Evictor;
  /** Where the key of the request that is being served is packed. */
  readonly #packed = new PackedKey();
  #lastCreation = 0;
  #evicted = 0;

  constructor(options: StoreOptions) {
    const { clock, memory = systemMemory, eviction, random } = options;
    this.#options = options;
    this.#map = new RecordMap({ ...options, now: clock(), memory });
    this.#evictor = new Evictor(eviction, this.#map, random);
  }

  /** Serves a request; who knows the key's partition already hands it on. */
  serve(request: Request, partition = this.#partitionOf(request.key)): Reply {
    const now = this.#options.clock();
    const key = this.#map.seek(request.key, partition, this.#packed);
    let address = this.#map.find(key);
    if (address !== 0 && !isLive(this.#map.records.deadline(address), now)) {
      this.#map.remove(key, address);
      address = 0;
    }
    if (isEdit(request) || request.action === 'expire') {
      return failure('INTERNAL_ERROR', 'this is not served yet');
    }
    switch (request.action) {
      case 'store':
        return this.#paid(this.#store(request, key, address, now));
      case 'delete':
        return this.#paid(this.#delete(request, key, address));
      case 'load':
      case 'index':
      case 'item':
        return this.#read(request, address, now);
    }
  }

  list({ prefix, after }: KeyQuery): Generator<Key[]> {
    const place =
      after === undefined
        ? { partition: 0, hash: 0 }
        : this.#map.seek(after, this.#partitionOf(after), new PackedKey());
    return listKeys(this.#map, this.#options.clock, prefix, { ...place, after });
  }

  /**
   * Does what has become due, for about `budgetUs` microseconds: frees expired records, evicts what a
   * large value left to evict, compacts.
   *
   * @returns whether there is more to do.
   */
  maintain(budgetUs: number): boolean {
    const { clock } = this.#options;
    const start = clock();
    let steps = 0;
    for (const _ of this.#chores(start)) {
      if (++steps % STEPS_PER_LOOK === 0 && clock() - start >= budgetUs) return true;
    }
    return false;
  }

  stats(): StoreStats {
    return {
      records: this.#map.table.entries,
      expiring: this.#map.wheel.size,
      liveBytes: this.#map.liveBytes,
      keyTableBytes: this.#map.table.sizeBytes,
      garbageBytes: this.#map.garbageBytes,
      evicted: this.#evicted,
    };
  }

  /**
   * Verifies every invariant of the memory behind this store; takes time in proportion to it.
   *
   * @throws Error that says which does not hold.
   */
  check(): void {
    this.#map.check((key) => this.#partitionOf(key));
  }

  *#chores(now: number): Generator<void> {
    for (const address of this.#map.wheel.due(now)) {
      if (address !== 0) this.#map.drop(address);
      yield;
    }
    while (this.#overBytes(0) > 0 && this.#evictOne(0)) yield;
    yield* this.#map.compact();
  }

  #read(request: ReadRequest, address: BlockAddress, now: number): Reply {
    if (address === 0) return missing(request);
    const { node } = this.#options;
    if (request.action === 'load' && request.condition !== undefined) {
      const meta = this.#map.records.meta(address);
      const broken = brokenCondition(request.condition, meta);
      if (broken === 'ifMatch') return preconditionFailed(request, meta);
      if (broken === 'ifNoneMatch') {
        this.#map.records.touch(address, now);
        return { status: 'unchanged', node, meta };
      }
    }
    const whole = this.#map.records.value(address);
    const value = request.action === 'load' ? whole : finish(select(request, whole));
    if ('status' in value) return value;
    this.#map.records.touch(address, now);
    return { status: 'ok', node, meta: this.#map.records.meta(address), value };
  }

  #store(request: StoreRequest, key: SoughtKey, address: BlockAddress, now: number): Reply {
    const before = address === 0 ? undefined : this.#map.records.meta(address);
    if (brokenCondition(request.condition, before)) return preconditionFailed(request, before);
    const meta: Meta = {
      index: (before?.index ?? 0) + 1,
      ttlNs: request.ttlNs,
      accessedAt: before?.accessedAt ?? 0,
      createdAt: before?.createdAt ?? this.#creationTime(now),
      updatedAt: now,
    };
    if (!this.#makeRoom(request, address)) return memoryFull(request);
    for (let evictions = 0; this.#map.write(key, address, request.value, meta) === 0; evictions++) {
      if (evictions === EVICTIONS_PER_REQUEST || !this.#evictOne(address))
        return memoryFull(request);
    }
    return { status: 'ok', node: this.#options.node, meta, value: request.value };
  }

  #delete(request: DeleteRequest, key: SoughtKey, address: BlockAddress): Reply {
    if (request.condition !== undefined) {
      const before = address === 0 ? undefined : this.#map.records.meta(address);
      if (brokenCondition(request.condition, before)) return preconditionFailed(request, before);
    }
    if (address !== 0) this.#map.remove(key, address);
    return { status: 'ok', node: this.#options.node, meta: NO_META, value: undefined };
  }

  /** Evicts until a new value has room; false if it gets none. */
  #makeRoom({ key, value, ttlNs }: StoreRequest, address: BlockAddress): boolean {
    const { maxMemoryBytes } = this.#options;
    if (maxMemoryBytes === 0) return true;
    const size = recordWords(key.length, value.end - value.start, ttlNs !== 0n);
    if (size * WORD_BYTES > maxMemoryBytes) return false;
    const growth = (size - (address === 0 ? 0 : this.#map.records.sizeWords(address))) * WORD_BYTES;
    if (growth <= 0) return true;
    for (let evictions = 0; this.#overBytes(growth) > 0; evictions++) {
      if (evictions === EVICTIONS_PER_REQUEST) return this.#overBytes(growth) <= VALUE_BYTES_MAX;
      if (!this.#evictOne(address)) return false;
    }
    return true;
  }

  /** By how much the bound on memory would be passed with `growthBytes` more. */
  #overBytes(growthBytes: number): number {
    const { maxMemoryBytes } = this.#options;
    if (maxMemoryBytes === 0) return 0;
    return this.#map.liveBytes + this.#map.table.sizeBytes + growthBytes - maxMemoryBytes;
  }

  #evictOne(spared: BlockAddress): boolean {
    const victim = this.#evictor.choose(spared);
    if (victim === 0) return false;
    this.#map.drop(victim);
    this.#evicted++;
    return true;
  }

  /** Pays for the garbage that a write made, when its reply is there and lies in no record. */
  #paid(reply: Reply): Reply {
    this.#map.pay();
    return reply;
  }

  /** A time that no other record was created at: it names the record's versions. */
  #creationTime(now: number): number {
    this.#lastCreation = Math.max(now, this.#lastCreation + 1);
    return this.#lastCreation;
  }

  #partitionOf(key: Key): number {
    return partitionOf(key, this.#options.partitions);
  }
}

function missing({ action, key }: Request): Failure {
  const text = keyText(key);
  return failure('KEY_NOT_FOUND', `unable to ${action} ${text} key, ${text} does not exist`);
}

function memoryFull({ key }: StoreRequest): Failure {
  return failure('MEMORY_FULL', `unable to store ${keyText(key)} key, the memory is full`);
}
