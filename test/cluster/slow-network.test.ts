// A slow network between members: large values get through, and small requests are not held up by them.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect, test } from 'vitest';

import { parseAddress } from '../../src/net/address.ts';
import { TestCluster } from '../support/test-cluster.ts';

const MIB = 1024 * 1024;
const BYTES_PER_SECOND = 6_000_000;

/** Hands bytes on at a rate, and reads no faster. */
function throttle(from: Socket, to: Socket): void {
  let freeAtMs = 0;
  from.on('error', () => to.destroy()).on('close', () => to.destroy());
  from.on('data', (chunk: Buffer) => {
    const nowMs = performance.now();
    freeAtMs = Math.max(freeAtMs, nowMs) + (chunk.length / BYTES_PER_SECOND) * 1000;
    from.pause();
    setTimeout(() => {
      to.write(chunk);
      from.resume();
    }, freeAtMs - nowMs);
  });
}

/** A way to `target`, an address, that is slow in both directions. */
async function slowWay(address: string, target: string): Promise<Server> {
  const server = createServer((near) => {
    const far = connect(parseAddress(target)!);
    throttle(near, far);
    throttle(far, near);
  }).listen(parseAddress(address)!);
  await once(server, 'listening');
  return server;
}

test('a value of 12 MiB goes over 6 MB a second, there and back, and small requests with it', async () => {
  await using cluster = await TestCluster.of();
  const { host } = parseAddress(cluster.peer(2))!;
  const hidden = `${host}:12372`;
  const way = await slowWay(cluster.peer(2), hidden);
  cluster.start(1, cluster.peers(2));
  cluster.start(2, cluster.peers(2), ['-server-addr', hidden, '-advertise-addr', cluster.peer(2)]);
  for (const n of [1, 2]) await cluster.node(n).logged('serving');
  const [, key] = await cluster.ownedKeys(2);
  const small = `{${key}} small`;
  expect((await cluster.ask(1, 'PUT', small, 1)).body.node?.addr).toBe(cluster.peer(2));

  const value = 'x'.repeat(12 * MIB);
  const progress = { isDone: false };
  const large = (async () => {
    const stored = await cluster.ask(1, 'PUT', key!, value);
    const loaded = await cluster.ask(1, 'GET', key!);
    progress.isDone = true;
    return [stored, loaded] as const;
  })();
  const statuses: number[] = [];
  while (!progress.isDone) statuses.push((await cluster.ask(1, 'GET', small)).status);
  const [stored, loaded] = await large;
  expect(stored.status).toBe(200);
  expect(loaded.status).toBe(200);
  expect(loaded.body.data).toHaveLength(12 * MIB);
  expect(statuses.length).toBeGreaterThan(10);
  expect(new Set(statuses)).toEqual(new Set([200]));
  const lost = cluster
    .node(1)
    .log()
    .filter(({ msg }) => msg === 'a peer is down');
  expect(lost.filter(({ reason }) => reason !== 'nobody listens there')).toEqual([]);
  await cluster[Symbol.asyncDispose]();
  way.close();
});
