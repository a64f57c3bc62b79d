/** Listing the keys of one node's own memory. */

import type { Key } from '../base/key.ts';

/** Which keys of a node to list. */
export interface KeyQuery {
  /** Only keys that start with these bytes; empty for all. */
  readonly prefix: Key;
  /** Only keys that come after this one in the order of the list. */
  readonly after?: Key | undefined;
  /** Only keys of partitions for which this is true. */
  readonly owns?: ((partition: number) => boolean) | undefined;
}

/** Whatever can list its keys. */
export interface Lister {
  /** The live keys, in groups that are each made when they are asked for. */
  list(query: KeyQuery): Iterable<Key[]> | AsyncIterable<Key[]>;
}
