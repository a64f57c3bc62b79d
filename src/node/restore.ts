/** Restoring: what a node does with the snapshot that it begins with. */

import { isFailure, retryAfterSeconds } from '../base/errors.ts';
import { keyText, type Key } from '../base/key.ts';
import { RESTORE_ATTEMPTS_MAX } from '../base/limits.ts';
import type { Clock } from '../base/clock.ts';
import { readSnapshot } from '../disk/snapshot.ts';
import type { RecordState } from '../record/change.ts';
import type { Engine } from '../record/engine.ts';
import { isLive } from '../record/expiry.ts';
import type { Store } from '../store/store.ts';
import { partitionOf } from '../base/partition.ts';

/** Waits so many seconds. */
type Wait = (seconds: number) => Promise<void>;

/** What has become of the records of a snapshot. */
export interface Restored {
  readonly records: number;
  /** Whose time is over. */
  readonly expired: number;
  /** Which the cluster had already. */
  readonly existing: number;
}

/**
 * Puts all records of a snapshot into a store, with their meta and the time that they have left. The
 * snapshot may be one of another number of partitions.
 *
 * @throws Error that says in a line why they are not all there.
 */
export async function restoreHere(
  file: string,
  store: Store,
  partitions: number,
  clock: Clock,
): Promise<Restored> {
  let [records, expired] = [0, 0];
  for await (const piece of readSnapshot(file)) {
    const now = clock();
    const live = piece.filter(({ record }) => isLive(record.deadline, now));
    expired += piece.length - live.length;
    records += live.length;
    const arrivals = live.map(async ({ record: { deadline, ...rest } }) => {
      const copy = { ...rest, leftUs: deadline - now };
      const failed = await store.transfer.arrive(copy, partitionOf(rest.key, partitions));
      if (failed !== undefined) throw notRestored(file, rest.key, failed.detail);
    });
    await Promise.all(arrivals);
  }
  return { records, expired, existing: 0 };
}

/**
 * Stores all records of a snapshot by way of an engine, each at its owner, for the time that it has left.
 * Their history begins anew. What is there already stays as it is.
 *
 * @throws Error that says in a line why they are not all there.
 */
export async function restoreThrough(file: string, way: Way): Promise<Restored> {
  let [records, expired, existing] = [0, 0, 0];
  for await (const piece of readSnapshot(file)) {
    const outcomes = piece.map(({ record }) => storeOne(record, way, file));
    for (const outcome of await Promise.all(outcomes)) {
      if (outcome === 'stored') records++;
      else if (outcome === 'expired') expired++;
      else existing++;
    }
  }
  return { records, expired, existing };
}

/**
 * Gives the records of a partition that is another's now to its owner.
 *
 * @throws Error that says in a line why they are not all there.
 */
export async function giveAway(store: Store, partition: number, way: Way): Promise<number> {
  const now = way.clock();
  let given = 0;
  for (const keys of store.transfer.keys(partition)) {
    const records = keys.flatMap((key) => {
      const copy = store.transfer.copy(key, partition);
      if (copy === undefined) return [];
      const { bytes, start, end } = copy.value;
      const value = { bytes: Buffer.from(bytes.subarray(start, end)), start: 0, end: end - start };
      return [{ ...copy, value, deadline: now + copy.leftUs }];
    });
    await Promise.all(records.map((record) => storeOne(record, way, 'what another owns now')));
    given += records.length;
  }
  return given;
}

/** How a record gets to its owner. */
export interface Way {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly wait: Wait;
}

async function storeOne(
  record: RecordState,
  { engine, clock, wait }: Way,
  what: string,
): Promise<'stored' | 'expired' | 'existing'> {
  const { key, value, deadline, meta } = record;
  for (let attempt = 1; ; attempt++) {
    const leftUs = deadline - clock();
    if (leftUs <= 0) return 'expired';
    const ttlNs = meta.ttlNs === 0n ? 0n : BigInt(leftUs) * 1000n;
    const condition = { ifNoneMatch: '*' } as const;
    const reply = await engine.serve({ action: 'store', key, value, ttlNs, condition });
    if (!isFailure(reply)) return 'stored';
    // An outcome that is not known is one that the next attempt learns.
    if (reply.code === 'PRECONDITION_FAILED') return attempt === 1 ? 'existing' : 'stored';
    const seconds = reply.code === 'OUTCOME_UNKNOWN' ? 1 : retryAfterSeconds(reply.code);
    if (seconds === undefined || attempt === RESTORE_ATTEMPTS_MAX) {
      throw notRestored(what, key, reply.detail);
    }
    await wait(seconds);
  }
}

function notRestored(what: string, key: Key, why: string): Error {
  return new Error(`${what} is not restored: ${keyText(key)}: ${why}`);
}
