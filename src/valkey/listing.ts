/**
 * Listing by slot and then by the bytes of the key: an order that a failover or a reshard does not touch, so
 * a cursor is the last key, and a key that is there throughout comes once.
 */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyFromText, keyText, type Key } from '../base/key.ts';
import {
  KEY_BYTES_MAX,
  VALKEY_LIST_PATIENCE_MS,
  VALKEY_REFRESH_SOON_MS,
  VALKEY_SORTED_BYTES_MAX,
  VALKEY_STEP_KEYS,
} from '../base/limits.ts';
import { systemTimers } from '../base/timers.ts';
import type { KeyGroup, ListQuery } from '../record/engine.ts';
import type { Fleet } from './fleet.ts';
import type { KeySpace } from './keys.ts';
import { byBytes, NextKeys, type Place } from './next-keys.ts';
import { FILTER, LIST_SLOTS } from './scripts/list.ts';
import type { Script } from './scripts/script.ts';
import type { Argument, Server } from './server.ts';
import { parseNodes, SLOTS, type Peer } from './topology.ts';

/** Lists the live keys of all servers. */
export async function* listKeys(
  fleet: Fleet,
  space: KeySpace,
  { prefix, cursor }: ListQuery,
): AsyncGenerator<KeyGroup | Failure> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  if (after === null) {
    yield failure('INVALID_PARAMETER', 'cursor is not one that a page gave out');
    return;
  }
  const walk = fleet.isCluster
    ? slotBySlot(fleet, space, prefix, after)
    : sorted(fleet, space, prefix, after);
  for await (const keys of walk) {
    yield isFailure(keys) ? keys : { keys, cursorAfter: encodeCursor };
    if (isFailure(keys)) return;
  }
}

/** Asks the owner of each slot in turn, for as many slots as one step takes. */
async function* slotBySlot(
  fleet: Fleet,
  space: KeySpace,
  prefix: Key,
  after: Key | undefined,
): AsyncGenerator<Key[] | Failure> {
  let slot = after === undefined ? 0 : space.slotOf(after);
  const start = slot;
  while (slot < SLOTS) {
    const step = await patiently(fleet, () => readStep(fleet, space, slot, prefix));
    if (isFailure(step)) {
      yield step;
      return;
    }
    for (const keys of step.pages) {
      const isFirst =
        after !== undefined && keys[0] !== undefined && space.slotOf(keys[0]) === start;
      yield isFirst ? keys.filter((key) => key > after) : keys;
    }
    slot = step.next;
  }
}

/** What one step of a list found. */
interface Step {
  /** Sorted keys, slot by slot. */
  readonly pages: readonly Key[][];
  /** The slot to go on with. */
  readonly next: number;
}

/** Tries again while a slot is on its way from one owner to the next, until patience ends. */
async function patiently(
  fleet: Fleet,
  attempt: () => Promise<Step | Failure | undefined>,
): Promise<Step | Failure> {
  const deadline = performance.now() + VALKEY_LIST_PATIENCE_MS;
  for (;;) {
    const step = await attempt();
    const isOver = performance.now() >= deadline;
    if (step !== undefined && (isOver || !isFailure(step) || step.code !== 'OWNER_UNAVAILABLE')) {
      return step;
    }
    if (isOver) return failure('OWNER_UNAVAILABLE', 'the servers do not agree on who serves what');
    await new Promise<void>((resolve) => systemTimers.after(VALKEY_REFRESH_SOON_MS, resolve));
    await fleet.refresh();
  }
}

/** Reads slots from `slot` on at its owner; undefined if that is no longer the owner. */
async function readStep(
  fleet: Fleet,
  space: KeySpace,
  slot: number,
  prefix: Key,
): Promise<Step | Failure | undefined> {
  const { topology } = fleet;
  const owner = topology.ownerOf(slot);
  if (owner === undefined) return failure('OWNER_UNAVAILABLE', `slot ${slot} is served by nobody`);
  const leaves = owner.leaving.get(slot);
  const last = leaves === undefined ? endOfRun(fleet, owner, slot) : slot + 1;
  const here = await readSlots(fleet, space, owner, { slot, last, prefix });
  if (here === undefined || isFailure(here)) return here;
  // The source first, then the target: a key that moves meanwhile is seen there at the latest.
  const target = here.self.leaving.get(slot);
  if (target === undefined) return here;
  if (last !== slot + 1) return undefined;
  const peer = fleet.topology.byId(target);
  if (peer === undefined) return undefined;
  const there = await readSlots(fleet, space, peer, { slot, last, prefix }, true);
  if (there === undefined || isFailure(there)) return there;
  const union = new Set([...here.pages.flat(), ...there.pages.flat()]);
  return { pages: [[...union].toSorted(byBytes)], next: slot + 1 };
}

/** The end of the slots from `slot` on which `owner` owns and none of which is moving. */
function endOfRun(fleet: Fleet, owner: Peer, slot: number): number {
  let end = slot + 1;
  while (end < SLOTS && fleet.topology.ownerOf(end) === owner && !owner.leaving.has(end)) end++;
  return end;
}

interface SlotQuery {
  readonly slot: number;
  readonly last: number;
  readonly prefix: Key;
}

/**
 * One step at a server; `asks` is for the slot that is moving there, which it does not own yet. Undefined if
 * the server does not own what it was asked for.
 */
