/** Listing the keys of one node's own memory. */

import type { Key } from '../base/key.ts';

/**
 * Where a key belongs in a store: its partition, and its hash within that. It means something only to
 * the very store that gave it.
 */
export interface Place {
  readonly partition: number;
  readonly hash: number;
}

/** Which keys of a node to list. */
export interface KeyQuery {
  /** Only keys that start with these bytes; empty for all. */
  readonly prefix: Key;
  /** Only keys that come after this one in the order of the list. */
  readonly after?: Key | undefined;
  /** Only keys of partitions for which this is true. */
  readonly owns?: ((partition: number) => boolean) | undefined;
}

/** A piece of a list: some keys or none, and where the next piece starts. */
export interface ListPiece {
  readonly keys: readonly Key[];
  readonly next: Place;
}

/** Whatever can list its keys a piece at a time, from any place on. */
export interface Scanner {
  /** The live keys from `from` on, or behind `after`; each piece is made when it is asked for. */
  scan(query: KeyQuery, from?: Place): Iterable<ListPiece>;
}

/** Whatever can list its keys. */
export interface Lister {
  /** The live keys, in groups that are each made when they are asked for. */
  list(query: KeyQuery): Iterable<readonly Key[]> | AsyncIterable<readonly Key[]>;
}
