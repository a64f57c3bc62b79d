/** The sources of a watch: what happens at this node, and at each of the others, for one client. */

import { isFailure, type Failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import { WATCH_RETRY_MS } from '../base/limits.ts';
import type { Cancel, Timers } from '../base/timers.ts';
import { eventBytesMax, type WatchPageQuery } from '../peer/watch.ts';
import type { History, Watcher } from '../record/history.ts';
import type { Interest } from '../record/interest.ts';
import type { LostEvent, StoreEvent, WatchEvent, WatchPage, WatchPlace } from '../record/watch.ts';
import { lifeOf } from './position.ts';

/** What happens at one member, for one client. */
export interface Source {
  readonly member: string;
  /** Where it stands; undefined as long as that is not known. */
  readonly place: WatchPlace | undefined;
  readonly hasNews: boolean;
  take(eventsMax: number): readonly WatchEvent[];
  close(): void;
}

/** Where to begin: now, behind a place, or nowhere, for a client that has watched, but not there. */
export type Start = 'now' | WatchPlace | 'unknown';

interface LocalOptions {
  readonly member: string;
  readonly life: string;
  readonly history: History;
  readonly interest: Interest;
  readonly start: Start;
  readonly onNews: () => void;
  /** The event that tells of a record as it is now; undefined if there is none. */
  readonly stateOf: (key: Key) => StoreEvent | undefined;
  readonly onClose: () => void;
}

/** What happens at this node. */
export class LocalSource implements Source {
  readonly member: string;
  readonly #options: LocalOptions;
  readonly #life: string;
  readonly #watcher: Watcher;
  /** Where the client was when it came, if that is known. */
  readonly #startPlace: WatchPlace | undefined;
  #lost: 'behind' | 'restarted' | undefined;
  #isClosed = false;

  constructor(options: LocalOptions) {
    const { history, interest, start, onNews } = options;
    this.member = options.member;
    this.#options = options;
    this.#life = lifeOf(options.life);
    this.#startPlace = typeof start === 'string' ? undefined : start;
    let after: number | undefined;
    if (start === 'unknown' || (start !== 'now' && start.life !== this.#life)) {
      this.#lost = 'restarted';
    } else if (start !== 'now') {
      if (history.reaches(interest, start.number)) after = start.number;
      else this.#lost = 'behind';
    }
    this.#watcher = history.watch(interest, after, onNews);
  }

  get place(): WatchPlace | undefined {
    // Who goes away before it was told comes back to be told.
    return this.#lost === undefined ? this.reached : this.#startPlace;
  }

  /** Where it stands when all that is lost has been told. */
  get reached(): WatchPlace {
    return { life: this.#life, number: this.#watcher.position };
  }

  get hasNews(): boolean {
    return this.#lost !== undefined || this.#watcher.hasNews;
  }

  take(eventsMax: number): readonly WatchEvent[] {
    const news = this.#lost ?? this.#watcher.take(eventsMax);
    this.#lost = undefined;
    if (typeof news === 'string') return [{ kind: 'lost', member: this.member, reason: news }];
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

interface RemoteOptions {
  readonly member: string;
  /** Asks the member; a failure if it cannot be asked. */
  readonly ask: (query: WatchPageQuery) => Promise<WatchPage | Failure>;
  readonly query: Pick<WatchPageQuery, 'interest' | 'values'>;
  readonly start: Start;
  readonly timers: Timers;
  readonly onNews: () => void;
  /** The bytes that wait for clients, of all of them together. */
  readonly held: HeldBytes;
}

/** Bytes that wait for clients. */
export interface HeldBytes {
  bytes: number;
  readonly isTooMuch: boolean;
}

/** What happens at another member: it is asked again and again, when what it answered is taken. */
export class RemoteSource implements Source {
  readonly member: string;
  readonly #options: RemoteOptions;
  /** What is to be taken, and where it then stands. */
  #events: WatchEvent[] = [];
  #place: WatchPlace | undefined;
  #nextPlace: WatchPlace | undefined;
  #heldBytes = 0;
  #isReached = true;
  #isClosed = false;
  #stopRetry: Cancel | undefined;

  constructor(options: RemoteOptions) {
    this.member = options.member;
    this.#options = options;
    const { start } = options;
    if (start === 'unknown') this.#tellLost('restarted');
    else if (start !== 'now') this.#nextPlace = start;
    this.#place = this.#nextPlace;
    void this.#ask();
  }

  get place(): WatchPlace | undefined {
    return this.#place;
  }

  get hasNews(): boolean {
    return this.#events.length > 0;
  }

  take(eventsMax: number): readonly WatchEvent[] {
    const taken = this.#events.splice(0, eventsMax);
    if (this.#events.length === 0) this.#onTaken();
    return taken;
  }

  close(): void {
    this.#isClosed = true;
    this.#stopRetry?.();
    this.#hold(0);
  }

  #onTaken(): void {
    const isNew = this.#place !== this.#nextPlace;
    this.#place = this.#nextPlace;
    this.#hold(0);
    // What was told without an answer leaves the question under way.
    if (isNew) void this.#ask();
  }

  async #ask(): Promise<void> {
    const { ask, query, held } = this.#options;
    if (this.#isClosed) return;
    if (held.isTooMuch) return this.#askLater();
    const answer = await ask({ ...query, since: this.#nextPlace });
    if (this.#isClosed) return;
    if (isFailure(answer)) this.#onUnreached();
    else this.#onPage(answer);
  }

  #askLater(): void {
    this.#stopRetry = this.#options.timers.after(WATCH_RETRY_MS, () => void this.#ask());
  }

  #onUnreached(): void {
    // Once: what then happens there is told when it is reached again, if it is not forgotten.
    if (this.#isReached) this.#tellLost('unreachable');
    this.#isReached = false;
    this.#askLater();
  }

  #onPage({ place, lost, events }: WatchPage): void {
    const isFirst = this.#place === undefined;
    this.#isReached = true;
    this.#nextPlace = place;
    if (lost !== undefined) this.#tellLost(lost);
    this.#events.push(...events);
    this.#hold(events.reduce((bytes, event) => bytes + eventBytesMax(event), 0));
    if (this.#events.length === 0) this.#onTaken();
    if (isFirst || this.#events.length > 0) this.#options.onNews();
  }

  #tellLost(reason: LostEvent['reason']): void {
    this.#events.push({ kind: 'lost', member: this.member, reason });
    this.#options.onNews();
  }

  #hold(bytes: number): void {
    this.#options.held.bytes += bytes - this.#heldBytes;
    this.#heldBytes = bytes;
  }
}
