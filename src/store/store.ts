/** The store of a node: all its records, in memory, and what can be done with them. */

import type { Clock } from '../base/clock.ts';
import { failure, type Failure } from '../base/errors.ts';
import { keyText, type Key } from '../base/key.ts';
import { VALUE_BYTES_MAX } from '../base/limits.ts';
import { partitionOf } from '../base/partition.ts';
import { brokenCondition, preconditionFailed } from '../record/condition.ts';
import { isLive } from '../record/expiry.ts';
import type { Lister, KeyQuery } from '../record/lister.ts';
import { select } from '../record/part.ts';
import { NO_META, type Meta, type NodeRef, type Reply, type ByteRange } from '../record/reply.ts';
import type { DeleteRequest, ReadRequest, Request, StoreRequest } from '../record/request.ts';
import { checkStore } from './check.ts';
import { Compactor } from './compactor.ts';
import { Evictor, type Eviction } from './eviction.ts';
import { ExpiryWheel } from './expiry-wheel.ts';
import { KeyHash } from './keys/hash.ts';
import { KeyIndex, type Place } from './keys/key-table.ts';
import { PackedKey } from './keys/packed-key.ts';
import { Arena, WORD_BYTES, type BlockAddress } from './memory/arena.ts';
import { Records, recordWords } from './memory/records.ts';

/** Words of compaction after which a request moves no further block: 128 KiB. */
const COMPACTION_WORDS_PER_REQUEST = 16_384;

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
  /** Bound of records and indexes together; 0 for none. */
  readonly maxMemoryBytes: number;
  readonly eviction: Eviction;
  /** Gives numbers from 0 to 1, 1 excluded. */
  readonly random: () => number;
}

export interface StoreStats {
  readonly records: number;
  /** Records that expire. */
  readonly expiring: number;
  /** Records with their headers and padding. */
  readonly liveBytes: number;
  readonly indexBytes: number;
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
  readonly #arena = new Arena();
  readonly #records = new Records(this.#arena);
  readonly #hash: KeyHash;
  /** The key of the request that is being served, and of a record that is removed or moved besides. */
  readonly #key = new PackedKey();
  readonly #otherKey = new PackedKey();
  readonly #index: KeyIndex;
  readonly #wheel: ExpiryWheel;
  readonly #evictor: Evictor;
  readonly #compactor: Compactor;
  #lastCreation = 0;
  #evicted = 0;
  /** Words that were freed and not paid for. */
  #freedWords = 0;