async function readSlots(
  fleet: Fleet,
  space: KeySpace,
  peer: Peer,
  { slot, last, prefix }: SlotQuery,
  asks = false,
): Promise<(Step & { self: Peer }) | Failure | undefined> {
  const name = space.nameOf(prefix);
  const args = [String(slot), String(last), String(VALKEY_STEP_KEYS), name];
  const answer = await askScript(fleet, peer, LIST_SLOTS, { args, asks });
  if (answer === undefined || isFailure(answer)) return answer;
  const [line, next, isFiltered, ...names] = answer as [Buffer, number, number, ...Buffer[][]];
  const [self] = parseNodes(String(line), { host: '', usesNames: false });
  const owns = (at: number): boolean =>
    self!.slots.some((range) => range.first <= at && at <= range.last);
  for (let at = slot; at < next; at++) if (owns(at) === asks) return undefined;
  // A slot that began to move since the map was read is looked at again, by itself.
  const moving = [...self!.leaving.keys()].find((at) => at >= slot && at < next);
  if (moving !== undefined && last !== slot + 1) {
    await fleet.refresh();
    return undefined;
  }
  const pages: Key[][] = [];
  for (const page of names) {
    const live = isFiltered === 1 ? page : await filter(fleet, peer, page, name, asks);
    if (live === undefined || isFailure(live)) return live;
    pages.push(live.map((found) => space.keyOf(found)).toSorted(byBytes));
  }
  return { pages, next, self: self! };
}

/** The live keys of one slot, in pieces, so that the server is not held up. */
async function filter(
  fleet: Fleet,
  peer: Peer,
  names: readonly Buffer[],
  prefix: Argument,
  asks: boolean,
): Promise<Buffer[] | Failure | undefined> {
  const live: Buffer[] = [];
  for (let at = 0; at < names.length; at += VALKEY_STEP_KEYS) {
    const keys = names.slice(at, at + VALKEY_STEP_KEYS);
    const found = await askScript(fleet, peer, FILTER, { keys, args: [prefix], asks });
    if (found === undefined || isFailure(found)) return found;
    for (const name of found as Buffer[]) live.push(name);
  }
  return live;
}

/** The answer of a peer to a script; undefined if it points elsewhere. */
async function askScript(
  fleet: Fleet,
  peer: Peer,
  script: Script,
  {
    keys = [],
    args,
    asks = false,
  }: { keys?: readonly Argument[]; args: Argument[]; asks?: boolean },
): Promise<object | undefined> {
  const outcome = await fleet.askPeer(
    peer,
    { slot: 0, isWrite: false, send: (server) => server.run(script, keys, args, asks) },
    asks,
  );
  if (outcome.status === 'answered') return outcome.answer as unknown[];
  return isFailure(outcome) ? outcome : undefined;
}

/**
 * A single server has no lists of slots, only SCAN, in an order that nothing can go on from. So the keys that
 * come next are kept and sorted, as many as memory may take, and the rest is passed over.
 */
async function* sorted(
  fleet: Fleet,
  space: KeySpace,
  prefix: Key,
  after: Key | undefined,
): AsyncGenerator<Key[] | Failure> {
  let from: Place = after === undefined ? { slot: 0 } : { slot: space.slotOf(after), after };
  while (from.slot < SLOTS) {
    const found = await scan(fleet, space, prefix, from);
    if (isFailure(found)) {
      yield found;
      return;
    }
    for (const keys of found.pieces()) {
      const names = keys.map((key) => space.nameOf(key));
      const live = await filterAt(fleet, names);
      if (isFailure(live)) {
        yield live;
        return;
      }
      yield live.map((name) => space.keyOf(name));
    }
    from = found.next;
  }
}

/** Those of some names that are live at the single server, in their order. */
async function filterAt(fleet: Fleet, names: readonly Argument[]): Promise<Buffer[] | Failure> {
  const owner = fleet.topology.ownerOf(0);
  if (owner === undefined) return NO_SERVER;
  const found = await askScript(fleet, owner, FILTER, { keys: names, args: [''] });
  return (found ?? NO_SERVER) as Buffer[] | Failure;
}

const NO_SERVER = failure('OWNER_UNAVAILABLE', 'the server is not reachable');

/** Reads the names of all keys at the single server and keeps those that come next behind a place. */
async function scan(
  fleet: Fleet,
  space: KeySpace,
  prefix: Key,
  from: Place,
): Promise<NextKeys | Failure> {
  const next = new NextKeys(space, from, VALKEY_SORTED_BYTES_MAX);
  let cursor = '0';
  do {
    const owner = fleet.topology.ownerOf(from.slot);
    if (owner === undefined) return NO_SERVER;
    const args = [cursor, 'COUNT', String(VALKEY_STEP_KEYS), 'MATCH', space.patternOf(prefix)];
    const send = (server: Server): Promise<unknown> => server.send('scan', args);
    const step = await fleet.askPeer(owner, { slot: from.slot, isWrite: false, send });
    if (step.status !== 'answered') return isFailure(step) ? step : NO_SERVER;
    const [following, names] = step.answer as [Buffer, Buffer[]];
    cursor = following.toString();
    for (const name of names) next.add(space.keyOf(name));
  } while (cursor !== '0');
  return next;
}

export function encodeCursor(key: Key): string {
  return Buffer.from(key, 'latin1').toString('base64url');
}

/** The key that a cursor stands at; null if it is none. */
export function decodeCursor(cursor: string): Key | null {
  const key = keyFromText(Buffer.from(cursor, 'base64url').toString());
  if (key === undefined || key === '' || key.length > KEY_BYTES_MAX) return null;
  return encodeCursor(key) === cursor && keyText(key) !== '' ? key : null;
}
