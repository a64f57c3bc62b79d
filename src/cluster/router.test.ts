import { expect, test } from 'vitest';

import { failure } from '../base/errors.ts';
import { keyFromText, type Key } from '../base/key.ts';
import type { NotMine } from '../peer/host.ts';
import { NO_META, type KeptReply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import { Router, type RemoteEngine } from './router.ts';
import { Topology } from './topology.ts';

const clusterId = '11111111-1111-4111-8111-111111111111';
const topologyOf = (epoch: number, members: string[]): Topology =>
  new Topology({ clusterId, epoch, members }, 64);

const servedBy = (addr: string): KeptReply => ({
  status: 'ok',
  node: { id: addr, addr },
  meta: NO_META,
  value: undefined,
});

const here = { serve: () => servedBy('a:1') };

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

/** A load of a key that this member owns. */
function loadOwnedBy(topology: Topology, member: string): Request {
  for (let n = 0; ; n++) {
    const key = keyFromText(`key ${n}`) as Key;
    if (topology.members[topology.ownerOf(topology.partitionOf(key))] === member)
      return { action: 'load', key };
  }
}

test('before there is a topology nothing is served', () => {
  const router = new Router(here, () => {});
  const request = loadOwnedBy(topologyOf(1, ['a:1']), 'a:1');
  expect(router.serve(request)).toMatchObject({ code: 'NOT_READY' });
  expect(router.serveHere(request, topologyOf(1, ['a:1']))).toMatchObject({ code: 'NOT_READY' });
});

test('an own key is served without a promise, another by its owner', async () => {
  const topology = topologyOf(1, ['a:1', 'b:1']);
  const peer = new FakePeer(servedBy('b:1'));
  const router = new Router(here, () => {});
  router.adopt({ topology, remotes: [null, peer] });
  expect(router.serve(loadOwnedBy(topology, 'a:1'))).toEqual(servedBy('a:1'));
  const reply = router.serve(loadOwnedBy(topology, 'b:1'));
  expect(reply).toBeInstanceOf(Promise);
  expect(await reply).toEqual(servedBy('b:1'));
});

test('what a peer has sent is served here or answered with the topology, never sent on', () => {
  const topology = topologyOf(7, ['a:1', 'b:1']);
  const peer = new FakePeer();
  const router = new Router(here, () => {});
  router.adopt({ topology, remotes: [null, peer] });
  expect(router.serveHere(loadOwnedBy(topology, 'a:1'), topology)).toEqual(servedBy('a:1'));
  expect(router.serveHere(loadOwnedBy(topology, 'b:1'), topology)).toEqual({
    status: 'not-mine',
    topology: { clusterId, epoch: 7, members: ['a:1', 'b:1'] },
  });
  expect(peer.served).toEqual([]);
});

test('what was sent by another epoch or in another cluster is not served', () => {
  const topology = topologyOf(7, ['a:1']);
  const router = new Router(here, () => {});
  router.adopt({ topology, remotes: [null] });
  const request = loadOwnedBy(topology, 'a:1');
  for (const fence of [
    { cluster: topology.cluster, epoch: 6 },
    { cluster: topology.cluster, epoch: 8 },
    { cluster: topology.cluster + 1, epoch: 7 },
  ]) {
    expect(router.serveHere(request, fence)).toMatchObject({ status: 'not-mine' });
  }
});

test('a request that met a newer epoch is retried by the newer topology', async () => {
  const older = topologyOf(1, ['a:1', 'b:1']);
  const newer = topologyOf(2, ['a:1', 'c:1']);
  const request = loadOwnedBy(older, 'b:1');
  const newOwner = newer.members[newer.ownerOf(newer.partitionOf(request.key))]!;
  const [b, c] = [
    new FakePeer({ status: 'not-mine', topology: newer.facts() }),
    new FakePeer(servedBy('c:1')),
  ];
  const router = new Router(here, ({ topology }) => {
    expect(topology.epoch).toBe(2);
    router.adopt({ topology: newer, remotes: [null, c] });
  });
  router.adopt({ topology: older, remotes: [null, b] });
  expect(await router.serve(request)).toEqual(servedBy(newOwner));
});

test('a value that comes with a promise stays, whatever is served meanwhile', async () => {
  const older = topologyOf(1, ['a:1', 'b:1']);
  const newer = topologyOf(2, ['a:1']);
  const request = loadOwnedBy(older, 'b:1');
  const notMine: NotMine = { status: 'not-mine', topology: newer.facts() };
  const memory = Buffer.from('_value_');
  const value = { bytes: memory, start: 1, end: 6 };
  const local = { serve: (): KeptReply => ({ ...servedBy('a:1'), value }) as KeptReply };
  const router = new Router(local, () => router.adopt({ topology: newer, remotes: [null] }));
  router.adopt({ topology: older, remotes: [null, new FakePeer(notMine)] });
  const reply = await router.serve(request);
  memory.fill('x');
  if (reply.status !== 'ok' || reply.value === undefined) throw new Error(reply.status);
  const { bytes, start, end } = reply.value;
  expect(bytes.toString('latin1', start, end)).toBe('value');
});

test('members that do not agree on the owner cost two hops and no loop', async () => {
  const topology = topologyOf(1, ['a:1', 'b:1']);
  const notMine: NotMine = { status: 'not-mine', topology: topology.facts() };
  const peer = new FakePeer(notMine, notMine, notMine);
  const router = new Router(here, () => {});
  router.adopt({ topology, remotes: [null, peer] });
  const reply = await router.serve(loadOwnedBy(topology, 'b:1'));
  expect(reply).toMatchObject(failure('OWNER_UNAVAILABLE', expect.any(String) as string));
  expect(peer.served).toHaveLength(2);
});
