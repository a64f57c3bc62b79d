// Members join and leave while clients on all nodes load and store: nothing fails, and nothing is lost.
import { setTimeout } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { ask, type Answer } from '../support/client.ts';
import { CuttableWays } from '../support/cuttable-ways.ts';
import { eventually } from '../support/eventually.ts';
import { seededRandom } from '../support/random.ts';
import { TestCluster } from '../support/test-cluster.ts';
import { checkHistory, runVersions, type Seen } from '../support/versions.ts';

const KEYS = Array.from({ length: 60 }, (_, n) => `key ${n}`);

const CLIENTS = 4;

/** Changes of members in one test: each is a join or a leave. */
const CHANGES = 20;

/** What `GET /v1/topology` shows. */
interface Overview {
  readonly epoch: number;
  readonly is_settled: boolean;
  readonly members: readonly { readonly addr: string; readonly partitions: number }[];
  readonly change: {
    readonly phase: string;
    readonly waiting_for: readonly string[];
    readonly copied: readonly {
      readonly addr: string;
      readonly partitions: number;
      readonly partitions_total: number;
      readonly bytes: number;
      readonly bytes_total: number;
    }[];
  } | null;
  readonly last: { readonly kind: string; readonly outcome: string } | null;
}

async function overview(cluster: TestCluster, n: number): Promise<Overview> {
  return (await cluster.get(n, '/v1/topology')).json as Overview;
}

/** Waits until these nodes, and no others, are members, and everything has moved. */
async function settled(cluster: TestCluster, members: readonly number[]): Promise<void> {
  const expected = members.map((n) => cluster.peer(n)).toSorted();
  for (const n of members) {
    await eventually(async () => {
      const seen = await overview(cluster, n);
      expect(seen.members.map(({ addr }) => addr)).toEqual(expected);
      expect(seen).toMatchObject({ is_settled: true, change: null });
    });
  }
}

/** Lets node `n` join these members. */
async function join(cluster: TestCluster, n: number, members: readonly number[]): Promise<void> {
  const addresses = members.map((one) => cluster.peer(one));
  await cluster.start(n, addresses).logged('serving');
}

/** Lets node `n` leave, as any member is asked to. */
async function leave(cluster: TestCluster, n: number, asked: number): Promise<void> {
  const path = `/v1/nodes/${cluster.peer(n)}`;
  const answer = await ask(cluster.url(asked), 'DELETE', path);
  expect(answer).toMatchObject({ status: 202, json: { kind: 'leave', who: cluster.peer(n) } });
  expect(answer.headers['location']).toBe('/v1/topology');
  expect(await cluster.node(n).exit).toEqual({ code: 0, signal: null });
}

/** Clients that ask all of some nodes, which may change. */
class Clients {
  isOver = false;
  #answers = 0;
  readonly #histories: Promise<Seen[]>[];

