// Links and sessions of two nodes that talk over pipes in memory, by a clock that is stepped.
import { expect, test } from 'vitest';

import { Budget } from '../base/budget.ts';
import { Deferred } from '../base/deferred.ts';
import { keyFromText, type Key } from '../base/key.ts';
import { SESSIONS_PER_PEER_MAX } from '../base/limits.ts';
import { addressOf, FakeHost, helloOf } from '../../test/support/fake-host.ts';
import { FakeNetwork } from '../../test/support/fake-network.ts';
import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import { Link } from './link.ts';
import { Peers } from './peers.ts';

const key = keyFromText('key') as Key;
const fence = { cluster: 1, epoch: 1 };
const load = { action: 'load', key } as const;

interface Node {
  readonly peers: Peers;
  readonly host: FakeHost;
}

const MIB = 1024 * 1024;

/** Two nodes, each with a link to the other. */
async function pair(): Promise<{ network: FakeNetwork; timers: SteppedTimers; nodes: Node[] }> {
  const timers = new SteppedTimers();
  const network = new FakeNetwork(timers, { segmentBytes: 7 });
  const nodes = [startNode(network, 1), startNode(network, 2)];
  nodes[0]!.peers.linkTo([addressOf(2)]);
  nodes[1]!.peers.linkTo([addressOf(1)]);
  await timers.step(50);
  return { network, timers, nodes };
}

function startNode(network: FakeNetwork, n: number): Node {
  const host = new FakeHost(helloOf(n));
  const transport = network.transport(addressOf(n));
  const peers = new Peers({ host, transport, timers: network.timers, streamBytesPerSecond: MIB });
  peers.start();
  return { peers, host };
}

test('a request goes to the peer, and its answer comes back', async () => {
  const { timers, nodes } = await pair();
  const [one, two] = nodes as [Node, Node];
  expect(one.host.events).toEqual(['up']);
  const reply = one.peers.link(addressOf(2))!.serve(load, fence);
  await timers.step(50);
  const node = { id: helloOf(2).id, addr: addressOf(2) };
  expect(await reply).toEqual({ ...two.host.reply, node });
});

test('a page of keys comes over a link', async () => {
  const { timers, nodes } = await pair();
  const page = nodes[0]!.peers.link(addressOf(2))!.list({ prefix: '' as Key, limit: 9 }, fence);
  await timers.step(50);
  expect(await page).toMatchObject({ status: 'page', keys: [key], next: undefined });
});

test('a peer that is killed: what waits for it fails, and it is dialled until it is back', async () => {
  const { network, timers, nodes } = await pair();
  const [one, two] = nodes as [Node, Node];
  two.host.serveHere = () => new Promise(() => {});
  const link = one.peers.link(addressOf(2))!;
  const [read, write] = [link.serve(load, fence), link.serve({ action: 'delete', key }, fence)];
  await timers.step(50);
  network.kill(addressOf(2));
  await timers.step(50);
  expect(await read).toMatchObject({ code: 'OWNER_UNAVAILABLE' });
  expect(await write).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  expect(await link.serve(load, fence)).toMatchObject({ code: 'OWNER_UNAVAILABLE' });
  await timers.step(1000);
  expect(one.host.events.at(-1)).toBe('down: nobody listens there');
  startNode(network, 2);
  await timers.step(200);
  expect(one.host.events.at(-1)).toBe('up');
});

test('a peer that is cut off is given up, and found again', async () => {
  const { network, timers, nodes } = await pair();
  const [one] = nodes as [Node, Node];
  network.cut(addressOf(2), addressOf(1));
  await timers.step(20_000);
  expect(one.host.events).toContain('down: it gives no sign of life');
  expect(one.host.events.at(-1)).toBe('down: nobody answers there');
  network.heal(addressOf(2), addressOf(1));
  await timers.step(2000);
  expect(one.host.events.at(-1)).toBe('up');
});

