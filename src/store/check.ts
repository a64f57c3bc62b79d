/** Verifies what must hold between the arena, the records, the key table and the expiry wheel. */

import type { Key } from '../base/key.ts';
import type { ExpiryWheel } from './expiry-wheel.ts';
import type { KeyTable } from './keys/key-table.ts';
import type { SoughtKey } from './keys/packed-key.ts';
import type { Arena, BlockAddress } from './memory/arena.ts';
import { recordWords, type Records } from './memory/records.ts';

/** What is compared with each other. */
export interface Checked {
  readonly arena: Arena;
  readonly records: Records;
  readonly table: KeyTable;
  readonly wheel: ExpiryWheel;
  /** The words of a partition's records, as they were counted. */
  readonly wordsOf: (partition: number) => number;
  /** Gets a key ready to be looked for where it belongs. */
  readonly seek: (key: Key) => SoughtKey;
}

/**
 * Walks through everything.
 *
 * @throws Error that says which invariant does not hold.
 */
export function checkRecords(checked: Checked): void {
  const live = checkBlocks(checked);
  checkTable(checked, live);
  checkWheel(checked, live);
}

/** Every segment is filled by its blocks, and the sums are right; returns the live blocks. */
function checkBlocks({ arena, records }: Checked): Set<BlockAddress> {
  const live = new Set<BlockAddress>();
  let garbageWords = 0;
  let liveWords = 0;
  for (const [first, segment] of arena.segments()) {
    let segmentWords = 0;
    let segmentLiveWords = 0;
    let address = first;
    while (address !== 0) {
      const words = records.sizeWords(address);
      segmentWords += words;
      if (!records.isDead(address)) {
        segmentLiveWords += words;
        live.add(address);
        const needed = recordWords(...records.lengths(address), records.expires(address));
        verify(needed <= words, () => `record ${address} has ${words} words and needs ${needed}`);
      }
      address = arena.nextBlock(address);
    }
    equal(segmentLiveWords, segment.liveWords, `live words of the segment at ${first}`);
    equal(
      segmentWords - segmentLiveWords,
      segment.garbageWords,
      `garbage of the segment at ${first}`,
    );
    garbageWords += segment.garbageWords;
    liveWords += segment.liveWords;
  }
  equal(liveWords * 8, arena.liveBytes, 'live bytes');
  equal(garbageWords * 8, arena.garbageBytes, 'garbage bytes');
  return live;
}

/** Every live record is in the key table once, where its key belongs, and nothing else is. */
function checkTable(checked: Checked, live: ReadonlySet<BlockAddress>): void {
  const { records, table, seek } = checked;
  table.check();
  let entries = 0;
  for (let partition = 0; partition < table.partitions; partition++) {
    let words = 0;
    for (const address of table.addresses(partition)) {
      entries++;
      verify(live.has(address), () => `the table points at ${address}, which is no live record`);
      words += records.sizeWords(address);
      equal(records.partition(address), partition, `partition in record ${address}`);
      const key = records.key(address);
      const sought = seek(key);
      equal(sought.partition, partition, `partition of key ${JSON.stringify(key)}`);
      equal(table.find(sought), address, `address of key ${JSON.stringify(key)}`);
    }
    equal(checked.wordsOf(partition), words, `words of partition ${partition}`);
  }
  equal(entries, live.size, 'entries in the key table');
  equal(entries, table.entries, 'count of the key table');
}

/** Every record that expires is in the wheel once, linked both ways, and no other is. */
function checkWheel({ records, wheel }: Checked, live: ReadonlySet<BlockAddress>): void {
  const waiting = new Set<BlockAddress>();
  for (const address of wheel.addresses()) {
    verify(live.has(address), () => `the wheel holds ${address}, which is no live record`);
    verify(records.expires(address), () => `the wheel holds ${address}, which does not expire`);
    verify(!waiting.has(address), () => `the wheel holds ${address} twice`);
    waiting.add(address);
    const next = records.next(address);
    if (next !== 0) equal(records.previous(next), address, `record in front of ${next}`);
  }
  equal(waiting.size, wheel.size, 'records in the wheel');
  let expiring = 0;
  for (const address of live) if (records.expires(address)) expiring++;
  equal(waiting.size, expiring, 'records that expire');
}

function equal(found: number, expected: number, what: string): void {
  verify(found === expected, () => `${what}: found ${found}, expected ${expected}`);
}

function verify(holds: boolean, message: () => string): void {
  if (!holds) throw new Error(`the store is damaged: ${message()}`);
}
