/** The keys and prefixes that somebody watches, or has watched just now: what changes there is remembered. */

import { ownKey, type Key } from '../base/key.ts';
import { HISTORY_LINGER_MS, IDLE_TOPIC_BYTES, IDLE_TOPICS_BYTES_MAX } from '../base/limits.ts';
import type { Cancel, Timers } from '../base/timers.ts';
import type { Interest } from './interest.ts';
import { PrefixTree } from './prefix-tree.ts';

/** One key, or all that start with a prefix. */
export interface Topic<Who> {
  readonly name: Key;
  readonly isPrefix: boolean;
  /** Every change behind the one of this number is remembered. */
  readonly since: number;
  readonly watchers: Set<Who>;
  /** The first change that the watchers have not been told of. */
  newsAt: number | undefined;
}

/** Keeps a topic as long as somebody watches it, and a while longer for those who come back. */
export class Topics<Who> {
  readonly #timers: Timers;
  readonly #onEmpty: () => void;
  readonly #byKey = new Map<Key, Topic<Who>>();
  readonly #byPrefix = new PrefixTree<Topic<Who>>();
  #count = 0;
  /** Those that nobody watches, and when each is forgotten; who was left first comes first. */
  readonly #idle = new Map<Topic<Who>, number>();
  #idleBytes = 0;
  #stopTimer: Cancel | undefined;

  /** `onEmpty` is told when the last topic is forgotten. */
  constructor(timers: Timers, onEmpty: () => void) {
    this.#timers = timers;
    this.#onEmpty = onEmpty;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** The topics of a key. */
  of(key: Key): readonly Topic<Who>[] {
    const ofPrefixes = this.#byPrefix.along(key);
    const named = this.#byKey.size === 0 ? undefined : this.#byKey.get(key);
    return named === undefined ? ofPrefixes : [...ofPrefixes, named];
  }

  /** The number behind which every change of interest is remembered; `Infinity` where some are not at all. */
  since({ keys, prefixes }: Interest): number {
    const ofKeys = keys.map((key) => earliest(this.of(key)));
    const ofPrefixes = prefixes.map((prefix) => earliest(this.#byPrefix.along(prefix)));
    return Math.max(0, ...ofKeys, ...ofPrefixes);
  }

  /** Adds somebody who watches; topics that are new are remembered behind the change `latest`. */
  enter({ keys, prefixes }: Interest, who: Who, latest: number): void {
    const enter = (topic: Topic<Who>): void => {
      topic.watchers.add(who);
      this.#endIdle(topic);
    };
    for (const key of keys) enter(this.#byKey.get(key) ?? this.#make(key, false, latest));
    for (const prefix of prefixes) {
      enter(this.#byPrefix.get(prefix) ?? this.#make(prefix, true, latest));
    }
  }

  /** Lets somebody go; harmless when called twice. */
  leave({ keys, prefixes }: Interest, who: Who): void {
    const leave = (topic: Topic<Who> | undefined): void => {
      if (topic?.watchers.delete(who) === true && topic.watchers.size === 0) this.#beginIdle(topic);
    };
    for (const key of keys) leave(this.#byKey.get(key));
    for (const prefix of prefixes) leave(this.#byPrefix.get(prefix));
  }

  /** Lets nothing happen any more. */
  close(): void {
    this.#stopTimer?.();
    this.#stopTimer = () => {};
  }

  #make(name: Key, isPrefix: boolean, latest: number): Topic<Who> {
    // What a shorter prefix remembers counts for the longer one too.
    const since = Math.min(latest, earliest(isPrefix ? this.#byPrefix.along(name) : this.of(name)));
    const topic = {
      name: ownKey(name),
      isPrefix,
      since,
      watchers: new Set<Who>(),
      newsAt: undefined,
    };
    if (isPrefix) this.#byPrefix.set(name, topic);
    else this.#byKey.set(name, topic);
    this.#count++;
    return topic;
  }

  #beginIdle(topic: Topic<Who>): void {
    this.#idle.set(topic, this.#timers.nowMs() + HISTORY_LINGER_MS);
    this.#idleBytes += sizeOf(topic);
    for (const [first] of this.#idle) {
      if (this.#idleBytes <= IDLE_TOPICS_BYTES_MAX) break;
      this.#forget(first);
    }
    this.#stopTimer ??= this.#timers.after(HISTORY_LINGER_MS, () => this.#forgetDue());
  }

  #endIdle(topic: Topic<Who>): void {
    if (this.#idle.delete(topic)) this.#idleBytes -= sizeOf(topic);
  }

  #forgetDue(): void {
    const nowMs = this.#timers.nowMs();
    this.#stopTimer = undefined;
    for (const [topic, dueMs] of this.#idle) {
      if (dueMs > nowMs) {
        this.#stopTimer = this.#timers.after(dueMs - nowMs, () => this.#forgetDue());
        return;
      }
      this.#forget(topic);
    }
  }

  #forget(topic: Topic<Who>): void {
    this.#endIdle(topic);
    if (topic.isPrefix) this.#byPrefix.delete(topic.name);
    else this.#byKey.delete(topic.name);
    this.#count--;
    if (this.#count === 0) this.#onEmpty();
  }
}

function earliest(topics: readonly Topic<unknown>[]): number {
  return Math.min(Infinity, ...topics.map(({ since }) => since));
}

function sizeOf({ name }: Topic<unknown>): number {
  return IDLE_TOPIC_BYTES + name.length;
}
