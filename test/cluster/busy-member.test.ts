// A member that is busy with its own clients is slow for the others, and never gone.
import { expect, test } from 'vitest';

import { ask, pathOf } from '../support/client.ts';
import { TestCluster } from '../support/test-cluster.ts';

const json = { 'Content-Type': 'application/json' };

test.each([
  ['16 clients that store 1 MB', 16, 25, JSON.stringify({ data: 'x'.repeat(1_000_000) })],
  ['4 clients that store a million members', 4, 6, `{"data":[${'1,'.repeat(1_000_000)}1]}`],
])('beside %s at a member, what others ask of it is served', async (_, clients, times, body) => {
  await using cluster = await TestCluster.form(2);
  const [, key] = await cluster.ownedKeys(2);
  const running = { clients };
  const busy = Array.from({ length: clients }, async (__, client) => {
    const statuses: number[] = [];
    for (let n = 0; n < times; n++) {
      const path = pathOf(`{${key}} ${client}`);
      const init = { headers: json, body };
      statuses.push((await ask(cluster.url(2), 'PUT', path, init)).status);
    }
    running.clients--;
    return statuses;
  });
  const small: number[] = [];
  while (running.clients > 0) small.push((await cluster.ask(1, 'GET', key!)).status);
  expect(new Set((await Promise.all(busy)).flat())).toEqual(new Set([200]));
  expect(new Set(small)).toEqual(new Set([200]));
  for (const n of [1, 2]) {
    expect(
      cluster
        .node(n)
        .log()
        .filter(({ msg }) => msg === 'a peer is down'),
    ).toEqual([]);
  }
});