test('who is refused is told why, whichever side refuses', async () => {
  const timers = new SteppedTimers();
  const network = new FakeNetwork(timers);
  const [one, two] = [startNode(network, 1), startNode(network, 2)];
  two.host.refusal = 'not you';
  one.peers.linkTo([addressOf(2)]);
  await timers.step(90);
  expect(one.host.events).toEqual(['down: it refuses this node: not you']);
  expect(two.host.events).toEqual(['left: not you']);
  two.host.refusal = undefined;
  one.host.refusal = 'nor you';
  await timers.step(100);
  expect(one.host.events.at(-1)).toBe('down: nor you');
  expect(two.host.events.at(-1)).toBe('left: it refuses this node: nor you');
});

test('a peer has a few sessions at most, and the oldest goes', async () => {
  const timers = new SteppedTimers();
  const network = new FakeNetwork(timers);
  const [one, two] = [startNode(network, 1), startNode(network, 2)];
  const budget = new Budget(MIB);
  const shared = { timers, incoming: budget, outgoing: budget, strangers: budget };
  const transport = network.transport(addressOf(1));
  for (let n = 0; n < SESSIONS_PER_PEER_MAX + 1; n++) {
    new Link(addressOf(2), { ...shared, host: one.host, transport }).dial();
    await timers.step(5);
  }
  expect(two.host.events).toEqual(['left: it has opened too many others since']);
});

test('what a client does not wait for any more is told to the peer, which stops it', async () => {
  const { timers, nodes } = await pair();
  const [one, two] = nodes as [Node, Node];
  const forsaken: (() => boolean)[] = [];
  two.host.serveHere = (_request, _fence, isGone) => {
    forsaken.push(isGone);
    return new Promise(() => {});
  };
  const link = one.peers.link(addressOf(2))!;
  let isGone = false;
  const sent = link.serve(load, fence, () => isGone);
  const wanted = link.serve(load, fence, () => false);
  await timers.step(500);
  expect(forsaken.map((ask) => ask())).toEqual([false, false]);
  isGone = true;
  await timers.step(500);
  expect(forsaken.map((ask) => ask())).toEqual([true, false]);
  expect(await sent).toMatchObject({ status: 'failed' });
  expect(link.stats().waiting).toBe(1);
  // A number that says nothing to the peer, or not any more, does no harm.
  two.peers.close();
  await timers.step(50);
  expect(forsaken.map((ask) => ask())).toEqual([true, true]);
  expect(await wanted).toMatchObject({ code: 'OWNER_UNAVAILABLE' });
});

test('a node that stops answers what it was sent, and is sent nothing more', async () => {
  const { timers, nodes } = await pair();
  const [one, two] = nodes as [Node, Node];
  const answers = [new Deferred(), new Deferred()];
  let asked = 0;
  two.host.serveHere = () => answers[asked++]!.promise.then(() => two.host.reply);
  const link = one.peers.link(addressOf(2))!;
  const sent = [link.serve(load, fence), link.serve({ action: 'delete', key }, fence)];
  await timers.step(5);
  const finished = two.peers.finish();
  // Sent before the peer could know, and answered all the same.
  await timers.step(50);
  expect(await link.serve(load, fence)).toMatchObject({
    code: 'OWNER_UNAVAILABLE',
    detail: expect.stringMatching(/it is stopping$/),
  });
  for (const { resolve } of answers) resolve();
  await timers.step(50);
  expect(await Promise.all(sent)).toMatchObject([{ status: 'ok' }, { status: 'ok' }]);
  await finished;
  expect(one.host.events).toContain('down: it is stopping');
});

test('a node that stops does not wait for ever for an answer', async () => {
  const { timers, nodes } = await pair();
  const [one, two] = nodes as [Node, Node];
  two.host.serveHere = () => new Promise(() => {});
  const sent = one.peers.link(addressOf(2))!.serve({ action: 'delete', key }, fence);
  await timers.step(5);
  const finished = two.peers.finish();
  await timers.step(1500);
  await finished;
  two.peers.close();
  await timers.step(50);
  expect(await sent).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
});

test('a node that is closed leaves no timer behind', async () => {
  const { timers, nodes } = await pair();
  for (const { peers } of nodes) {
    peers.close();
    peers.close();
  }
  await timers.step(5000);
  expect(timers.isIdle).toBe(true);
});
