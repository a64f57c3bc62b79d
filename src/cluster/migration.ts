/** Migration: moves the records of partitions from their old owners to their new ones, while they are served. */

import type { Clock } from '../base/clock.ts';
import { Deferred } from '../base/deferred.ts';
import { failure, type Failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import { MIRROR_WAIT_MS, MOVE_WAIT_MS, STREAM_REST_MAX_MS } from '../base/limits.ts';
import { partitionOf } from '../base/partition.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Timers } from '../base/timers.ts';
import type { StreamUser } from '../peer/host.ts';
import type { RecordPiece } from '../peer/record-piece.ts';
import type { RecordStream, StreamTarget } from '../peer/record-stream.ts';
import type { Change, Sink } from '../record/change.ts';
import type { Transfer } from '../store/transfer.ts';
import { Giving } from './giving.ts';
import type { HandoverEvent } from './handover.ts';
import { Receiving } from './receiving.ts';
import type { Moves } from './router.ts';
import { isPlanOf, type Plan, type Progress } from './told.ts';
import { Topology } from './topology.ts';

/** The store whose records move. */
export interface MigratingStore {
  readonly transfer: Transfer;
  attach(sink: Sink): void;
  detach(sink: Sink): void;
}

export interface MigrationOptions {
  readonly self: string;
  readonly partitions: number;
  readonly store: MigratingStore;
  readonly scheduler: Scheduler;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly openStream: (target: StreamTarget, onClose: (reason: string) => void) => RecordStream;
  /** Tells what has happened to whoever decides. */
  readonly happen: (event: HandoverEvent) => void;
}

/** What has moved away is dropped for about so long at a time, and then rested so many times as long. */
const DROP_ROUND_MS = 1;
const RESTS_PER_DROP = 4;

/** What one handover moves from and to this node. */
interface Move {
  readonly plan: Plan;
  readonly topology: Topology;
  readonly givings: readonly Giving[];
  /** By partition. */
  readonly givingOf: ReadonlyMap<number, Giving>;
  readonly receivings: Map<string, Receiving>;
  /** Resolves when it is aborted, with true, or committed. */
  readonly end: Deferred<boolean>;
  isCommitted: boolean;
}

export class Migration implements Sink, Moves {
  readonly #options: MigrationOptions;
  #move: Move | undefined;
  /** The writes that are being mirrored, by key. */
  readonly #mirrors = new Map<Key, Promise<unknown>>();
  /** Resolves when what has left this node is dropped. */
  #dropped: Promise<void> = Promise.resolve();

  constructor(options: MigrationOptions) {
    this.#options = options;
  }

  /** How far this node's own copies are; null while it has none to make. */
  get progress(): Progress | null {
    const givings = this.#move?.givings ?? [];
    if (givings.length === 0) return null;
    const sum = (of: (giving: Giving) => number): number =>
      givings.reduce((total, giving) => total + of(giving), 0);
    return {
      partitions: sum(({ partitions }) => partitions.length),
      partitionsDone: sum(({ partitionsDone }) => partitionsDone),
      bytes: sum(({ bytes }) => bytes),
      bytesDone: sum(({ bytesDone }) => bytesDone),
    };
  }

  /** Gets ready for a plan that was agreed to: what others copy here is taken from now on. */
  prepare(plan: Plan): void {
    const { self, partitions } = this.#options;
    const topology = new Topology(plan.next, partitions);
    const givings = [...topology.movesFrom(self)].map(
      ([taker, moving]) => new Giving(taker, plan, moving, this.#options),
    );
    const givingOf = new Map(
      givings.flatMap((giving) =>
        giving.partitions.map((partition) => [partition, giving] as const),
      ),
    );
    const end = new Deferred<boolean>();
    this.#move = {
      plan,
      topology,
      givings,
      givingOf,
      receivings: new Map(),
      end,
      isCommitted: false,
    };
  }

  /** Begins to copy, and to mirror what is written. */
  async copy(plan: Plan): Promise<void> {
    const move = this.#moveOf(plan);
    if (move === undefined || move.givings.length === 0) return;
    this.#options.store.attach(this);
    const copies = await Promise.all(move.givings.map((giving) => giving.copy()));
    if (this.#move !== move || move.isCommitted) return;
    if (copies.every((isWhole) => isWhole)) this.#options.happen({ kind: 'copied' });
  }

  /** Stops, as if nothing had been; what has come is dropped. */
  abort(plan: Plan, reason: string): void {
    const move = this.#moveOf(plan);
    if (move === undefined) return;
    this.#move = undefined;
    this.#options.store.detach(this);
    for (const giving of move.givings) giving.close(reason);
    for (const receiving of move.receivings.values()) receiving.abort();
    const received = [...move.receivings.values()].flatMap(({ touched }) => [...touched]);
    this.#release(move);
    void this.#drop(received);
    move.end.resolve(true);
  }

  /** The topology holds: ends the streams to the new owners, whom what moves belongs to now. */
  commit(plan: Plan): void {
    const move = this.#moveOf(plan);
    if (move === undefined) return;
    move.isCommitted = true;
    move.end.resolve(false);
    this.#release(move);
    void this.#giveAll(move);
  }

  /** Drops what is here of partitions that are others', as after a restart with records on disk. */
  dropOthers(topology: Topology): void {
    const { self, partitions } = this.#options;
    const isOthers = (partition: number): boolean =>
      topology.members[topology.ownerOf(partition)] !== self;
    void this.#drop([...Array(partitions).keys()].filter(isOthers));
  }

  /** Whether a stream comes from an old owner. */
  isReceiving(giver: string): boolean {
    return this.#move?.receivings.get(giver)?.isOver === false;
  }

  /** Takes a stream from an old owner; a text refuses it. */
  receive(giver: string, life: string, about: string): StreamUser | string {
    const move = this.#move;
    if (move === undefined || about !== Giving.about(move.plan)) {
      return 'this node has not agreed to what the stream is about';
    }
    if (move.plan.next.lives[giver] !== life) return 'the stream is not from who has agreed';
    if (move.receivings.has(giver)) return 'there is a stream from there already';
    const { self, partitions, happen, store, clock } = this.#options;
    const { epoch } = move.plan.next;
    const { topology } = move;
    // What an earlier life or handover left here must not show up again between what comes.
    const coming = topology.movesFrom(giver).get(self) ?? [];
    const receiving = new Receiving({
      transfer: store.transfer,
      clock,
      dropped: this.#drop(coming),
      isExpected: (partition, key) =>
        topology.giverOf(partition) === giver &&
        topology.members[topology.ownerOf(partition)] === self &&
        partitionOf(key, partitions) === partition,
      onEnd: (isWhole, reason) => {
        if (isWhole) return happen({ kind: 'ended', address: giver, life, epoch });
        if (this.#move !== move) return;
        happen({ kind: 'failed', reason: `the stream from ${giver} broke off: ${reason}` });
        happen({ kind: 'broken', address: giver });
      },
    });
    move.receivings.set(giver, receiving);
    return receiving;
  }

  /** A request waits for the mirror of a write before it, and where mirrors are in doubt for an end of that. */
  hold(key: Key, partition: number): Promise<unknown> | undefined {
    const move = this.#move;
    if (this.areOver || move === undefined) return undefined;
    const mirror = this.#mirrors.get(key);
    if (mirror !== undefined) return mirror;
    return move.givingOf.get(partition)?.isBroken === true ? move.end.promise : undefined;
  }

  get areOver(): boolean {
    return this.#move === undefined || this.#move.isCommitted;
  }

  apply(change: Change): void | Promise<Failure | undefined> {
    const move = this.#move;
    if (move === undefined || move.isCommitted || change.kind === 'clear') return undefined;
    const giving = move.givingOf.get(change.partition);
    if (giving === undefined || !giving.hasBegun(change.partition)) return undefined;
    const piece = this.#pieceOf(change);
    if (piece === undefined) return undefined;
    const mirrored = giving.mirror(piece);
    const isAsked = change.kind === 'put' || change.cause === 'delete';
    if (!isAsked) return undefined;
    const key = change.kind === 'put' ? change.record.key : change.key;
    const outcome = this.#outcomeOf(giving, move, mirrored);
    this.#mirrors.set(key, outcome);
    // Before those go on who wait for it.
    void outcome.finally(() => {
      if (this.#mirrors.get(key) === outcome) this.#mirrors.delete(key);
    });
    return outcome;
  }

  #moveOf(plan: Plan): Move | undefined {
    const move = this.#move;
    return move !== undefined && isPlanOf(plan, move.plan.next) ? move : undefined;
  }

  /** What a mirror says; an expired record is gone there by itself, in time. */
  #pieceOf(change: Exclude<Change, { kind: 'clear' }>): RecordPiece | undefined {
    const { partition } = change;
    if (change.kind === 'remove') {
      const { cause, key } = change;
      return cause === 'expire' ? undefined : { kind: 'remove', cause, partition, key };
    }
    if (change.cause === 'arrive') return undefined;
    const { deadline, ...record } = change.record;
    const leftUs = deadline - this.#options.clock();
    return { kind: 'put', cause: 'mirror', partition, ...record, leftUs: Math.max(leftUs, 0) };
  }

  /**
   * A write that was not mirrored is done all the same where the handover is aborted; so a new owner
   * that does not confirm it in time costs the handover, not the write.
   */
  async #outcomeOf(
    giving: Giving,
    move: Move,
    mirrored: Promise<boolean>,
  ): Promise<Failure | undefined> {
    const { happen } = this.#options;
    const fate = mirrored.then((isThere) => isThere || move.end.promise);
    const isSafe = Promise.race([fate, move.end.promise.then((isAborted) => isAborted || fate)]);
    let outcome = await this.#within(isSafe, MIRROR_WAIT_MS);
    if (outcome === undefined) {
      happen({ kind: 'failed', reason: `${giving.taker} does not confirm what is written` });
      outcome = await this.#within(isSafe, MOVE_WAIT_MS - MIRROR_WAIT_MS);
    }
    return outcome === true ? undefined : IN_DOUBT;
  }

  /** What a promise gives, undefined if it takes longer. */
  async #within(promise: Promise<boolean>, ms: number): Promise<boolean | undefined> {
    const over = new Deferred<undefined>();
    const cancel = this.#options.timers.after(ms, () => over.resolve(undefined));
    const outcome = await Promise.race([promise, over.promise]);
    cancel();
    return outcome;
  }

  /** Ends the streams, and drops what has moved away once the new owners have it. */
  async #giveAll(move: Move): Promise<void> {
    const { happen, store } = this.#options;
    const takers = move.givings.map(async (giving) => {
      await giving.end();
      happen({ kind: 'given', address: giving.taker });
    });
    await Promise.all(takers);
    await this.#drop([...move.givingOf.keys()]);
    store.detach(this);
    if (this.#move === move && move.receivings.size === 0) this.#move = undefined;
  }

  /** What has come is like any other record now, to eviction and to what clients store. */
  #release(move: Move): void {
    for (const receiving of move.receivings.values()) receiving.release();
  }

  #drop(partitions: readonly number[]): Promise<void> {
    this.#dropped = this.#dropped.then(() => this.#dropAll(partitions));
    return this.#dropped;
  }

  /** Only what comes again to the same partitions waits for it: requests have the machine in its rests. */
  async #dropAll(partitions: readonly number[]): Promise<void> {
    const { scheduler, store, timers } = this.#options;
    const lane = scheduler.enterUpkeep();
    let startMs = timers.nowMs();
    for (const partition of partitions) {
      if (store.transfer.count(partition) === 0) continue;
      for (const _ of store.transfer.drop(partition)) await lane.share();
      const tookMs = timers.nowMs() - startMs;
      if (tookMs < DROP_ROUND_MS) continue;
      const restMs = Math.min(tookMs * RESTS_PER_DROP, STREAM_REST_MAX_MS);
      await new Promise<void>((resolve) => void timers.after(restMs, resolve));
      startMs = timers.nowMs();
    }
  }
}

const IN_DOUBT = failure(
  'OUTCOME_UNKNOWN',
  'the write was done, but may be lost: the new owner of the key has not confirmed it',
);
