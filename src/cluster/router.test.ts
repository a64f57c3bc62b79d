import { expect, test } from 'vitest';

import { Deferred } from '../base/deferred.ts';
import { keyFromText, type Key } from '../base/key.ts';
import { MOVE_WAIT_HERE_MS, MOVE_WAIT_MS, NOT_MINE_PAUSE_MS } from '../base/limits.ts';
import { Text } from '../base/view.ts';
import type { NotMine } from '../peer/host.ts';
import type { Sight } from '../record/glimpse.ts';
import { NO_META, type KeptReply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import { Router, type LocalEngine, type Moves, type RemoteEngine, type Routes } from './router.ts';
import { Topology } from './topology.ts';

const clusterId = '11111111-1111-4111-8111-111111111111';
const topologyOf = (epoch: number, members: string[]): Topology =>
  new Topology({ clusterId, epoch, by: '', members, before: [], lives: {} }, 64);

const servedBy = (addr: string): KeptReply => ({
  status: 'ok',
  node: { id: addr, addr },
  meta: NO_META,
  value: undefined,
});

const nothingAtHand = {
  now: 0,
  glance: (): Sight => 'nothing',
  put: (): Sight => 'nothing',
};
const here = { serve: () => servedBy('a:1'), ...nothingAtHand };

const nothingMoves: Moves = { hold: () => undefined, areOver: true };

function makeRouter(
  local: LocalEngine = here,
  moves = nothingMoves,
  timers = new SteppedTimers(),
): Router {
  return new Router({ local, moves, timers });
}

function routesOf(topology: Topology, ...remotes: Routes['remotes'][number][]): Routes {
  return { topology, remotes, awaiting: new Set() };
}

/** A peer that gives these answers, one after the other. */
class FakePeer implements RemoteEngine {
  readonly served: Request[] = [];
  readonly #answers: (KeptReply | NotMine)[];

  constructor(...answers: (KeptReply | NotMine)[]) {
    this.#answers = answers;
  }

  async serve(request: Request): Promise<KeptReply | NotMine> {
    this.served.push(request);
    return this.#answers.shift()!;
  }
}

function glanceAt(router: Router, key: string): Sight {
  const text = new Text(Buffer.from(key));
  const range = { start: 0, end: key.length };
  const hand = router.atHand();
  const sight = hand?.load(text, range);
  expect(hand?.store(text, range, range)).toBe(sight);
  return sight;
}

/** A load of a key that this member owns. */
function loadOwnedBy(topology: Topology, member: string): Request {
  for (let n = 0; ; n++) {
    const key = keyFromText(`key ${n}`) as Key;
    if (topology.members[topology.ownerOf(topology.partitionOf(key))] === member)
      return { action: 'load', key };
  }
}

test('before there is a topology nothing is served', () => {
  const router = makeRouter();
  const request = loadOwnedBy(topologyOf(1, ['a:1']), 'a:1');
  expect(router.serve(request)).toMatchObject({ code: 'NOT_READY' });
});

test('what a member sends to one that does not have the topology yet waits for that, within a bound', async () => {
  const timers = new SteppedTimers();
  const router = makeRouter(here, nothingMoves, timers);
  const topology = topologyOf(1, ['a:1', 'b:1']);
  const request = loadOwnedBy(topology, 'a:1');
  const early = router.serveHere(request, topology);
  router.adopt(routesOf(topology, null, new FakePeer()));
  expect(await early).toEqual(servedBy('a:1'));
  const lonely = makeRouter(here, nothingMoves, timers).serveHere(request, topology);
  await timers.step(MOVE_WAIT_HERE_MS);
  expect(await lonely).toMatchObject({ code: 'NOT_READY' });
});

test('a node that is no member any more says that nothing is its own', () => {
  const topology = topologyOf(1, ['a:1']);
  const router = makeRouter();
  router.adopt(routesOf(topology, null));
  router.close();
  const request = loadOwnedBy(topology, 'a:1');
  expect(router.serveHere(request, topology)).toEqual({ status: 'not-mine' });
  expect(router.serve(request)).toMatchObject({ code: 'NOT_READY' });
});

test('an own key is served without a promise, another by its owner', async () => {
  const topology = topologyOf(1, ['a:1', 'b:1']);
  const peer = new FakePeer(servedBy('b:1'));
  const router = makeRouter();
  router.adopt(routesOf(topology, null, peer));
  expect(router.serve(loadOwnedBy(topology, 'a:1'))).toEqual(servedBy('a:1'));
  const reply = router.serve(loadOwnedBy(topology, 'b:1'));
  expect(reply).toBeInstanceOf(Promise);
  expect(await reply).toEqual(servedBy('b:1'));
});

test('what a peer has sent is served here or refused, never sent on', () => {
  const topology = topologyOf(7, ['a:1', 'b:1']);
  const peer = new FakePeer();
  const router = makeRouter();
  router.adopt(routesOf(topology, null, peer));
  expect(router.serveHere(loadOwnedBy(topology, 'a:1'), topology)).toEqual(servedBy('a:1'));
  expect(router.serveHere(loadOwnedBy(topology, 'b:1'), topology)).toEqual({ status: 'not-mine' });
  expect(peer.served).toEqual([]);
});

test('what was sent by an older epoch or in another cluster is not served', () => {
  const topology = topologyOf(7, ['a:1']);
  const router = makeRouter();
  router.adopt(routesOf(topology, null));
  const request = loadOwnedBy(topology, 'a:1');
  for (const fence of [
    { cluster: topology.cluster, epoch: 6 },
    { cluster: topology.cluster + 1, epoch: 7 },
  ]) {
    expect(router.serveHere(request, fence)).toMatchObject({ status: 'not-mine' });
  }
});

const NOT_MINE: NotMine = { status: 'not-mine' };

/** A peer that is not the owner, and lets something happen before it says so. */
function movedPeer(before: () => void): RemoteEngine {
  return {
    serve: async () => {
      before();
      return NOT_MINE;
    },
  };
}

test('a request that met a newer epoch is sent again by the newer topology', async () => {
  const older = topologyOf(1, ['a:1', 'b:1']);
  const newer = topologyOf(2, ['a:1', 'c:1']);
  const request = loadOwnedBy(older, 'b:1');
  const newOwner = newer.members[newer.ownerOf(newer.partitionOf(request.key))]!;
  const router = makeRouter();
  const c = new FakePeer(servedBy('c:1'));
  const b = movedPeer(() => router.adopt(routesOf(newer, null, c)));
  router.adopt(routesOf(older, null, b));
  expect(await router.serve(request)).toEqual(servedBy(newOwner));
});

test('a value that comes with a promise stays, whatever is served meanwhile', async () => {
  const older = topologyOf(1, ['a:1', 'b:1']);
  const newer = topologyOf(2, ['a:1']);
  const request = loadOwnedBy(older, 'b:1');
  const memory = Buffer.from('_value_');
  const value = { bytes: memory, start: 1, end: 6 };
  const local = { ...here, serve: (): KeptReply => ({ ...servedBy('a:1'), value }) as KeptReply };
  const router = makeRouter(local);
  router.adopt(
    routesOf(
      older,
      null,
      movedPeer(() => router.adopt(routesOf(newer, null))),
    ),
  );
  const reply = await router.serve(request);
  memory.fill('x');
  if (reply.status !== 'ok' || reply.value === undefined) throw new Error(reply.status);
  const { bytes, start, end } = reply.value;
  expect(bytes.toString('latin1', start, end)).toBe('value');
});

test('members that do not agree on the owner cost a bounded time and no loop', async () => {
  const topology = topologyOf(1, ['a:1', 'b:1']);
  const timers = new SteppedTimers();
  const router = makeRouter(here, nothingMoves, timers);
  router.adopt(
    routesOf(
      topology,
      null,
      movedPeer(() => {}),
    ),
  );
  const reply = router.serve(loadOwnedBy(topology, 'b:1')) as Promise<KeptReply>;
  for (let stepMs = 0; stepMs <= MOVE_WAIT_MS; stepMs += NOT_MINE_PAUSE_MS) {
    await timers.settle();
    await timers.step(NOT_MINE_PAUSE_MS);
  }
  expect(await reply).toMatchObject({ code: 'OWNER_UNAVAILABLE' });
});

test('a request that a peer has sent by a newer topology waits for that', async () => {
  const older = topologyOf(1, ['b:1']);
  const newer = topologyOf(2, ['a:1', 'b:1']);
  const router = makeRouter();
  router.adopt(routesOf(older, new FakePeer()));
  const reply = router.serveHere(loadOwnedBy(newer, 'a:1'), newer);
  expect(reply).toBeInstanceOf(Promise);
  router.adopt(routesOf(newer, null, new FakePeer()));
  expect(await reply).toEqual(servedBy('a:1'));
});

test('a key that is still to come from its old owner waits, others do not', async () => {
  const facts = {
    clusterId,
    epoch: 2,
    by: '',
    members: ['a:1', 'b:1'],
    before: ['b:1'],
    lives: {},
  };
  const topology = new Topology(facts, 64);
  const router = makeRouter();
  const routes = routesOf(topology, null, new FakePeer());
  router.adopt({ ...routes, awaiting: new Set(['b:1']) });
  const partition = topology.partitionOf(loadOwnedBy(topology, 'a:1').key);
  expect(router.owns(partition)).toBe(false);
  const reply = router.serve(loadOwnedBy(topology, 'a:1'));
  expect(reply).toBeInstanceOf(Promise);
  router.adopt(routes);
  expect(await reply).toEqual(servedBy('a:1'));
  expect(router.owns(partition)).toBe(true);
});

test('only a record that this member owns is seen at a glance', () => {
  const topology = topologyOf(1, ['a:1', 'b:1']);
  const router = makeRouter();
  expect(glanceAt(router, 'key')).toBeUndefined();
  router.adopt(routesOf(topology, null, new FakePeer()));
  for (const [owner, sight] of [
    ['a:1', 'nothing'],
    ['b:1', undefined],
  ] as const) {
    const { key } = loadOwnedBy(topology, owner);
    expect(glanceAt(router, key)).toBe(sight);
  }
  router.adopt({ ...routesOf(topology, null, new FakePeer()), awaiting: new Set(['b:1']) });
  expect(glanceAt(router, loadOwnedBy(topology, 'a:1').key)).toBeUndefined();
  router.adopt(routesOf(topology, null, new FakePeer()));
  router.close();
  expect(glanceAt(router, loadOwnedBy(topology, 'a:1').key)).toBeUndefined();
});

test('a request waits while a write to its key is being mirrored', async () => {
  const topology = topologyOf(1, ['a:1']);
  let mirror: Deferred | undefined = new Deferred();
  const { promise, resolve } = mirror;
  const router = makeRouter(here, { hold: () => mirror?.promise, areOver: false });
  router.adopt(routesOf(topology, null));
  const reply = router.serve(loadOwnedBy(topology, 'a:1'));
  expect(reply).toBeInstanceOf(Promise);
  expect(glanceAt(router, 'key 0')).toBeUndefined();
  mirror = undefined;
  resolve();
  await promise;
  expect(await reply).toEqual(servedBy('a:1'));
});