  constructor(options: StoreOptions) {
    const { partitions, clock, eviction, random } = options;
    this.#options = options;
    this.#hash = new KeyHash(random() * 2 ** 32, random() * 2 ** 32);
    this.#index = new KeyIndex(partitions, this.#records);
    this.#wheel = new ExpiryWheel(this.#records, clock());
    this.#evictor = new Evictor(eviction, this.#records, this.#index, this.#wheel, random);
    this.#compactor = new Compactor(this.#arena, this.#records, (from, to) =>
      this.#moved(from, to),
    );
  }

  serve(request: Request): Reply {
    const now = this.#options.clock();
    const place = this.#placeOf(request.key);
    let address = this.#index.find(place, this.#key);
    if (address !== 0 && !isLive(this.#records.deadline(address), now)) {
      this.#remove(address, place);
      address = 0;
    }
    switch (request.action) {
      case 'store':
        return this.#compacted(this.#store(request, address, place, now));
      case 'delete':
        return this.#compacted(this.#delete(request, address, place));
      case 'load':
      case 'index':
      case 'item':
        return this.#read(request, address, now);
    }
  }

  /** By partition, then by hash, then by byte: an order that holds while tables split and merge. */
  *list({ prefix, after }: KeyQuery): Generator<Key[]> {
    const start = after === undefined ? { partition: 0, hash: 0 } : this.#placeOf(after);
    for (const { partition, entries } of this.#index.slices(start)) {
      const now = this.#options.clock();
      const found: Listed[] = [];
      for (const [hash, address] of entries) {
        if (!isLive(this.#records.deadline(address), now)) continue;
        const key = this.#records.key(address);
        if (!key.startsWith(prefix)) continue;
        const isSamePlace = partition === start.partition && hash === start.hash;
        if (!isSamePlace || after === undefined || key > after) found.push({ hash, key });
      }
      yield found.toSorted(byHash).map(({ key }) => key);
    }
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
    this.#freedWords = 0;
    return false;
  }

  stats(): StoreStats {
    return {
      records: this.#index.entries,
      expiring: this.#wheel.size,
      liveBytes: this.#arena.liveBytes,
      indexBytes: this.#index.sizeBytes,
      garbageBytes: this.#arena.garbageBytes,
      evicted: this.#evicted,
    };
  }

  /**
   * Verifies every invariant of the memory behind this store; takes time in proportion to it.
   *
   * @throws Error that says which does not hold.
   */
  check(): void {
    checkStore(this.#arena, this.#records, this.#index, this.#wheel, (key) => this.#placeOf(key));
  }

  *#chores(now: number): Generator<void> {
    for (const address of this.#wheel.due(now)) {
      if (address !== 0) this.#drop(address);
      yield;
    }
    while (this.#overBytes(0) > 0 && this.#evictOne(0)) yield;
    while (this.#compactor.isBehind && this.#compactor.step() > 0) yield;
  }

  #read(request: ReadRequest, address: BlockAddress, now: number): Reply {
    if (address === 0) return missing(request);
    const { node } = this.#options;
    if (request.action === 'load' && request.condition !== undefined) {
      const meta = this.#records.meta(address);
      const broken = brokenCondition(request.condition, meta);
      if (broken === 'ifMatch') return preconditionFailed(request, meta);
      if (broken === 'ifNoneMatch') {
        this.#records.touch(address, now);
        return { status: 'unchanged', node, meta };
      }
    }
    const whole = this.#records.value(address);
    const value = request.action === 'load' ? whole : select(request, whole);
    if ('status' in value) return value;
    this.#records.touch(address, now);
    return { status: 'ok', node, meta: this.#records.meta(address), value };
  }

  #store(request: StoreRequest, address: BlockAddress, place: Place, now: number): Reply {
    const before = address === 0 ? undefined : this.#records.meta(address);
    if (brokenCondition(request.condition, before)) return preconditionFailed(request, before);
    const meta: Meta = {
      index: (before?.index ?? 0) + 1,
      ttlNs: request.ttlNs,
      accessedAt: before?.accessedAt ?? 0,
      createdAt: before?.createdAt ?? this.#creationTime(now),
      updatedAt: now,
    };
    if (!this.#makeRoom(request, address)) return memoryFull(request);
    for (let evictions = 0; !this.#write(request.value, address, place, meta); evictions++) {
      if (evictions === EVICTIONS_PER_REQUEST || !this.#evictOne(address))
        return memoryFull(request);
    }
    return { status: 'ok', node: this.#options.node, meta, value: request.value };
  }

  /** Writes a record, over the one at `address` or anew; false if there is no memory for it. */
  #write(value: ByteRange, address: BlockAddress, place: Place, meta: Meta): boolean {
    const isWaiting = address !== 0 && this.#records.expires(address);
    if (isWaiting) this.#wheel.remove(address);
    let written = address;
    if (address === 0 || !this.#records.overwrite(address, value, meta)) {
      written = this.#index.reserve()
        ? this.#records.create(this.#key, place.partition, value, meta)
        : 0;
      if (written === 0) {
        if (isWaiting) this.#wheel.add(address);
        return false;
      }
      if (address === 0) this.#index.add(place, written);
      else {
        this.#index.replace(place, address, written);
        this.#free(address);
      }
    }
    if (meta.ttlNs !== 0n) this.#wheel.add(written);
    return true;
  }

  #delete(request: DeleteRequest, address: BlockAddress, place: Place): Reply {
    if (request.condition !== undefined) {
      const before = address === 0 ? undefined : this.#records.meta(address);
      if (brokenCondition(request.condition, before)) return preconditionFailed(request, before);
    }
    if (address !== 0) this.#remove(address, place);
    return { status: 'ok', node: this.#options.node, meta: NO_META, value: undefined };
  }

  /** Evicts until a new value has room; false if it gets none. */
  #makeRoom({ key, value, ttlNs }: StoreRequest, address: BlockAddress): boolean {
    const { maxMemoryBytes } = this.#options;
    if (maxMemoryBytes === 0) return true;
    const size = recordWords(key.length, value.end - value.start, ttlNs !== 0n);
    if (size * WORD_BYTES > maxMemoryBytes) return false;
    const growth = (size - (address === 0 ? 0 : this.#records.sizeWords(address))) * WORD_BYTES;
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
    return this.#arena.liveBytes + this.#index.sizeBytes + growthBytes - maxMemoryBytes;
  }

  #evictOne(spared: BlockAddress): boolean {
    const victim = this.#evictor.choose(spared);
    if (victim === 0) return false;
    this.#drop(victim);
    this.#evicted++;
    return true;
  }

  /** Removes a record of which only the address is known. */
  #drop(address: BlockAddress): void {
    this.#remove(address, this.#placeAt(address));
  }

  #remove(address: BlockAddress, place: Place): void {
    if (this.#records.expires(address)) this.#wheel.remove(address);
    this.#index.remove(place, address);
    this.#free(address);
  }

  #free(address: BlockAddress): void {
    this.#freedWords += this.#records.sizeWords(address);
    this.#records.free(address);
  }

  /** Pays for the garbage that a write made, when its reply is there and lies in no record. */
  #compacted(reply: Reply): Reply {
    this.#compactor.pay(this.#freedWords, COMPACTION_WORDS_PER_REQUEST);
    this.#freedWords = 0;
    return reply;
  }

  /** Follows a record that compaction has copied. */
  #moved(from: BlockAddress, to: BlockAddress): void {
    this.#index.replace(this.#placeAt(to), from, to);
    if (this.#records.expires(to)) this.#wheel.move(from, to);
  }

  /** A time that no other record was created at: it names the record's versions. */
  #creationTime(now: number): number {
    this.#lastCreation = Math.max(now, this.#lastCreation + 1);
    return this.#lastCreation;
  }

  /** Where a key belongs, which is packed from now on. */
  #placeOf(key: Key): Place {
    const partition = partitionOf(key, this.#options.partitions);
    return { partition, hash: this.#hash.hash(this.#key.pack(key)) };
  }

  /** Where the key of a record belongs; the packed key stays that of the request. */
  #placeAt(address: BlockAddress): Place {
    const key = this.#records.readKey(address, this.#otherKey);
    return { partition: this.#records.partition(address), hash: this.#hash.hash(key) };
  }
}

/** A key and its hash, by which it is listed. */
interface Listed {
  readonly hash: number;
  readonly key: Key;
}

function byHash(a: Listed, b: Listed): number {
  return a.hash - b.hash || (a.key < b.key ? -1 : 1);
}

function missing({ action, key }: Request): Failure {
  const text = keyText(key);
  return failure('KEY_NOT_FOUND', `unable to ${action} ${text} key, ${text} does not exist`);
}

function memoryFull({ key }: StoreRequest): Failure {
  return failure('MEMORY_FULL', `unable to store ${keyText(key)} key, the memory is full`);
}
