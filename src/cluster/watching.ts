/** Watching the changes of this node's store and of other members', from any node. */

import { failure, type Failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import {
  CLUSTER_WATCHERS_MAX,
  WATCH_HELD_BYTES_MAX,
  WATCH_HOLD_MS,
  WATCH_PAGE_BYTES_MAX,
  WATCHERS_MAX,
} from '../base/limits.ts';
import { partitionOf } from '../base/partition.ts';
import type { Timers } from '../base/timers.ts';
import { eventBytesMax, type WatchPageQuery } from '../peer/watch.ts';
import { History, type Changing } from '../record/history.ts';
import { asKept, type ByteRange, type KeptBytes, type NodeRef } from '../record/reply.ts';
import type {
  StoreEvent,
  Watch,
  WatchEvent,
  WatchPage,
  WatchPlace,
  WatchQuery,
} from '../record/watch.ts';
import type { Transfer } from '../store/transfer.ts';
import { decodePosition, encodePosition } from './position.ts';
import {
  LocalSource,
  RemoteSource,
  type HeldBytes,
  type Source,
  type Start,
} from './watch-source.ts';

/** The store of this node, as far as it is watched. */
export interface WatchedStore extends Changing {
  readonly transfer: Pick<Transfer, 'copy' | 'lend'>;
}

/** Another member, as far as it is watched. */
interface WatchedMember {
  watch(query: WatchPageQuery): Promise<WatchPage | Failure>;
}

export interface WatchingOptions {
  readonly self: NodeRef;
  /** Tells this life of the node from others; begins with hexadecimal digits. */
  readonly life: string;
  readonly partitions: number;
  readonly store: WatchedStore;
  readonly timers: Timers;
}

/** Who watches here, and what they hear of. */
export class Watching {
  readonly #options: WatchingOptions;
  readonly #history: History;
  /** The other members, by their addresses. */
  #others: ReadonlyMap<string, WatchedMember> = new Map();
  /** Those who watch all members. */
  readonly #ofAll = new Set<MergedWatch>();
  readonly #held: HeldBytes = {
    bytes: 0,
    get isTooMuch() {
      return this.bytes > WATCH_HELD_BYTES_MAX;
    },
  };
  #watchers = 0;

  constructor(options: WatchingOptions) {
    this.#options = options;
    this.#history = new History(options.store, options.timers);
  }

  /** Who watches here: clients, and other members for theirs. */
  get count(): number {
    return this.#watchers;
  }

  /** Keeps nothing for those who may come back. */
  close(): void {
    this.#history.close();
  }

  /** Watches these other members from now on, also for those who watch already. */
  adopt(others: ReadonlyMap<string, WatchedMember>): void {
    this.#others = others;
    for (const watch of this.#ofAll) watch.adopt(others);
  }

  /** Begins to watch; `onNews` is called when there is something to take, later and more than once. */
  watch(query: WatchQuery, onNews: () => void): Watch | Failure {
    const since = query.since === undefined ? undefined : decodePosition(query.since);
    if (since === undefined && query.since !== undefined) {
      return failure('INVALID_PARAMETER', 'since is not a position that a watch gave out');
    }
    const isOfAll = query.scope === 'cluster';
    if (this.#watchers >= WATCHERS_MAX || (isOfAll && this.#ofAll.size >= CLUSTER_WATCHERS_MAX)) {
      return failure('OVERLOADED', 'too many are watching');
    }
    const { timers } = this.#options;
    const startAt = (member: string): Start => since?.get(member) ?? (since ? 'unknown' : 'now');
    const here = this.#here(query, startAt(this.#options.self.addr), onNews);
    const remote = (member: string, start: Start): Source =>
      new RemoteSource({
        member,
        ask: async (page) => {
          return this.#others.get(member)?.watch(page) ?? NOT_LINKED;
        },
        query,
        start,
        timers,
        onNews,
        held: this.#held,
      });
    const watch = new MergedWatch(here, remote, () => this.#ofAll.delete(watch));
    if (!isOfAll) return watch;
    this.#ofAll.add(watch);
    for (const member of this.#others.keys()) watch.add(remote(member, startAt(member)));
    return watch;
  }

  /** What has changed here, for another member. */
  async watchHere({ interest, values, since }: WatchPageQuery): Promise<WatchPage | Failure> {
    if (this.#watchers >= WATCHERS_MAX) return failure('OVERLOADED', 'too many are watching');
    let wake: (() => void) | undefined;
    const source = this.#here({ interest, values }, since ?? 'now', () => wake?.());
    // Who begins is told at once where.
    if (since !== undefined && !source.hasNews) {
      await new Promise<void>((resolve) => {
        const cancel = this.#options.timers.after(WATCH_HOLD_MS, resolve);
        wake = () => {
          cancel();
          resolve();
        };
      });
    }
    const page = collect(source, values ? 1 : 64);
    source.close();
    return page;
  }

  #here(
    { interest, values }: Pick<WatchQuery, 'interest' | 'values'>,
    start: Start,
    onNews: () => void,
  ): LocalSource {
    this.#watchers++;
    const { self, life, partitions, store } = this.#options;
    const stateOf = (key: Key): StoreEvent | undefined => {
      const partition = partitionOf(key, partitions);
      const copy = store.transfer.copy(key, partition);
      if (copy === undefined) return undefined;
      const { meta, value } = copy;
      if (!values) return { kind: 'store', key, meta, value: undefined };
      return { kind: 'store', key, meta, value, lend: () => store.transfer.lend(key, partition) };
    };
    const onClose = (): void => void this.#watchers--;
    const history = this.#history;
    return new LocalSource({
      member: self.addr,
      life,
      history,
      interest,
      start,
      onNews,
      stateOf,
      onClose,
    });
  }
}

const NOT_LINKED = failure('OWNER_UNAVAILABLE', 'it is no member');

/** Takes what there is, up to a bound, so that it stays. */
function collect(source: LocalSource, eventsPerTake: number): WatchPage {
  const events: WatchPage['events'][number][] = [];
  let lost: WatchPage['lost'];
  let bytes = 0;
  while (source.hasNews && bytes < WATCH_PAGE_BYTES_MAX) {
    for (const event of source.take(eventsPerTake)) {
      if (event.kind === 'lost') lost = event.reason === 'behind' ? 'behind' : 'restarted';
      else if (event.kind !== 'ready') bytes += eventBytesMax(keptIn(events, event));
    }
  }
  return { status: 'changes', place: source.reached, lost, events };
}

type KeptEvent = WatchPage['events'][number];

function keptIn(
  events: KeptEvent[],
  event: Exclude<WatchEvent, { kind: 'lost' | 'ready' }>,
): KeptEvent {
  const kept: KeptEvent =
    event.kind === 'store'
      ? {
          kind: 'store',
          key: event.key,
          meta: event.meta,
          value: event.value && copyOf(event.value),
        }
      : event;
  events.push(kept);
  return kept;
}

function copyOf({ bytes, start, end }: ByteRange): KeptBytes {
  return asKept({ bytes: Buffer.from(bytes.subarray(start, end)), start: 0, end: end - start });
}

/** Several sources as one watch. */
class MergedWatch implements Watch {
  readonly #sources = new Map<string, Source>();
  readonly #here: Source;
  readonly #remote: (member: string, start: Start) => Source;
  readonly #onClose: () => void;
  #isReady = false;

  constructor(here: Source, remote: (member: string, start: Start) => Source, onClose: () => void) {
    this.#here = here;
    this.#remote = remote;
    this.#onClose = onClose;
    this.add(here);
  }

  add(source: Source): void {
    this.#sources.set(source.member, source);
  }

  /** Goes on with these other members; what happened at one that is new here is not known. */
  adopt(others: ReadonlyMap<string, WatchedMember>): void {
    for (const [member, source] of this.#sources) {
      if (source === this.#here || others.has(member)) continue;
      this.#sources.delete(member);
      source.close();
    }
    for (const member of others.keys()) {
      if (!this.#sources.has(member)) this.add(this.#remote(member, 'unknown'));
    }
  }

  get position(): string {
    const places = new Map<string, WatchPlace>();
    for (const [member, { place }] of this.#sources) {
      if (place !== undefined) places.set(member, place);
    }
    return encodePosition(places);
  }

  get hasNews(): boolean {
    if (this.#becomesReady) return true;
    for (const { hasNews } of this.#sources.values()) if (hasNews) return true;
    return false;
  }

  take(eventsMax: number): readonly WatchEvent[] {
    if (this.#becomesReady) {
      this.#isReady = true;
      return [{ kind: 'ready', members: this.#sources.size }];
    }
    for (const [member, source] of this.#sources) {
      if (!source.hasNews) continue;
      // Next time the others come first.
      this.#sources.delete(member);
      this.#sources.set(member, source);
      return source.take(eventsMax);
    }
    return [];
  }

  close(): void {
    for (const source of this.#sources.values()) source.close();
    this.#onClose();
  }

  get #becomesReady(): boolean {
    if (this.#isReady) return false;
    for (const { place } of this.#sources.values()) if (place === undefined) return false;
    return true;
  }
}
