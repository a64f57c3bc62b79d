/** Verifies what must hold between the arena, the records, the index and the expiry wheel. */

import type { Key } from '../base/key.ts';
import type { ExpiryWheel } from './expiry-wheel.ts';
import type { KeyIndex, Place } from './keys/key-table.ts';
import { PackedKey } from './keys/packed-key.ts';
import type { Arena, BlockAddress } from './memory/arena.ts';
import { recordWords, type Records } from './memory/records.ts';

/**
 * Walks through everything; `placeOf` tells where a key belongs.
 *
 * @throws Error that says which invariant does not hold.
 */
export function checkStore(
  arena: Arena,
  records: Records,
  index: KeyIndex,
  wheel: ExpiryWheel,
  placeOf: (key: Key) => Place,
): void {
  const live = checkBlocks(arena, records);
  checkIndex(records, index, live, placeOf);
  checkWheel(records, wheel, live);
}

/** Every segment is filled by its blocks, and the sums are right; returns the live blocks. */
function checkBlocks(arena: Arena, records: Records): Set<BlockAddress> {
  const live = new Set<BlockAddress>();
  let garbageWords = 0;
  let liveWords = 0;
  for (const [number, segment] of arena.segments()) {
    let segmentWords = 0;
    let segmentLiveWords = 0;
    let address = arena.firstBlock(number);
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
    equal(segmentLiveWords, segment.liveWords, `live words of segment ${number}`);
    equal(segmentWords - segmentLiveWords, segment.garbageWords, `garbage of segment ${number}`);
    garbageWords += segment.garbageWords;
    liveWords += segment.liveWords;
  }
  equal(liveWords * 8, arena.liveBytes, 'live bytes');
  equal(garbageWords * 8, arena.garbageBytes, 'garbage bytes');
  return live;
}

/** Every live record is in the index once, where its key belongs, and nothing else is. */
function checkIndex(
  records: Records,
  index: KeyIndex,
  live: ReadonlySet<BlockAddress>,
  placeOf: (key: Key) => Place,
): void {
  index.check();
  const packed = new PackedKey();
  let entries = 0;
  for (let partition = 0; partition < index.partitions; partition++) {
    for (const address of index.addresses(partition)) {
      entries++;
      verify(live.has(address), () => `the index points at ${address}, which is no live record`);
      equal(records.partition(address), partition, `partition in record ${address}`);
      const key = records.key(address);
      const place = placeOf(key);
      equal(place.partition, partition, `partition of key ${JSON.stringify(key)}`);
      equal(index.find(place, packed.pack(key)), address, `address of key ${JSON.stringify(key)}`);
    }
  }
  equal(entries, live.size, 'entries in the index');
  equal(entries, index.entries, 'count of the index');
}

/** Every record that expires is in the wheel once, linked both ways, and no other is. */
function checkWheel(records: Records, wheel: ExpiryWheel, live: ReadonlySet<BlockAddress>): void {
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
