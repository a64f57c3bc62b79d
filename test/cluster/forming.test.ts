// Nodes find each other, and refuse what does not belong together.
import { describe, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { leaseHost, leasePort } from '../support/lease.ts';
import { NodeProcess } from '../support/node-process.ts';
import { TestCluster } from '../support/test-cluster.ts';

const [ALL, FIRST] = [[1, 2, 3], [1]];

describe('forming', () => {
  const cases: [string, number[], Record<number, number[]>][] = [
    ['all list all, first to last', [1, 2, 3], { 1: ALL, 2: ALL, 3: ALL }],
    ['all list all, last to first', [3, 2, 1], { 1: ALL, 2: ALL, 3: ALL }],
    ['one lists all, the others list it', [2, 3, 1], { 1: ALL, 2: FIRST, 3: FIRST }],
    ['one lists all and starts first', [1, 3, 2], { 1: ALL, 2: FIRST, 3: FIRST }],
    ['each lists the next', [3, 1, 2], { 1: [2], 2: [3], 3: [1] }],
  ];

  test.each(cases)('%s', async (_, order, lists) => {
    await using cluster = await TestCluster.of();
    for (const [step, n] of order.entries()) {
      const join = lists[n]!.map((m) => cluster.peer(m));
      const node = cluster.start(n, join, ['-join-retries', '1000']);
      if (step === order.length - 1) break;
      // The next one starts when this one has met those that are there, and still serves nobody.
      await node.logged('the cluster is forming');
      const answer = await eventually(() => cluster.ask(n, 'GET', 'key'));
      expect(answer).toMatchObject({ status: 503, body: { code: 'NOT_READY' } });
      expect(answer.headers['retry-after']).toBe('1');
      for (const path of ['/v1/keys', '/v1/nodes', '/readyz']) {
        expect(await cluster.get(n, path)).toMatchObject({
          status: 503,
          body: { code: 'NOT_READY' },
        });
      }
      expect((await cluster.get(n, '/livez')).status).toBe(200);
      const verbose = await cluster.get(n, '/readyz?verbose');
      expect(verbose).toMatchObject({
        status: 503,
        json: { ready: false, checks: [{ name: 'member', ok: false }] },
      });
    }
    await cluster.formed();
    expect((await cluster.get(1, '/readyz')).json).toEqual({ ready: true });

    const members = cluster.peers(3);
    const ids = new Set<unknown>();
    for (const node of cluster.nodes) {
      const line = await node.logged('this node is a member', { epoch: 1 });
      expect(line.members).toEqual(members);
      ids.add(line.clusterId);
    }
    expect(ids.size).toBe(1);

    // Any node answers for any key.
    for (const n of ALL) expect((await cluster.ask(n, 'PUT', `key ${n}`, n)).status).toBe(200);
    for (const n of ALL) {
      for (const m of ALL) {
        expect((await cluster.ask(n, 'GET', `key ${m}`)).body.data).toBe(m);
      }
    }
  });

  test('a node without -join is a cluster of one at once', async () => {
    await using cluster = await TestCluster.of();
    const node = cluster.start(1, []);
    await node.logged('serving');
    const [view] = await cluster.view(1);
    expect(view).toMatchObject({ addr: cluster.peer(1), state: 'self', partitions: 16_384 });
    expect(Object.keys(view!)).toEqual(['id', 'addr', 'client', 'state', 'partitions', 'epoch']);
  });

  test('every node shows the same members, shares, ids and client addresses', async () => {
    await using cluster = await TestCluster.form(3);
    const views = await Promise.all(ALL.map((n) => cluster.view(n)));
    const [first] = views.map((view) => view.map((entry) => ({ ...entry, state: '' })));
    for (const view of views) expect(view.map((entry) => ({ ...entry, state: '' }))).toEqual(first);
    expect(first!.map(({ client }) => client)).toEqual(ALL.map((n) => cluster.client(n)));
    expect(first!.reduce((sum, { partitions }) => sum + partitions, 0)).toBe(16_384);
    for (const { partitions } of first!) expect(Math.abs(partitions - 5461.3)).toBeLessThan(164);
  });

  test('a node whose -join leads only to itself is a cluster of one, and says so', async () => {
    await using cluster = await TestCluster.of();
    const node = cluster.start(1, [cluster.peer(1)]);
    await node.logged('the addresses of -join lead to nobody but this node');
    expect((await cluster.ask(1, 'PUT', 'key', 1)).status).toBe(200);
  });

  test('host names, advertised addresses and every interface', async () => {
    await using cluster = await TestCluster.of();
    const ports = [await leasePort(), await leasePort()];
    const addresses = ports.map((port) => `127.0.0.1:${port}`);
    for (const [at, port] of ports.entries()) {
      const flags = ['-server-addr', `:${port}`, '-advertise-addr', addresses[at]!];
      flags.push('-insecure-peers');
      cluster.start(at + 1, [`localhost:${ports[1 - at]}`], flags);
    }
    for (const node of cluster.nodes) {
      const line = await node.logged('this node is a member');
      expect(line.members).toEqual(addresses.toSorted());
    }
    await cluster.nodes[0]!.logged('serving');
    const { body } = await cluster.ask(1, 'PUT', 'key', 1);
    expect(addresses).toContain(body.node?.addr);
  });

  test('an interrupt ends a node that waits for the others, with exit code 0', async () => {
    await using cluster = await TestCluster.of();
    const node = cluster.start(1, cluster.peers(2));
    await node.logged('the cluster is forming');
    node.signal('SIGTERM');
    expect(await node.exit).toEqual({ code: 0, signal: null });
  });
});

describe('refusing', () => {
  test('another -num-partitions: both sides name both, the younger exits', async () => {
    await using cluster = await TestCluster.of();
    const first = cluster.start(1, cluster.peers(3));
    const second = cluster.start(2, cluster.peers(3));
    await first.logged('a peer is up', { peer: cluster.peer(2) });
    const third = cluster.start(3, cluster.peers(3), ['-num-partitions', '64']);
    expect((await third.exit).code).toBe(1);
    expect(third.stderr).toMatch(/memhashd: .*-num-partitions is 64 here and 16384 there/);
    const reason = /-num-partitions is 16384 here and 64 there/;
    expect((await first.logged('a node was refused', { reason })).reason).toContain(
      cluster.peer(3),
    );
    // The others go on waiting, and form with the right one.
    cluster.start(3, cluster.peers(3));
    await cluster.formed();
    expect(second.stderr).not.toContain('memhashd: ');
  });

  test('a foreign cluster: both sides name both ids, and both go on', async () => {
    await using cluster = await TestCluster.form(3);
    const { clusterId } = await cluster.node(1).logged('this node is a member');
    await cluster.node(3).kill();
    // Somebody starts a cluster of its own at the address of a member.
    const foreign = cluster.start(3, []);
    const other = await foreign.logged('this node is a member');
    const named = `the cluster id is ${String(clusterId)} here and ${String(other.clusterId)} there`;
    await cluster.node(1).logged('a node was refused', { reason: new RegExp(named) });
    const mirrored = `the cluster id is ${String(other.clusterId)} here`;
    await foreign.logged('a node was refused', { reason: new RegExp(mirrored) });
    expect((await cluster.view(1)).map(({ state }) => state)).toEqual(['self', 'up', 'down']);
    expect((await cluster.ask(3, 'PUT', 'key', 1)).status).toBe(200);
    // The member comes back, and all is as before.
    await foreign.kill();
    cluster.start(3, cluster.peers(1));
    await cluster.formed();
  });

  test('an address of -join where nobody is: exit 1, naming it, after the retries', async () => {
    const host = await leaseHost();
    await using node = new NodeProcess(
      ['-server-addr', `${host}:2371`, '-client-addr', `${host}:8001`].concat([
        '-join',
        `${host}:2372`,
        '-join-retries',
        '1',
      ]),
    );
    expect((await node.exit).code).toBe(1);
    const message = `memhashd: -join ${host}:2372 was not reached in 2 attempts: nobody listens there`;
    expect(node.stderr).toContain(message);
  });

  test('a name of -join that means no host: exit 1, naming it', async () => {
    const host = await leaseHost();
    await using node = new NodeProcess(
      ['-server-addr', `${host}:2371`, '-client-addr', `${host}:8001`].concat([
        '-join',
        'nowhere.invalid:2372',
        '-join-retries',
        '0',
      ]),
    );
    expect((await node.exit).code).toBe(1);
    expect(node.stderr).toContain('-join nowhere.invalid:2372 was not reached in 1 attempts');
  });

  test('peers would be told an address for every interface: exit 2, naming the flag', async () => {
    await using node = new NodeProcess(['-server-addr', ':0', '-join', '127.0.0.1:1']);
    expect((await node.exit).code).toBe(2);
    expect(node.stderr).toMatch(/-server-addr :0: -advertise-addr must say where/);
  });

  test('a port in use is reported before anybody is waited for', async () => {
    await using cluster = await TestCluster.of();
    await cluster.start(1, []).logged('serving');
    for (const [flag, address] of [
      ['server-addr', cluster.peer(1)],
      ['client-addr', cluster.client(1)],
    ] as const) {
      await using node = new NodeProcess([
        '-server-addr',
        cluster.peer(2),
        '-client-addr',
        cluster.client(2),
        '-join',
        cluster.peer(3),
        `-${flag}`,
        address,
      ]);
      expect((await node.exit).code).toBe(1);
      expect(node.stderr).toContain(`memhashd: -${flag} ${address}: the address is in use`);
    }
  });

  test('something that is no node at an address of -join: exit 1, saying what it speaks', async () => {
    await using cluster = await TestCluster.of();
    await cluster.start(1, []).logged('serving');
    const node = cluster.start(2, [cluster.client(1)], ['-join-retries', '0']);
    expect((await node.exit).code).toBe(1);
    expect(node.stderr).toMatch(/was not reached in 1 attempts: it speaks/);
  });
});
