/** The store of a node: all its records, in memory, and what can be done with them. */

import type { Clock } from '../base/clock.ts';
import { failure, type Failure } from '../base/errors.ts';
import type { Range } from '../base/json/range.ts';
import { finish, type Steps } from '../base/json/scan.ts';
import { keyText, type Key } from '../base/key.ts';
import { RESTARTS_MAX, SMALL_TEXT_BYTES_MAX, VALUE_BYTES_MAX } from '../base/limits.ts';
import { partitionOf } from '../base/partition.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Text } from '../base/view.ts';
import { brokenCondition, preconditionFailed } from '../record/condition.ts';
import type { Sink } from '../record/change.ts';
import { missing, newTtl, type Edited } from '../record/edit.ts';
import { deadlineOf, isLive } from '../record/expiry.ts';
import { Glimpse } from '../record/glimpse.ts';
import type { KeyQuery, Lister, ListPiece, Place, Scanner } from '../record/lister.ts';
import {
  keep,
  NO_META,
  type ByteRange,
  type KeptReply,
  type Meta,
  type NodeRef,
  type Reply,
} from '../record/reply.ts';
import {
  ACTIONS,
  type DeleteRequest,
  type EditRequest,
  type ExpireRequest,
  type Request,
  type StoreRequest,
} from '../record/request.ts';
import { versionOf } from '../record/version.ts';
import { Changes } from './changes.ts';
import { compute, isComputed, isLong, type Computed, type Result } from './computation.ts';
import { PackedKey, type SoughtKey } from './keys/packed-key.ts';
import { listKeys, scanKeys } from './listing.ts';
import { MemoryLimit, type LimitOptions } from './memory-limit.ts';
import { SHARED_BLOCK_BYTES_MAX, type BlockAddress } from './memory/arena.ts';
import { systemMemory, type MemorySource } from './memory/chunk.ts';
import type { Draft } from './memory/records.ts';
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
  /** Shares out the time of what takes long; without it that is done at once. */
  readonly scheduler?: Scheduler;
  /** The key of the hash of keys, two numbers of 32 bits; drawn at random if it is not given. */
  readonly hashKey?: readonly [number, number] | undefined;
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
  /** Bytes that were moved to win it back, since the start. */
  readonly movedBytes: number;
  /** Records evicted since the start. */
  readonly evicted: number;
  /** Records that have expired and were freed since the start. */
  readonly expired: number;
  /** Microseconds from the deadline of the record that maintenance freed last to that moment. */
  readonly expiryLagUs: number;
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
  #expired = 0;
  #expiryLagUs = 0;
  /** Where the key of the request that is being served is packed. */
  readonly #packed = new PackedKey();
  readonly #glimpse = new Glimpse();
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
   * Serves a request; who knows the key's partition already hands it on. The answer is a promise where a
   * sink makes it wait, or where it takes long; then `isGone` may say that nobody waits for it any more.
   */
  serve(
    request: Request,
    partition = this.#partitionOf(request.key),
    isGone?: () => boolean,
  ): Reply | Promise<KeptReply> {
    const now = this.#options.clock();
    const key = this.#map.seek(request.key, partition, this.#packed);
    const address = this.#find(key, now);
    if (isComputed(request)) return this.#compute(request, key, address, isGone);
    switch (request.action) {
      case 'load':
        if (address !== 0 && request.condition === undefined) {
          return this.#read(address, now, undefined);
        }
        return this.#refusal(request, address) ?? this.#read(address, now, undefined);
      case 'store':
        if (this.#isLong(request.value)) {
          const steps = this.#storeInPieces(request, partition);
          return this.#options.scheduler!.run('client', steps, isGone);
        }
        return this.#changed(this.#store(request, key, address, now));
      case 'delete':
        return this.#changed(this.#delete(request, key, address));
      case 'expire':
        if (address !== 0 && this.#isLong(this.#map.records.value(address))) {
          const steps = this.#expireInPieces(request, partition);
          return this.#options.scheduler!.run('client', steps, isGone);
        }
        return this.#changed(this.#expire(request, key, address, now));
    }
  }

  /** The time by which {@link glance} and {@link put} are asked. */
  get now(): number {
    return this.#options.clock();
  }

  /** Loads the key in a range of `text`, which is of this partition. */
  glance(text: Text, key: Range, partition: number, now: number): Glimpse | 'nothing' {
    const address = this.#find(this.#map.seekRange(text.view, key, partition, this.#packed), now);
    if (address === 0) return 'nothing';
    this.#map.records.touch(address, now);
    return this.#map.records.glimpse(address, this.#glimpse);
  }

  /**
   * Stores the value in a range of `text` for good, under the key in another, which is of this partition. What is
   * seen is the new version without its value; undefined, and nothing done, where only a request can do it.
   */
  put(
    { bytes, view }: Text,
    key: Range,
    { start, end }: Range,
    partition: number,
    now: number,
  ): Glimpse | undefined {
    if (this.#changes.isFollowed || end - start > SMALL_TEXT_BYTES_MAX) return undefined;
    const sought = this.#map.seekRange(view, key, partition, this.#packed);
    const address = this.#find(sought, now);
    const meta = this.#metaOf(address, 0n, now);
    const record = { meta, value: { bytes, view, start, end }, deadline: Infinity };
    if (!this.#limit.write(sought, address, record, 'store')) return undefined;
    this.#map.pay();
    return this.#glimpse.of(meta);
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
      movedBytes: this.#map.movedBytes,
      evicted: this.#limit.evicted,
      expired: this.#expired,
      expiryLagUs: this.#expiryLagUs,
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
      if (address !== 0) {
        this.#expired++;
        this.#expiryLagUs = now - this.#map.records.deadline(address);
        this.#map.drop(address, 'expire');
      }
      yield;
    }
    yield* this.#limit.evictExcess();
    yield* this.#map.compact();
  }

  /** The live record of a key; 0 if there is none. */
  #find(key: SoughtKey, now: number): BlockAddress {
    const address = this.#map.find(key);
    if (address === 0 || isLive(this.#map.records.deadline(address), now)) return address;
    this.#expired++;
    this.#map.remove(key, address, 'expire');
    this.#changes.forget();
    return 0;
  }

  /** Answers a value or a part of it. */
  #read(address: BlockAddress, now: number, part: ByteRange | undefined): Reply {
    const { records } = this.#map;
    const range = part ?? records.value(address);
    records.touch(address, now);
    const value =
      range.end - range.start > SMALL_TEXT_BYTES_MAX ? records.lend(address, range) : range;
    return { status: 'ok', node: this.#options.node, meta: records.meta(address), value };
  }

  /** The answer where a request does not get as far as its value. */
  #refusal(request: Request, address: BlockAddress): Reply | undefined {
    const isRead = !ACTIONS[request.action].writes;
    if (address === 0 && isRead) return missing(request);
    const condition = 'condition' in request ? request.condition : undefined;
    if (condition === undefined) return undefined;
    const meta = address === 0 ? undefined : this.#map.records.meta(address);
    const broken = brokenCondition(condition, meta);
    if (broken === undefined) return undefined;
    if (!isRead || broken === 'ifMatch') return preconditionFailed(request, meta);
    const now = this.#options.clock();
    this.#map.records.touch(address, now);
    const { node } = this.#options;
    return { status: 'unchanged', node, meta: { ...meta!, accessedAt: now } };
  }

  /** Serves what is computed of a value: at once if that takes little, else in pieces. */
  #compute(
    request: Computed,
    key: SoughtKey,
    address: BlockAddress,
    isGone: (() => boolean) | undefined,
  ): Reply | Promise<KeptReply> {
    const refusal = this.#refusal(request, address);
    if (refusal !== undefined) return refusal;
    const value = address === 0 ? undefined : this.#map.records.value(address);
    const { scheduler } = this.#options;
    if (scheduler !== undefined && isLong(request, value)) {
      return scheduler.run('client', this.#computeInPieces(request, key.partition), isGone);
    }
    return this.#computed(request, key, address, finish(compute(request, value, this.#bytesMax)));
  }

  /** Whether a value takes longer to write than one piece may: it gets memory that is fetched for it. */
  #isLong({ start, end }: ByteRange): boolean {
    return end - start > SHARED_BLOCK_BYTES_MAX && this.#options.scheduler !== undefined;
  }

  /** As {@link #compute}, a piece at a time. */
  #computeInPieces(request: Computed, partition: number): Steps<KeptReply | Promise<KeptReply>> {
    return this.#inPieces(
      request,
      partition,
      (address) => this.#computeDraft(request, address),
      (key, address, [result, draft]) =>
        this.#withDraft(draft, () => this.#computed(request, key, address, result, draft)),
    );
  }

  /** What a request computes of a value, and that as a draft where it makes a large record of it. */
  *#computeDraft(request: Computed, address: BlockAddress): Steps<[Result, Draft | undefined]> {
    const { records } = this.#map;
    const value = address === 0 ? undefined : records.value(address);
    const result = yield* compute(request, value, this.#bytesMax);
    if ('status' in result || 'bytes' in result) return [result, undefined];
    const ttlNs = newTtl(request as EditRequest, address === 0);
    const expires = ttlNs === undefined ? records.expires(address) : ttlNs !== 0n;
    return [result, yield* records.draft(address, request.key.length, result.value, expires)];
  }

  /** As {@link #expire}, a piece at a time: a record that is to expire takes more room. */
  #expireInPieces(
    request: ExpireRequest,
    partition: number,
  ): Steps<KeptReply | Promise<KeptReply>> {
    const { records } = this.#map;
    return this.#inPieces(
      request,
      partition,
      function* (address) {
        if (address === 0) return undefined;
        const value = records.value(address);
        // In its own block it stays as it is.
        if (records.fits(address, value, request.ttlNs !== 0n)) return undefined;
        return yield* records.draft(address, request.key.length, value, request.ttlNs !== 0n);
      },
      (key, address, draft) => {
        const now = this.#options.clock();
        return this.#withDraft(draft, () =>
          this.#changed(this.#expire(request, key, address, now, draft)),
        );
      },
    );
  }

  /**
   * Works on a record a piece at a time. What others do in between may change the value: then it begins
   * anew, so what it comes to is what it would be at once, when it is done.
   */
  *#inPieces<T>(
    request: Request,
    partition: number,
    work: (address: BlockAddress) => Steps<T>,
    end: (key: SoughtKey, address: BlockAddress, outcome: T) => KeptReply | Promise<KeptReply>,
  ): Steps<KeptReply | Promise<KeptReply>> {
    const { records } = this.#map;
    for (let restarts = 0; restarts <= RESTARTS_MAX; restarts++) {
      let key = this.#map.seek(request.key, partition, this.#packed);
      const address = this.#find(key, this.#options.clock());
      const refusal = this.#refusal(request, address);
      if (refusal !== undefined) return keep(refusal);
      const before = address === 0 ? undefined : versionOf(records.meta(address));
      const steps = work(address);
      try {
        for (let isSame = true; isSame; ) {
          const step = steps.next();
          if (step.done === true) return end(key, address, step.value);
          yield;
          key = this.#map.seek(request.key, partition, this.#packed);
          const found = this.#find(key, this.#options.clock());
          isSame = found === address && (found === 0 || versionOf(records.meta(found)) === before);
        }
      } finally {
        steps.return(undefined as T);
      }
    }
    return failure('OVERLOADED', 'the value changes faster than it can be worked on');
  }

  /** Stores a large value: copies it piece by piece to where it stays, and makes it a record at once. */
  *#storeInPieces(request: StoreRequest, partition: number): Steps<KeptReply | Promise<KeptReply>> {
    const refusal = this.#changes.refusal ?? this.#tooLarge(request.value);
    if (refusal !== undefined) return refusal;
    const { clock } = this.#options;
    const { key, value, ttlNs } = request;
    const before = this.#find(this.#map.seek(key, partition, this.#packed), clock());
    const draft = yield* this.#map.records.draft(before, key.length, value, ttlNs !== 0n);
    const sought = this.#map.seek(key, partition, this.#packed);
    const now = clock();
    const address = this.#find(sought, now);
    return this.#withDraft(draft, () =>
      this.#changed(this.#store(request, sought, address, now, draft)),
    );
  }

  /** Answers with what was computed, or makes it the new value. */
  #computed(
    request: Computed,
    key: SoughtKey,
    address: BlockAddress,
    result: Result,
    draft?: Draft,
  ): Reply | Promise<KeptReply> {
    if ('status' in result) return result;
    const now = this.#options.clock();
    if ('bytes' in result) return this.#read(address, now, result);
    return this.#changed(this.#edit(request as EditRequest, key, address, result, now, draft));
  }

  /** The answer, as one that stays, of what makes use of a draft or does not. */
  #withDraft(
    draft: Draft | undefined,
    serve: () => Reply | Promise<KeptReply>,
  ): KeptReply | Promise<KeptReply> {
    try {
      const reply = serve();
      return reply instanceof Promise ? reply : keep(reply);
    } finally {
      if (draft !== undefined) this.#map.records.dropDraft(draft);
    }
  }

  #edit(
    request: EditRequest,
    key: SoughtKey,
    address: BlockAddress,
    { value, shown }: Edited,
    now: number,
    draft?: Draft,
  ): Reply {
    const ttlNs = newTtl(request, address === 0);
    const meta = this.#metaOf(address, ttlNs, now);
    const deadline =
      ttlNs === undefined ? this.#map.records.deadline(address) : deadlineOf(now, Number(ttlNs));
    const record = { meta, value, deadline, draft };
    const refusal = this.#changes.refusal;
    if (refusal !== undefined) return refusal;
    if (!this.#limit.write(key, address, record, 'store')) return memoryFull(request);
    return { status: 'ok', node: this.#options.node, meta, value: shown };
  }

  /** The meta of a record that is stored anew; it keeps its time to live where none is given. */
  #metaOf(address: BlockAddress, ttlNs: bigint | undefined, now: number): Meta {
    const before = address === 0 ? undefined : this.#map.records.meta(address);
    return {
      index: (before?.index ?? 0) + 1,
      ttlNs: ttlNs ?? before?.ttlNs ?? 0n,
      accessedAt: before?.accessedAt ?? 0,
      createdAt: before?.createdAt ?? this.#creationTime(now),
      updatedAt: now,
    };
  }

  #expire(
    request: ExpireRequest,
    key: SoughtKey,
    address: BlockAddress,
    now: number,
    draft?: Draft,
  ): Reply {
    const refusal = this.#changes.refusal ?? this.#refusal(request, address);
    if (refusal !== undefined) return refusal;
    if (address === 0) return missing(request);
    const { records } = this.#map;
    const meta = { ...records.meta(address), ttlNs: request.ttlNs, updatedAt: now };
    const value = records.value(address);
    const deadline = deadlineOf(now, Number(request.ttlNs));
    const record = { meta, value, deadline, draft };
    if (!this.#limit.write(key, address, record, 'store')) return memoryFull(request);
    return { status: 'ok', node: this.#options.node, meta, value: undefined };
  }

  #store(
    request: StoreRequest,
    key: SoughtKey,
    address: BlockAddress,
    now: number,
    draft?: Draft,
  ): Reply {
    const refusal = this.#changes.refusal ?? this.#tooLarge(request.value);
    if (refusal !== undefined) return refusal;
    const broken = request.condition && this.#refusal(request, address);
    if (broken !== undefined) return broken;
    const meta = this.#metaOf(address, request.ttlNs, now);
    const deadline = deadlineOf(now, Number(request.ttlNs));
    const record = { meta, value: request.value, deadline, draft };
    if (!this.#limit.write(key, address, record, 'store')) return memoryFull(request);
    return { status: 'ok', node: this.#options.node, meta, value: request.value };
  }

  #delete(request: DeleteRequest, key: SoughtKey, address: BlockAddress): Reply {
    const refusal = this.#changes.refusal;
    if (refusal !== undefined) return refusal;
    const broken = this.#refusal(request, address);
    if (broken !== undefined) return broken;
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
    if (end - start <= this.#bytesMax) return undefined;
    return failure('VALUE_TOO_LARGE', `the value is larger than ${this.#bytesMax} bytes`);
  }

  get #bytesMax(): number {
    return this.#options.valueBytesMax ?? VALUE_BYTES_MAX;
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

function memoryFull({ action, key }: Request): Failure {
  return failure('MEMORY_FULL', `unable to ${action} ${keyText(key)} key, the memory is full`);
}
