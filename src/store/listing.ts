/** The keys of a store, one table of its key table after the other. */

import type { Clock } from '../base/clock.ts';
import type { Key } from '../base/key.ts';
import { isLive } from '../record/expiry.ts';
import type { KeyQuery, ListPiece, Place } from '../record/lister.ts';
import type { RecordMap } from './record-map.ts';

/** Where a list starts, and where it ends. */
export interface Range {
  readonly start: Place;
  /** The last partition; without it all are listed. */
  readonly last?: number;
}

/**
 * The live keys that a query is for, by partition, then by hash, then by byte: an order that holds while
 * tables split and merge. At the start only keys behind the query's `after` are listed.
 */
export function* scanKeys(
  map: RecordMap,
  clock: Clock,
  { prefix, after, owns }: KeyQuery,
  { start, last }: Range,
): Generator<ListPiece> {
  for (const { partition, entries, next } of map.table.tables(start, last)) {
    if (owns?.(partition) === false) continue;
    const now = clock();
    const found: Listed[] = [];
    for (const [hash, address] of entries) {
      if (!isLive(map.records.deadline(address), now)) continue;
      const key = map.records.key(address);
      if (!key.startsWith(prefix)) continue;
      const isSamePlace = partition === start.partition && hash === start.hash;
      if (!isSamePlace || after === undefined || key > after) found.push({ hash, key });
    }
    yield { keys: found.toSorted(byHash).map(({ key }) => key), next };
  }
}

/** What {@link scanKeys} finds, without the places. */
export function* listKeys(...args: Parameters<typeof scanKeys>): Generator<readonly Key[]> {
  for (const { keys } of scanKeys(...args)) yield keys;
}

/** A key and its hash, by which it is listed. */
interface Listed {
  readonly hash: number;
  readonly key: Key;
}

function byHash(a: Listed, b: Listed): number {
  return a.hash - b.hash || (a.key < b.key ? -1 : 1);
}