  /** `failures` are codes that there may be. */
  constructor(
    cluster: TestCluster,
    members: readonly number[],
    random: () => number,
    failures: readonly string[] = [],
  ) {
    this.#histories = Array.from({ length: CLIENTS }, () =>
      runVersions({
        urls: () => members.map((n) => cluster.url(n)),
        keys: KEYS,
        random,
        isOver: () => this.isOver,
        allows: (code) => code === 'KEY_NOT_FOUND' || failures.includes(code),
        onAnswer: () => void this.#answers++,
      }),
    );
  }

  /** Waits for so many more answers. */
  async answered(count: number): Promise<void> {
    const enough = this.#answers + count;
    await eventually(() => {
      if (this.#answers < enough) throw new Error(`${this.#answers} answers of ${enough}`);
    });
  }

  /** Lets something happen meanwhile, which a client's failure ends; gives what was seen. */
  async during(change: Promise<void>): Promise<Seen[]> {
    try {
      await Promise.race([change, Promise.all(this.#histories)]);
    } finally {
      this.isOver = true;
    }
    return (await Promise.all(this.#histories)).flat();
  }
}

test(`members join and leave ${CHANGES} times under load: no error, nothing lost, nothing stale`, async () => {
  const random = seededRandom('join and leave');
  await using cluster = await TestCluster.form(2);
  const members = [1, 2];
  const clients = new Clients(cluster, members, random);
  const change = async (): Promise<void> => {
    for (let count = 0; count < CHANGES; count++) {
      const absent = [1, 2, 3, 4].filter((n) => !members.includes(n));
      if (members.length === 2 || (members.length < 4 && random() < 0.5)) {
        const n = absent[Math.floor(random() * absent.length)]!;
        await join(cluster, n, members);
        members.push(n);
      } else {
        const [n] = members.splice(Math.floor(random() * members.length), 1);
        await leave(cluster, n!, members[0]!);
      }
      await settled(cluster, members);
    }
  };
  const history = await clients.during(change());
  checkHistory(history);
  expect(history.length).toBeGreaterThan(CHANGES);
}, 240_000);

/** Records that take the old owners some seconds to copy at the least rate there is. */
async function storeBallast(cluster: TestCluster): Promise<void> {
  for (let n = 0; n < 200; n++) await cluster.ask(1, 'PUT', `ballast ${n}`, 'x'.repeat(4096));
}

test('a node that dies while it joins, again and again: nobody else notices', async () => {
  const random = seededRandom('deaths while joining');
  await using cluster = await TestCluster.form(2, ['-migration-rate', '64kib']);
  await storeBallast(cluster);
  const clients = new Clients(cluster, [1, 2], random);
  const change = async (): Promise<void> => {
    for (let count = 0; count < 3; count++) {
      const node = cluster.start(3, cluster.peers(2));
      await node.logged('a handover was agreed to');
      await clients.answered(Math.floor(random() * 100));
      await node.kill();
      await settled(cluster, [1, 2]);
    }
    await join(cluster, 3, [1, 2]);
    await settled(cluster, [1, 2, 3]);
  };
  checkHistory(await clients.during(change()));
  expect((await overview(cluster, 3)).last).toMatchObject({ kind: 'join', outcome: 'done' });
}, 120_000);

test('a node that stands still while it joins is given up, and gets in when it goes on', async () => {
  const random = seededRandom('a pause while joining');
  await using cluster = await TestCluster.form(2, ['-migration-rate', '64kib']);
  await storeBallast(cluster);
  const clients = new Clients(cluster, [1, 2], random);
  const change = async (): Promise<void> => {
    const node = cluster.start(3, cluster.peers(2));
    await node.logged('a handover was agreed to');
    await clients.answered(Math.floor(random() * 100));
    node.signal('SIGSTOP');
    await cluster.node(1).logged('a handover was given up');
    node.signal('SIGCONT');
    await node.logged('serving');
    await settled(cluster, [1, 2, 3]);
  };
  checkHistory(await clients.during(change()));
  expect((await overview(cluster, 1)).last).toMatchObject({ kind: 'join', outcome: 'done' });
}, 120_000);

test('an old owner that stands still while a node joins costs its own keys, for as long as it does', async () => {
  const random = seededRandom('a pause of an old owner');
  await using cluster = await TestCluster.form(2, ['-migration-rate', '64kib']);
  await storeBallast(cluster);
  // Of the other one, for this one answers nobody meanwhile.
  const clients = new Clients(cluster, [1], random, ['OWNER_UNAVAILABLE', 'OUTCOME_UNKNOWN']);
  const change = async (): Promise<void> => {
    const third = cluster.start(3, cluster.peers(2));
    for (const node of [cluster.node(2), third]) await node.logged('a handover was agreed to');
    await clients.answered(Math.floor(random() * 100));
    cluster.node(2).signal('SIGSTOP');
    await cluster.node(1).logged('a peer is down', { peer: cluster.peer(2) });
    await clients.answered(100);
    cluster.node(2).signal('SIGCONT');
    await settled(cluster, [1, 2, 3]);
  };
  checkHistory(await clients.during(change()));
  expect((await overview(cluster, 2)).last).toMatchObject({ kind: 'join', outcome: 'done' });
}, 120_000);

const CUTS = [
  // Between an old owner and the new one, in one direction; and back.
  [[1, 3]],
  [[3, 2]],
  // Between the old owners.
  [
    [1, 2],
    [2, 1],
  ],
  // The newcomer hears nobody.
  [
    [1, 3],
    [2, 3],
  ],
] as const;

test('links that are cut and heal while a member comes and goes: nothing lost, nothing stale', async () => {
  const random = seededRandom('cut links');
  const cluster = await TestCluster.of(['-migration-rate', '256kib']);
  await using ways = await CuttableWays.to(cluster, 3);
  for (const n of [1, 2]) ways.start(n, cluster.peers(2));
  await cluster.formed();
  await storeBallast(cluster);
  const failures = ['OWNER_UNAVAILABLE', 'OUTCOME_UNKNOWN'];
  const clients = new Clients(cluster, [1, 2], random, failures);
  const cut = async (links: (typeof CUTS)[number], isLong: boolean): Promise<void> => {
    await clients.answered(Math.floor(random() * 50));
    for (const [from, to] of links) ways.cut(from, to);
    const [[from, to]] = links;
    const facts = { peer: cluster.peer(from) };
    if (isLong) await cluster.node(to).logged('a peer is down', facts);
    else await setTimeout(random() * 1000);
    ways.heal();
  };
  const change = async (): Promise<void> => {
    for (const [round, links] of CUTS.entries()) {
      const isLong = round === Math.floor(CUTS.length / 2);
      const node = ways.start(3, cluster.peers(2));
      await node.logged('a handover was agreed to');
      await cut(links, isLong);
      await settled(cluster, [1, 2, 3]);
      const path = `/v1/nodes/${cluster.peer(3)}`;
      expect((await ask(cluster.url(1), 'DELETE', path)).status).toBe(202);
      await cut(links, false);
      expect(await node.exit).toEqual({ code: 0, signal: null });
      await settled(cluster, [1, 2]);
    }
  };
  checkHistory(await clients.during(change()));
}, 240_000);

test('how far a change is, and whom it waits for, is seen at every node', async () => {
  await using cluster = await TestCluster.form(2, ['-migration-rate', '64kib']);
  await storeBallast(cluster);
  cluster.start(3, cluster.peers(2));
  for (const n of [1, 2]) {
    await eventually(async () => {
      const { change } = await overview(cluster, n);
      expect(change).toMatchObject({ kind: 'join', who: [cluster.peer(3)], phase: 'copying' });
      expect(change!.waiting_for).toEqual(cluster.peers(2));
      expect(change!.copied.map(({ addr }) => addr)).toEqual(cluster.peers(2));
      for (const { partitions, partitions_total, bytes, bytes_total } of change!.copied) {
        expect(partitions).toBeGreaterThan(0);
        expect(partitions).toBeLessThan(partitions_total);
        expect(bytes).toBeGreaterThan(0);
        expect(bytes).toBeLessThan(bytes_total);
      }
    });
  }
}, 60_000);

test('a node without the memory for its share is not let in, and the reason has the sizes', async () => {
  await using cluster = await TestCluster.form(2);
  for (let n = 0; n < 40; n++) await cluster.ask(1, 'PUT', `large ${n}`, 'x'.repeat(100_000));
  const third = cluster.start(3, cluster.peers(2), ['-max-memory', '1mib']);
  const sizes = /up to \S+ MiB of records are to come, and \S+ MiB of -max-memory are free/;
  await cluster.node(1).logged('a handover was given up', { reason: sizes });
  expect(third.log().map(({ msg }) => msg)).not.toContain('serving');
  for (let n = 0; n < 40; n++) expect((await cluster.ask(2, 'GET', `large ${n}`)).status).toBe(200);
}, 60_000);

test('an old owner that dies while a node joins: the change is given up, and succeeds when it is back', async () => {
  await using cluster = await TestCluster.form(3, ['-migration-rate', '64kib']);
  await storeBallast(cluster);
  const fourth = cluster.start(4, cluster.peers(3));
  // Who has not heard of the change yet would have nothing to give up.
  for (const party of [fourth, cluster.node(2)]) await party.logged('a handover was agreed to');
  // The lowest address coordinates.
  await cluster.node(1).kill();
  cluster.start(1, cluster.peers(4), ['-migration-rate', '64kib']);
  await cluster.node(2).logged('a handover was given up');
  await settled(cluster, [1, 2, 3, 4]);
  expect((await cluster.ask(4, 'PUT', 'key', 1)).status).toBe(200);
}, 60_000);

/** Waits until some nodes see that another is down. */
async function down(cluster: TestCluster, gone: number, by: readonly number[]): Promise<void> {
  for (const n of by) {
    await eventually(async () => {
      const seen = (await cluster.view(n)).find(({ addr }) => addr === cluster.peer(gone));
      if (seen?.state !== 'down') throw new Error(`node ${n} sees node ${gone} ${seen?.state}`);
    });
  }
}

test('a dead member is forgotten, one that can be reached is not', async () => {
  await using cluster = await TestCluster.form(3);
  const path = `/v1/nodes/${cluster.peer(1)}`;
  const forget = (asked: number): Promise<Answer> =>
    ask(cluster.url(asked), 'DELETE', `${path}?force=true`);
  expect(await forget(2)).toMatchObject({ status: 409, json: { code: 'NODE_REACHABLE' } });
  await cluster.node(1).kill();
  await down(cluster, 1, [2, 3]);
  expect(await ask(cluster.url(2), 'DELETE', path)).toMatchObject({
    status: 409,
    json: { code: 'NODE_UNREACHABLE' },
  });
  expect(await forget(2)).toMatchObject({ status: 202, json: { kind: 'forget' } });
  await settled(cluster, [2, 3]);
  await cluster.node(3).logged('a member was forgotten: its partitions start empty');
  for (const key of KEYS) expect((await cluster.ask(2, 'PUT', key, 1)).status).toBe(200);
  // Who starts again under that address is a newcomer.
  await join(cluster, 1, [2, 3]);
  await settled(cluster, [1, 2, 3]);
}, 60_000);

test('-leave-on-stop: a member that is told to stop hands over first, the last one just stops', async () => {
  await using cluster = await TestCluster.form(2, ['-leave-on-stop', '1h']);
  for (const key of KEYS) await cluster.ask(1, 'PUT', key, 1);
  cluster.node(1).signal('SIGTERM');
  expect(await cluster.node(1).exit).toEqual({ code: 0, signal: null });
  for (const key of KEYS) expect((await cluster.ask(2, 'GET', key)).status).toBe(200);
  cluster.node(2).signal('SIGTERM');
  expect(await cluster.node(2).exit).toEqual({ code: 0, signal: null });
}, 60_000);

test('-leave-on-stop: when all members are told to stop at once all do', async () => {
  await using cluster = await TestCluster.form(2, ['-leave-on-stop', '1h']);
  for (const node of cluster.nodes) node.signal('SIGTERM');
  for (const node of cluster.nodes) expect(await node.exit).toEqual({ code: 0, signal: null });
}, 60_000);

test('only a member can be taken away, and not the last one', async () => {
  await using cluster = await TestCluster.form(1);
  const remove = (name: string): Promise<Answer> =>
    ask(cluster.url(1), 'DELETE', `/v1/nodes/${name}`);
  expect(await remove('127.0.0.1:1')).toMatchObject({
    status: 404,
    json: { code: 'NODE_NOT_FOUND' },
  });
  expect(await remove(cluster.peer(1))).toMatchObject({ status: 409, json: { code: 'LAST_NODE' } });
});

test('a request for the topology waits until that changes, and shows owners where it is asked', async () => {
  await using cluster = await TestCluster.form(1, ['-num-partitions', '16']);
  const first = await cluster.get(1, '/v1/topology?owners=true');
  expect(first.json).toMatchObject({ epoch: 1, partitions: 16, owners: Array(16).fill(0) });
  const tag = String(first.headers['etag']);
  const known = { headers: { 'If-None-Match': tag } };
  expect((await ask(cluster.url(1), 'GET', '/v1/topology', known)).status).toBe(304);
  const later = ask(cluster.url(1), 'GET', '/v1/topology?wait=60s', known);
  await join(cluster, 2, [1]);
  expect((await later).status).toBe(200);
  expect((await cluster.get(1, '/v1/topology?wait=no')).status).toBe(400);
}, 60_000);

/** Lists the cluster by pages, each asked of any member, from the start again where a cursor says so. */
async function listByPages(cluster: TestCluster, members: readonly number[]): Promise<string[]> {
  const keys: string[] = [];
  let next: string | undefined = '/v1/keys?scope=cluster&prefix=stay&limit=50';
  for (let n = 0; next !== undefined; n++) {
    const page: Answer = await cluster.get(members[n % members.length]!, next);
    if (page.text.includes('its key has moved')) return listByPages(cluster, members);
    if (page.status !== 200) throw new Error(page.text);
    keys.push(...(page.json as string[]));
    next = /<(.*)>/.exec(String(page.headers['link'] ?? ''))?.[1];
  }
  return keys;
}

test('lists are whole, and name no key twice, while members come and go', async () => {
  await using cluster = await TestCluster.form(2);
  const keys = Array.from({ length: 2000 }, (_, n) => `stay ${n}`);
  const operations = keys.map((key) => ({ store: key, data: 1 }));
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify(operations);
  expect((await ask(cluster.url(1), 'POST', '/v1/batch', { headers, body })).status).toBe(200);
  const members = [1, 2];
  const progress = { isOver: false };
  const expected = keys.toSorted();
  const readers = [0, 1].map(async () => {
    while (!progress.isOver) {
      expect((await listByPages(cluster, members)).toSorted()).toEqual(expected);
      const whole = await cluster.get(members.at(-1)!, '/v1/keys?scope=cluster&prefix=stay');
      expect((whole.json as string[]).toSorted()).toEqual(expected);
    }
  });
  const change = async (): Promise<void> => {
    for (let round = 0; round < 2; round++) {
      await join(cluster, 3, [1, 2]);
      await settled(cluster, [1, 2, 3]);
      await leave(cluster, 3, 1);
      await settled(cluster, [1, 2]);
    }
    progress.isOver = true;
  };
  await Promise.all([...readers, change()]);
}, 120_000);
