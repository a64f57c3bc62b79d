/** Watching the changes of this node's store, and of other members', from any node. */

import { failure, type Failure } from '../base/errors.ts';
import { HISTORY_LINGER_MS, WATCHERS_MAX } from '../base/limits.ts';
import { partitionOf } from '../base/partition.ts';
import type { Cancel, Timers } from '../base/timers.ts';
import type { Sink } from '../record/change.ts';
import { History, type HistoryEvent, type Watcher } from '../record/history.ts';
import type { Interest } from '../record/interest.ts';
import type { NodeRef } from '../record/reply.ts';
import type { LostEvent, Watch, WatchEvent, WatchQuery } from '../record/watch.ts';
import type { RecordCopy } from '../store/transfer.ts';
import { decodePosition, encodePosition, lifeOf, type Place } from './position.ts';

/** The store of this node, as far as it is watched. */
export interface WatchedStore {
  attach(sink: Sink): void;
  detach(sink: Sink): void;
  readonly transfer: { copy(key: HistoryEvent['key'], partition: number): RecordCopy | undefined };
}

export interface WatchingOptions {
  readonly self: NodeRef;
  readonly partitions: number;
  readonly store: WatchedStore;
  readonly timers: Timers;
}

/** What happens at one member, for one client. */
interface Source {
  readonly member: string;
  /** Where it stands; undefined as long as that is not known. */
  readonly place: Place | undefined;
  readonly hasNews: boolean;
  take(eventsMax: number): readonly WatchEvent[];
  close(): void;
}

/** Keeps a history as long as somebody watches, and a while longer. */
export class Watching {
  readonly #options: WatchingOptions;
  readonly #history: History;
  #watchers = 0;
  #isAttached = false;
  #stopLinger: Cancel | undefined;

  constructor(options: WatchingOptions) {
    this.#options = options;
    this.#history = new History(options.timers);
  }

  /** Begins to watch; `onNews` is called when there is something to take, later and more than once. */
  watch(query: WatchQuery, onNews: () => void): Watch | Failure {
    const { self } = this.#options;
    const since =
      query.since === undefined ? new Map<string, Place>() : decodePosition(query.since);
    if (since === undefined) {
      return failure('INVALID_PARAMETER', 'since is not a position that a watch gave out');
    }
    if (this.#watchers >= WATCHERS_MAX) return failure('OVERLOADED', 'too many are watching');
    const start = query.since === undefined ? 'now' : since.get(self.addr);
    const source = this.#here(query, start, onNews);
    return new MergedWatch([source]);
  }

  /** What happens here; `start` is undefined for a client that has watched, but not here. */
  #here(
    { interest, values }: Pick<WatchQuery, 'interest' | 'values'>,
    start: Place | 'now' | undefined,
    onNews: () => void,
  ): Source {
    this.#enter();
    const { self, partitions, store } = this.#options;
    return new LocalSource({
      self,
      history: this.#history,
      interest,
      start,
      onNews,
      stateOf: (key) => {
        const copy = store.transfer.copy(key, partitionOf(key, partitions));
        if (copy === undefined) return undefined;
        const { meta, value } = copy;
        return { kind: 'store', key, meta, value: values ? value : undefined };
      },
      onClose: () => this.#leave(),
    });
  }

  #enter(): void {
    this.#watchers++;
    this.#stopLinger?.();
    if (this.#isAttached) return;
    this.#isAttached = true;
    this.#options.store.attach(this.#history);
  }

  #leave(): void {
    this.#watchers--;
    if (this.#watchers > 0) return;
    this.#stopLinger = this.#options.timers.after(HISTORY_LINGER_MS, () => {
      this.#isAttached = false;
      this.#options.store.detach(this.#history);
      this.#history.interrupt();
    });
  }
}

interface LocalOptions {
  readonly self: NodeRef;
  readonly history: History;
  readonly interest: Interest;
  readonly start: Place | 'now' | undefined;
  readonly onNews: () => void;
  /** The event that tells of a record as it is now; undefined if there is none. */
  readonly stateOf: (key: HistoryEvent['key']) => WatchEvent | undefined;
  readonly onClose: () => void;
}

/** What happens at this node. */
class LocalSource implements Source {
  readonly member: string;
  readonly #options: LocalOptions;
  readonly #life: string;
  readonly #watcher: Watcher;
  #lost: LostEvent['reason'] | undefined;
  #isClosed = false;

  constructor(options: LocalOptions) {
    const { self, history, interest, start, onNews } = options;
    this.member = self.addr;
    this.#options = options;
    this.#life = lifeOf(self.id);
    let after = history.latest;
    if (start === undefined || (start !== 'now' && start.life !== this.#life)) {
      this.#lost = 'restarted';
    } else if (start !== 'now') {
      if (history.reaches(start.number)) after = start.number;
      else this.#lost = 'behind';
    }
    this.#watcher = history.watch(interest, after, onNews);
  }

  get place(): Place {
    return { life: this.#life, number: this.#watcher.position };
  }

  get hasNews(): boolean {
    return this.#lost !== undefined || this.#watcher.hasNews;
  }

  take(eventsMax: number): readonly WatchEvent[] {
    if (this.#lost !== undefined) {
      const reason = this.#lost;
      this.#lost = undefined;
      return [{ kind: 'lost', member: this.member, reason }];
    }
    const news = this.#watcher.take(eventsMax);
    if (news === 'behind') return [{ kind: 'lost', member: this.member, reason: 'behind' }];
    return news.flatMap(({ kind, key }) => {
      // One that is gone by now is told as gone, next.
      return kind === 'store' ? (this.#options.stateOf(key) ?? []) : { kind, key };
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watcher.close();
    this.#options.onClose();
  }
}

/** Several sources as one watch. */
class MergedWatch implements Watch {
  readonly #sources: readonly Source[];
  #isReady = false;

  constructor(sources: readonly Source[]) {
    this.#sources = sources;
  }

  get position(): string {
    const places = new Map<string, Place>();
    for (const { member, place } of this.#sources) {
      if (place !== undefined) places.set(member, place);
    }
    return encodePosition(places);
  }

  get hasNews(): boolean {
    return this.#becomesReady || this.#sources.some(({ hasNews }) => hasNews);
  }

  take(eventsMax: number): readonly WatchEvent[] {
    if (this.#becomesReady) {
      this.#isReady = true;
      return [{ kind: 'ready', members: this.#sources.length }];
    }
    const source = this.#sources.find(({ hasNews }) => hasNews);
    return source?.take(eventsMax) ?? [];
  }

  close(): void {
    for (const source of this.#sources) source.close();
  }

  get #becomesReady(): boolean {
    return !this.#isReady && this.#sources.every(({ place }) => place !== undefined);
  }
}
