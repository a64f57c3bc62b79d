/** The store of a node: all its records, in memory, and what can be done with them. */

import type { Clock } from '../base/clock.ts';
import { failure, type Failure } from '../base/errors.ts';
import { finish } from '../base/json/scan.ts';
import { keyText, type Key } from '../base/key.ts';
import { VALUE_BYTES_MAX } from '../base/limits.ts';
import { partitionOf } from '../base/partition.ts';
import { brokenCondition, preconditionFailed } from '../record/condition.ts';
import type { Sink } from '../record/change.ts';
import { deadlineOf, isLive } from '../record/expiry.ts';
import type { KeyQuery, Lister, ListPiece, Place, Scanner } from '../record/lister.ts';
import { select } from '../record/part.ts';
import {
  NO_META,
  type ByteRange,
  type KeptReply,
  type Meta,
  type NodeRef,
  type Reply,
} from '../record/reply.ts';
import {
  isEdit,
  type DeleteRequest,
  type ReadRequest,
  type Request,
  type StoreRequest,
} from '../record/request.ts';
import { Changes } from './changes.ts';
import { PackedKey, type SoughtKey } from './keys/packed-key.ts';
import { listKeys, scanKeys } from './listing.ts';
import { MemoryLimit, type LimitOptions } from './memory-limit.ts';
import type { BlockAddress } from './memory/arena.ts';
import { systemMemory, type MemorySource } from './memory/chunk.ts';
import { RecordMap } from './record-map.ts';
import { Transfer } from './transfer.ts';

/** Steps of maintenance between two looks at the clock. */
const STEPS_PER_LOOK = 16;

export interface StoreOptions extends LimitOptions {
  /** What replies name as the node that served them. */
  readonly node: NodeRef;
  readonly clock: Clock;
  /** How many partitions the space of keys has. */
  readonly partitions: number;
  /** The largest value that is stored here, in bytes; the largest of all if it is not given. */
  readonly valueBytesMax?: number;
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
export class Store implements Lister, Scanner {
  readonly #options: StoreOptions;
  readonly #map: RecordMap;
  readonly #limit: MemoryLimit;
  readonly #changes = new Changes();
  /** What moves between nodes. */
  readonly transfer: Transfer;
  /** Where the key of the request that is being served is packed. */
  readonly #packed = new PackedKey();
  #lastCreation = 0;

  constructor(options: StoreOptions) {
    const { clock, memory = systemMemory } = options;
    const changes = this.#changes;
    this.#options = options;
    this.#map = new RecordMap({ ...options, now: clock(), memory, changes });
    this.#limit = new MemoryLimit(this.#map, options);
    this.transfer = new Transfer({
      map: this.#map,
      limit: this.#limit,
      changes,
      clock,
      onArrival: (createdAt) => (this.#lastCreation = Math.max(this.#lastCreation, createdAt)),
    });
  }

  /** Tells a sink of every change from now on. */
  attach(sink: Sink): void {
    this.#changes.attach(sink);
  }

  /** Tells a sink no more. */
  detach(sink: Sink): void {
    this.#changes.detach(sink);
  }

  /**
   * Serves a request; who knows the key's partition already hands it on. The answer is a promise only
   * where a sink makes it wait.
   */
  serve(request: Request, partition = this.#partitionOf(request.key)): Reply | Promise<KeptReply> {
    const now = this.#options.clock();
    const key = this.#map.seek(request.key, partition, this.#packed);
    let address = this.#map.find(key);
    if (address !== 0 && !isLive(this.#map.records.deadline(address), now)) {
      this.#map.remove(key, address, 'expire');
      this.#changes.forget();
      address = 0;
    }
    if (isEdit(request) || request.action === 'expire') {
      return failure('INTERNAL_ERROR', 'this is not served yet');
    }
    switch (request.action) {
      case 'store':
        return this.#changed(this.#store(request, key, address, now));
      case 'delete':
        return this.#changed(this.#delete(request, key, address));
      case 'load':
      case 'index':
      case 'item':
        return this.#read(request, address, now);
    }
  }

  list(query: KeyQuery): Generator<readonly Key[]> {
    return listKeys(this.#map, this.#options.clock, query, { start: this.#startOf(query) });
  }

  scan(query: KeyQuery, from = this.#startOf(query)): Generator<ListPiece> {
    return scanKeys(this.#map, this.#options.clock, query, { start: from });
  }

  #startOf({ after }: KeyQuery): Place {
    if (after === undefined) return { partition: 0, hash: 0 };
    return this.#map.seek(after, this.#partitionOf(after), new PackedKey());
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
      this.#changes.forget();
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
      evicted: this.#limit.evicted,
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
      if (address !== 0) this.#map.drop(address, 'expire');
      yield;
    }
    yield* this.#limit.evictExcess();
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
        return { status: 'unchanged', node, meta: { ...meta, accessedAt: now } };
      }
    }
    const whole = this.#map.records.value(address);
    const value = request.action === 'load' ? whole : finish(select(request, whole));
    if ('status' in value) return value;
    this.#map.records.touch(address, now);
    return { status: 'ok', node, meta: this.#map.records.meta(address), value };
  }

  #store(request: StoreRequest, key: SoughtKey, address: BlockAddress, now: number): Reply {
    const refusal = this.#changes.refusal ?? this.#tooLarge(request.value);
    if (refusal !== undefined) return refusal;
    const before = address === 0 ? undefined : this.#map.records.meta(address);
    if (brokenCondition(request.condition, before)) return preconditionFailed(request, before);
    const meta: Meta = {
      index: (before?.index ?? 0) + 1,
      ttlNs: request.ttlNs,
      accessedAt: before?.accessedAt ?? 0,
      createdAt: before?.createdAt ?? this.#creationTime(now),
      updatedAt: now,
    };
    const deadline = deadlineOf(now, Number(request.ttlNs));
    const record = { key: request.key, meta, value: request.value, deadline };
    if (!this.#limit.write(key, address, record, 'store')) return memoryFull(request);
    return { status: 'ok', node: this.#options.node, meta, value: request.value };
  }

  #delete(request: DeleteRequest, key: SoughtKey, address: BlockAddress): Reply {
    const refusal = this.#changes.refusal;
    if (refusal !== undefined) return refusal;
    if (request.condition !== undefined) {
      const before = address === 0 ? undefined : this.#map.records.meta(address);
      if (brokenCondition(request.condition, before)) return preconditionFailed(request, before);
    }
    if (address !== 0) this.#map.remove(key, address, 'delete');
    return { status: 'ok', node: this.#options.node, meta: NO_META, value: undefined };
  }

  /** The answer to a change: pays for the garbage that it made, and waits where a sink wants it to. */
  #changed(reply: Reply): Reply | Promise<KeptReply> {
    const answer = this.#changes.answer(reply);
    this.#map.pay();
    return answer;
  }

  /** Why a value is not stored; undefined for one that is small enough. */
  #tooLarge({ start, end }: ByteRange): Failure | undefined {
    const { valueBytesMax = VALUE_BYTES_MAX } = this.#options;
    if (end - start <= valueBytesMax) return undefined;
    return failure('VALUE_TOO_LARGE', `the value is larger than ${valueBytesMax} bytes`);
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
