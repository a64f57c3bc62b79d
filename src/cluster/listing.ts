/** Listing the keys of a cluster, one partition after the other, also while partitions move. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyFromText, type Key } from '../base/key.ts';
import { KEY_BYTES_MAX, MOVE_WAIT_MS, NOT_MINE_PAUSE_MS, PAGE_KEYS_MAX } from '../base/limits.ts';
import type { NotMine } from '../peer/host.ts';
import type { KeyPage, PageQuery } from '../peer/page.ts';
import type { KeyGroup, ListQuery } from '../record/engine.ts';
import type { Topology } from './topology.ts';

/** A member whose keys can be listed, by one topology. */
export interface MemberLister {
  /** What tells one life of it from the next where it keeps nothing on disk; undefined while it is out of reach. */
  readonly id: string | undefined;
  /** Some keys, by partition; "not mine" if the member does not have, or no longer, all that is its own. */
  page(query: PageQuery): KeyPage | NotMine | Failure | Promise<KeyPage | NotMine | Failure>;
}

/** Where a list comes from. */
export interface ListSource {
  /** What this node goes by now. */
  readonly topology: Topology;
  /** The members to list, by address. */
  listers(topology: Topology): ReadonlyMap<string, MemberLister>;
  pause(ms: number): Promise<void>;
}

/**
 * Lists by partition, so that a list goes on whoever owns what is left of it. Only a partition that is so
 * large that it is given in several pieces, or in which a page ends, must stay where it is until all of
 * it is given: its order is its owner's. A member that cannot be listed ends the listing with a failure,
 * before the first key if that is known by then: no list is ever silently shorter.
 */
export async function* listPartitions(
  source: ListSource,
  query: ListQuery,
): AsyncGenerator<KeyGroup | Failure> {
  const walk = new Walk(source, query);
  const obstacle = walk.begin(query.cursor);
  if (obstacle !== undefined) {
    yield obstacle;
    return;
  }
  for (;;) {
    const piece = await walk.next();
    if (piece === undefined) return;
    if (isFailure(piece)) {
      yield piece;
      return;
    }
    const { keys, id } = piece;
    yield { keys, cursorAfter: (key) => encodeCursor({ id, key }) };
  }
}

/** Some keys of a member. */
interface Piece {
  readonly keys: readonly Key[];
  readonly id: string;
}

/** Where a list stands in a partition of which it has not given all. */
interface Inside extends Pick<PageQuery, 'after' | 'from'> {
  /** The id of the owner, in whose order the partition is given; of one from a cursor, as much as that tells. */
  readonly id: string;
  /** Who has given keys of it: this list, or the one that the cursor is of. */
  readonly given: 'nobody' | 'list' | 'cursor';
}

/** A page of a member, of which the keys before `at` are given. */
interface Held {
  readonly keys: readonly Key[];
  /** The first partition of which the page has not all keys. */
  readonly end: number;
  at: number;
}

/** A list on its way through the partitions. */
class Walk {
  readonly #source: ListSource;
  readonly #query: Pick<PageQuery, 'prefix' | 'limit'>;
  #topology: Topology;
  #listers: ReadonlyMap<string, MemberLister>;
  /** The id of each member when it was first seen: one that restarts has lost what is still to be listed. */
  readonly #ids = new Map<string, string>();
  /** The last page of each member. */
  readonly #held = new Map<string, Held>();
  #partition = 0;
  #inside: Inside | undefined;
  #pausesLeft = PAUSES_MAX;

  constructor(source: ListSource, { prefix, limit = PAGE_KEYS_MAX }: ListQuery) {
    this.#source = source;
    // One more tells whether there is a next page.
    this.#query = { prefix, limit: Math.min(limit + 1, PAGE_KEYS_MAX) };
    this.#topology = source.topology;
    this.#listers = source.listers(source.topology);
  }

  /** Goes to where a cursor leads; a failure if that is nowhere, or if a member is out of reach. */
  begin(cursor: string | undefined): Failure | undefined {
    for (const [address, { id }] of this.#listers) {
      if (id === undefined) return unreachable(address);
      this.#ids.set(address, id);
    }
    if (cursor === undefined) return undefined;
    const position = decodeCursor(cursor);
    if (position === undefined) return invalid('it is not one that a page gave out');
    this.#partition = this.#topology.partitionOf(position.key);
    this.#inside = { id: position.id, after: position.key, given: 'cursor' };
    return this.#isInPlace() ? undefined : MOVED_CURSOR;
  }

