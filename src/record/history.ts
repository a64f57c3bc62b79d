/**
 * The latest changes of a store, as keys in a ring, for those who watch. Nothing is kept for any of them:
 * a watcher is a position in the ring, and the state of a record is looked up when it is told.
 */

import type { Key } from '../base/key.ts';
import { HISTORY_CHANGES_MAX, HISTORY_KEY_BYTES_MAX } from '../base/limits.ts';
import type { Timers } from '../base/timers.ts';
import type { Change, RemovalCause, Sink } from './change.ts';
import { InterestIndex, isOfInterest, type Interest } from './interest.ts';

/** What happened to a record: the name of the event that tells it. */
export type HistoryKind = 'store' | RemovalCause;

/** The last that happened to a key. */
export interface HistoryEvent {
  readonly kind: HistoryKind;
  readonly key: Key;
}

/** What a watcher was told: changes, or that there were some which are forgotten. */
export type News = readonly HistoryEvent[] | 'behind';

/** Changes that are looked through before others get their turn. */
const CHANGES_PER_LOOK = 4096;

export class History implements Sink {
  readonly #timers: Timers;
  readonly #watchers = new Set<Watcher>();
  readonly #interests = new InterestIndex<Watcher>();
  readonly #changes: (HistoryEvent | undefined)[] = [];
  /** The number of the oldest change that is kept, and of the latest. */
  #first = 1;
  #head = 0;
  /** The latest change that watchers were told of. */
  #told = 0;
  #keyBytes = 0;
  #isTelling = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** The number of the latest change that can be taken. */
  get latest(): number {
    return this.#told;
  }

  /** Takes note of a change. A partition that leaves is none: its records live on elsewhere. */
  apply(change: Change): void {
    if (change.kind === 'clear') return;
    const event: HistoryEvent =
      change.kind === 'put'
        ? { kind: 'store', key: change.record.key }
        : { kind: change.cause, key: change.key };
    this.#head++;
    this.#changes[this.#head % HISTORY_CHANGES_MAX] = event;
    this.#keyBytes += event.key.length;
    while (this.#isFull()) this.#forgetOldest();
    if (this.#isTelling) return;
    // Once for all changes of a turn of the event loop.
    this.#isTelling = true;
    this.#timers.soon(() => this.#tell());
  }

  /** Forgets everything, also that there was nothing since: whoever comes back is behind. */
  interrupt(): void {
    while (this.#first <= this.#head) this.#forgetOldest();
    // A change that nobody has seen.
    this.#head++;
    this.#first = this.#head + 1;
    this.#told = this.#head;
  }

  /** Watches from behind the change `after` on; `onNews` is called when there is something to take. */
  watch(interest: Interest, after: number, onNews: () => void): Watcher {
    const watcher = new Watcher(this, interest, after, onNews);
    this.#watchers.add(watcher);
    this.#interests.add(interest, watcher);
    return watcher;
  }

  /** Lets a watcher go. */
  leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    this.#interests.remove(watcher.interest, watcher);
  }

  /** The change of this number; undefined if it is forgotten. */
  at(number: number): HistoryEvent | undefined {
    return number < this.#first ? undefined : this.#changes[number % HISTORY_CHANGES_MAX];
  }

  /** Whether everything behind this change is still there. */
  reaches(after: number): boolean {
    return after >= this.#first - 1 && after <= this.#told;
  }

  #isFull(): boolean {
    const count = this.#head - this.#first + 1;
    return count > HISTORY_CHANGES_MAX - 1 || this.#keyBytes > HISTORY_KEY_BYTES_MAX;
  }

  #forgetOldest(): void {
    const at = this.#first % HISTORY_CHANGES_MAX;
    this.#keyBytes -= this.#changes[at]!.key.length;
    this.#changes[at] = undefined;
    this.#first++;
  }

  #tell(): void {
    this.#isTelling = false;
    const woken = new Set<Watcher>();
    const from = this.#told + 1;
    this.#told = this.#head;
    // What is forgotten already may have been of interest to anybody.
    if (from < this.#first) for (const watcher of this.#watchers) this.#wake(watcher, from, woken);
    for (let number = Math.max(from, this.#first); number <= this.#told; number++) {
      for (const watcher of this.#interests.of(this.at(number)!.key)) {
        this.#wake(watcher, number, woken);
      }
    }
    for (const watcher of woken) watcher.onNews();
  }

  #wake(watcher: Watcher, number: number, woken: Set<Watcher>): void {
    if (woken.has(watcher)) return;
    woken.add(watcher);
    watcher.note(number);
  }
}

/** One who watches. */
export class Watcher {
  readonly interest: Interest;
  readonly onNews: () => void;
  readonly #history: History;
  #position: number;
  /** The first change that may be of interest; undefined if none is since the position. */
  #nextAt: number | undefined;

  /** Made by {@link History.watch}. */
  constructor(history: History, interest: Interest, after: number, onNews: () => void) {
    this.#history = history;
    this.interest = interest;
    this.onNews = onNews;
    this.#position = after;
    if (after !== history.latest) this.#nextAt = after + 1;
  }

  /** The change up to which everything is taken. */
  get position(): number {
    return this.#nextAt === undefined ? this.#history.latest : this.#position;
  }

  /** Whether there may be something to take. */
  get hasNews(): boolean {
    return this.#nextAt !== undefined;
  }

  /** Takes note that the change of this number is of interest. */
  note(number: number): void {
    if (this.#nextAt !== undefined) return;
    this.#nextAt = number;
    this.#position = number - 1;
  }

  /**
   * What happened to at most `keysMax` keys of interest, the last to each alone; may be nothing while
   * there is more.
   */
  take(keysMax: number): News {
    const history = this.#history;
    if (this.#nextAt === undefined) return [];
    if (!history.reaches(this.#nextAt - 1)) {
      this.#goTo(history.latest);
      return 'behind';
    }
    const events = new Map<Key, HistoryEvent>();
    const end = Math.min(history.latest, this.#nextAt + CHANGES_PER_LOOK - 1);
    let number = this.#nextAt;
    for (; number <= end; number++) {
      const event = history.at(number)!;
      if (!isOfInterest(this.interest, event.key)) continue;
      if (events.size === keysMax && !events.has(event.key)) break;
      // In the order of what happened last.
      events.delete(event.key);
      events.set(event.key, event);
    }
    this.#goTo(number - 1);
    return [...events.values()];
  }

  close(): void {
    this.#history.leave(this);
  }

  #goTo(number: number): void {
    this.#position = number;
    this.#nextAt = number === this.#history.latest ? undefined : number + 1;
  }
}
