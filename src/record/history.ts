/**
 * The latest changes of what is watched, as keys in a ring. Nothing is kept for any watcher: it is a position
 * in the ring, and the state of a record is looked up when it is told.
 */

import { ownKey, type Key } from '../base/key.ts';
import { HISTORY_CHANGES_MAX, HISTORY_KEY_BYTES_MAX } from '../base/limits.ts';
import type { Timers } from '../base/timers.ts';
import type { Change, RemovalCause, Sink } from './change.ts';
import { isOfInterest, type Interest } from './interest.ts';
import { Topics, type Topic } from './topics.ts';

/** What happened to a record: the name of the event that tells it. */
export type HistoryKind = 'store' | RemovalCause;

/** The last that happened to a key. */
export interface HistoryEvent {
  readonly kind: HistoryKind;
  readonly key: Key;
}

/** What a watcher was told: changes, or that there were some which are forgotten. */
export type News = readonly HistoryEvent[] | 'behind';

/** What tells of its changes. */
export interface Changing {
  attach(sink: Sink): void;
  detach(sink: Sink): void;
}

/** Changes that are looked through before others get their turn. */
const CHANGES_PER_LOOK = 4096;

/** Follows a store as long as there is something to remember. */
export class History implements Sink {
  readonly #store: Changing;
  readonly #timers: Timers;
  readonly #topics: Topics<Watcher>;
  /** Undefined at the number of a change that nobody has seen. */
  readonly #changes: (HistoryEvent | undefined)[] = [];
  /** The number of the oldest change that is kept, and of the latest. */
  #first = 1;
  #head = 0;
  /** The latest change that watchers were told of. */
  #told = 0;
  #keyBytes = 0;
  /** Topics with changes that their watchers are to be told of when this turn is over. */
  #changed: Topic<Watcher>[] = [];

  constructor(store: Changing, timers: Timers) {
    this.#store = store;
    this.#timers = timers;
    this.#topics = new Topics(timers, () => this.#clear());
  }

  /** The number of the latest change that can be taken. */
  get latest(): number {
    return this.#told;
  }

  /** Takes note of a change. A partition that leaves is none: its records live on elsewhere. */
  apply(change: Change): void {
    if (change.kind === 'clear') return;
    const key = change.kind === 'put' ? change.record.key : change.key;
    const topics = this.#topics.of(key);
    if (topics.length === 0) return;
    this.#add({ kind: change.kind === 'put' ? 'store' : change.cause, key: ownKey(key) });
    // Once for all changes of a turn of the event loop.
    if (this.#changed.length === 0) this.#timers.soon(() => this.#tell());
    for (const topic of topics) {
      if (topic.newsAt !== undefined) continue;
      topic.newsAt = this.#head;
      this.#changed.push(topic);
    }
  }

  /** Whether everything of interest behind a change is remembered. */
  reaches(interest: Interest, after: number): boolean {
    return after <= this.#told && this.#topics.since(interest) <= after && this.keeps(after + 1);
  }

  /** Whether nothing from the change of this number on is forgotten. */
  keeps(number: number): boolean {
    return number >= this.#first;
  }

  /**
   * Watches from behind the change `after` on, or from now on; `onNews` is called when there is something
   * to take.
   */
  watch(interest: Interest, after: number | undefined, onNews: () => void): Watcher {
    // What has happened until now is not for this one.
    this.#tell();
    if (this.#topics.isEmpty) this.#store.attach(this);
    // Changes of what is not remembered yet have no number: so no position of before may count for it.
    if (this.#topics.since(interest) === Infinity) this.#add(undefined);
    this.#told = this.#head;
    const watcher = new Watcher(this, interest, after ?? this.#told, onNews);
    this.#topics.enter(interest, watcher, this.#told);
    return watcher;
  }

  /** Lets a watcher go. */
  leave(watcher: Watcher): void {
    this.#topics.leave(watcher.interest, watcher);
  }

  /** The change of this number, if it is kept and somebody has seen it. */
  at(number: number): HistoryEvent | undefined {
    return this.#changes[number % HISTORY_CHANGES_MAX];
  }

  /** Keeps nothing for those who may come back. */
  close(): void {
    this.#topics.close();
  }

  #add(event: HistoryEvent | undefined): void {
    this.#head++;
    this.#changes[this.#head % HISTORY_CHANGES_MAX] = event;
    this.#keyBytes += bytesOf(event);
    while (this.#isFull()) this.#forgetOldest();
  }

  #isFull(): boolean {
    const count = this.#head - this.#first + 1;
    return count > HISTORY_CHANGES_MAX - 1 || this.#keyBytes > HISTORY_KEY_BYTES_MAX;
  }

  #forgetOldest(): void {
    const at = this.#first % HISTORY_CHANGES_MAX;
    this.#keyBytes -= bytesOf(this.#changes[at]);
    this.#changes[at] = undefined;
    this.#first++;
  }

  #clear(): void {
    this.#store.detach(this);
    while (this.#first <= this.#head) this.#forgetOldest();
  }

  #tell(): void {
    this.#told = this.#head;
    const woken = new Set<Watcher>();
    for (const topic of this.#changed) {
      for (const watcher of topic.watchers) {
        watcher.note(topic.newsAt!);
        woken.add(watcher);
      }
      topic.newsAt = undefined;
    }
    this.#changed = [];
    for (const watcher of woken) watcher.onNews();
  }
}

function bytesOf(event: HistoryEvent | undefined): number {
  return event === undefined ? 0 : event.key.length;
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
    if (this.#nextAt !== undefined && this.#nextAt <= number) return;
    this.#goTo(number - 1);
  }

  /**
   * What happened to at most `keysMax` keys of interest, the last to each alone; may be nothing while
   * there is more.
   */
  take(keysMax: number): News {
    const history = this.#history;
    if (this.#nextAt === undefined) return [];
    if (!history.keeps(this.#nextAt)) {
      this.#goTo(history.latest);
      return 'behind';
    }
    const events = new Map<Key, HistoryEvent>();
    const end = Math.min(history.latest, this.#nextAt + CHANGES_PER_LOOK - 1);
    let number = this.#nextAt;
    for (; number <= end; number++) {
      const event = history.at(number);
      if (event === undefined || !isOfInterest(this.interest, event.key)) continue;
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