  /** What comes next, with or without keys; undefined at the end. */
  async next(): Promise<Piece | Failure | undefined> {
    if (this.#source.topology !== this.#topology) {
      const obstacle = this.#adopt();
      if (obstacle !== undefined) return obstacle;
    }
    for (; this.#partition < this.#topology.partitions; this.#partition++) {
      const owner = this.#owner;
      const lister = this.#listers.get(owner);
      if (lister === undefined) continue;
      const held = this.#held.get(owner);
      if (held === undefined || held.end <= this.#partition) return this.#fetch(owner, lister);
      this.#inside = undefined;
      const keys = this.#take(held);
      if (keys.length === 0) continue;
      this.#partition++;
      return { keys, id: this.#ids.get(owner)! };
    }
    return undefined;
  }

  get #owner(): string {
    return this.#topology.members[this.#topology.ownerOf(this.#partition)]!;
  }

  /** Gets the next page of a member; gives its keys if they are not all of the partition. */
  async #fetch(owner: string, lister: MemberLister): Promise<Piece | Failure> {
    const { id } = lister;
    if (id === undefined || id !== (this.#ids.get(owner) ?? id)) return unreachable(owner);
    this.#ids.set(owner, id);
    const {
      after,
      from,
      given = 'nobody',
    } = this.#inside ?? {
      from: { partition: this.#partition, hash: 0 },
    };
    const page = await lister.page({ ...this.#query, after, from });
    if (isFailure(page)) return page;
    if (this.#source.topology !== this.#topology) return { keys: [], id };
    if (page.status === 'not-mine') return this.#wait(owner, id);
    this.#pausesLeft = PAUSES_MAX;
    const held = { keys: page.keys, end: this.#endOf(page), at: 0 };
    this.#held.set(owner, held);
    if (held.end > this.#partition) return { keys: [], id };
    const keys = this.#take(held);
    const last = keys.at(-1) ?? after;
    const place = page.next === 'after' ? undefined : page.next;
    this.#inside = { id, after: last, from: place, given: keys.length > 0 ? 'list' : given };
    return { keys, id };
  }

  /** Keys are on their way to a member: they will have come in a moment. */
  async #wait(owner: string, id: string): Promise<Piece | Failure> {
    if (this.#pausesLeft-- === 0) return moved(owner);
    await this.#source.pause(NOT_MINE_PAUSE_MS);
    return { keys: [], id };
  }

  /** Goes on by another topology. */
  #adopt(): Failure | undefined {
    this.#topology = this.#source.topology;
    this.#listers = this.#source.listers(this.#topology);
    this.#held.clear();
    if (this.#inside === undefined || this.#isInPlace()) return undefined;
    const { given } = this.#inside;
    if (given !== 'nobody') return given === 'list' ? moved(this.#owner) : MOVED_CURSOR;
    this.#inside = undefined;
    return undefined;
  }

  /** Whether the partition that is given in part is still where it was. */
  #isInPlace(): boolean {
    const id = this.#listers.get(this.#owner)?.id;
    return id !== undefined && id.startsWith(this.#inside!.id);
  }

  /** The keys of this partition on a page. */
  #take(held: Held): readonly Key[] {
    const { keys } = held;
    const partitionAt = (at: number): number =>
      at < keys.length ? this.#topology.partitionOf(keys[at]!) : Infinity;
    while (partitionAt(held.at) < this.#partition) held.at++;
    const start = held.at;
    while (partitionAt(held.at) === this.#partition) held.at++;
    return keys.slice(start, held.at);
  }

  #endOf({ keys, next }: KeyPage): number {
    if (next === undefined) return Infinity;
    return next === 'after' ? this.#topology.partitionOf(keys.at(-1)!) : next.partition;
  }
}

/** How often a list waits in a row for what is on its way. */
const PAUSES_MAX = MOVE_WAIT_MS / NOT_MINE_PAUSE_MS;

/** What a cursor says: a key that was listed, and in whose order. */
interface Position {
  /** The id of the owner, as far as {@link ID_CHARS}. */
  readonly id: string;
  readonly key: Key;
}

/** How much of an id a cursor tells. */
const ID_CHARS = 8;

function invalid(why: string): Failure {
  return failure('INVALID_PARAMETER', `cursor leads nowhere, list from the start: ${why}`);
}

const MOVED_CURSOR = invalid('its key has moved, or the owner has restarted');

/** The position that a cursor stands for; undefined if no page can have given it out. */
export function decodeCursor(cursor: string): Position | undefined {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, id, rest] = /^([\da-f]+) (.+)$/s.exec(text) ?? [];
  const key = rest === undefined ? undefined : keyFromText(rest);
  if (id === undefined || key === undefined) return undefined;
  const isExact = key.length <= KEY_BYTES_MAX && encodeCursor({ id, key }) === cursor;
  return isExact ? { id, key } : undefined;
}

export function encodeCursor({ id, key }: Position): string {
  return Buffer.from(`${id.slice(0, ID_CHARS)} ${key}`, 'latin1').toString('base64url');
}

function moved(member: string): Failure {
  return failure(
    'OWNER_UNAVAILABLE',
    `keys on their way to or from ${member} cannot be listed just now`,
  );
}

function unreachable(member: string): Failure {
  return failure('OWNER_UNAVAILABLE', `the member ${member} is not reachable or has restarted`);
}
