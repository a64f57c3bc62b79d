// A cluster of six under load, through two nodes of memhashd, while its servers fail and move.
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ask } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { needs } from '../support/needs.ts';
import { NodeProcess } from '../support/node-process.ts';
import { ValkeyCluster, type ValkeyServer } from '../support/valkey.ts';
import { Load } from '../support/valkey-load.ts';

/** A slot of the first primary, which is the one that things happen to. */
const SLOT = 0;
const MIDDLE_SLOT = 8000;
const LAST_SLOT = 16_383;

const NO_ANSWER = expect.stringMatching(/^(OWNER_UNAVAILABLE|OUTCOME_UNKNOWN)$/);

/** Does operations in one request, all of which must be done. */
async function batch(url: string, operations: readonly object[]): Promise<void> {
  const answer = await ask(url, 'POST', '/v1/batch', {
    headers: { 'Content-Type': 'application/json', Prefer: 'return=minimal' },
    body: JSON.stringify(operations),
  });
  expect(answer.json).toMatchObject({ failed: 0 });
}

/** Waits until the load has gone on for a while. */
async function more(load: Load, requests = 500): Promise<void> {
  const goal = load.requests + requests;
  await eventually(() => {
    if (load.requests < goal) throw new Error('the load stands still');
  }, 60_000);
}

needs('redis-server')('a cluster of six under load', () => {
  let cluster: ValkeyCluster;
  const nodes: NodeProcess[] = [];
  beforeAll(async () => {
    // What a killed server had acknowledged is on its disk, as far as the system writes it.
    cluster = await ValkeyCluster.form(['--appendonly', 'yes']);
    for (let n = 0; n < 2; n++) {
      nodes.push(await NodeProcess.start(['-engine', 'redis', ...cluster.seeds]));
    }
  });
  afterAll(async () => {
    for (const node of nodes) await node[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  const urls = () => nodes.map(({ url }) => url);

  /** The slots that a server owns, as a predicate. */
  async function slotsOf(server: ValkeyServer): Promise<(slot: number) => boolean> {
    const owners = await Promise.all(
      [0, 5461, 10_923].map(async (slot) => (await cluster.pairOf(slot)).primary),
    );
    const at = owners.indexOf(server);
    return (slot) => (slot < 5461 ? 0 : slot < 10_923 ? 1 : 2) === at;
  }

  /** Waits until the others have given the slots of a server to its replica. */
  async function takenOver(primary: ValkeyServer): Promise<void> {
    const other = cluster.servers.find((server) => server !== primary)!;
    await eventually(async () => {
      const view = String(await other.client.call('CLUSTER', 'NODES'));
      const line = view.split('\n').find((text) => text.includes(`:${primary.port}@`));
      if (!/\bfail\b/.test(line!) || / \d+-\d+/.test(line!)) throw new Error(view);
    }, 60_000);
  }

  /** Waits until each node serves stores in the slots of a key. */
  async function served(keys: readonly string[]): Promise<void> {
    for (const url of urls()) {
      for (const key of keys) {
        const question = { headers: { 'Content-Type': 'application/json' }, body: '{"data":0}' };
        await eventually(async () => {
          const { status, text } = await ask(url, 'PUT', `/v1/keys/${key}`, question);
          if (status !== 200) throw new Error(text);
        }, 60_000);
      }
    }
  }

  /** Keys of each of the three ranges of slots. */
  const ofEachRange = ['{06S}', '{0}', '{1}', '{2}', '{3}'];

  test('nodes: three primaries and three replicas, each with its state and slots', async () => {
    const answer = await ask(urls()[0]!, 'GET', '/v1/nodes');
    const members = answer.json as {
      role: string;
      of: string | null;
      id: string;
      slots: string[];
    }[];
    expect(members).toHaveLength(6);
    const primaries = members.filter(({ role }) => role === 'primary');
    const ranges = primaries.flatMap(({ slots }) => slots);
    expect(ranges.toSorted()).toEqual(['0-5460', '10923-16383', '5461-10922']);
    const replicas = members.filter(({ role }) => role === 'replica');
    expect(new Set(replicas.map(({ of }) => of))).toEqual(new Set(primaries.map(({ id }) => id)));
    for (const member of members) expect(member).toMatchObject({ state: 'up' });
  });

  test('a slot with more keys than one step takes is listed whole, and only what is live', async () => {
    const names = Array.from({ length: 1500 }, (_, n) => `{big}${n}`);
    for (let at = 0; at < names.length; at += 500) {
      const operations = names.slice(at, at + 500).map((store) => ({ store, data: 1 }));
      await batch(urls()[0]!, operations);
    }
    await batch(urls()[0]!, [{ store: '{big}gone', data: 1, expire_time: '1ns' }]);
    await batch(urls()[0]!, [{ store: '{big}other', data: 1 }]);
    const list = await ask(urls()[1]!, 'GET', '/v1/keys?prefix=%7Bbig%7D');
    expect((list.json as string[]).toSorted()).toEqual([...names, '{big}other'].toSorted());
    const part = await ask(urls()[1]!, 'GET', '/v1/keys?prefix=%7Bbig%7D99');
    expect((part.json as string[]).toSorted()).toEqual(
      names.filter((name) => name.startsWith('{big}99')).toSorted(),
    );
    await batch(
      urls()[0]!,
      [...names, '{big}other'].map((name) => ({ delete: name })),
    );
  });

  test.each(['SIGKILL', 'SIGSTOP'] as const)(
    'a primary that gets %s costs its own slots only, until its replica has taken over',
    async (signal) => {
      const { primary } = await cluster.pairOf(SLOT);
      const isVictims = await slotsOf(primary);
      const load = new Load(urls(), { mayLose: isVictims });
      await more(load);
      if (signal === 'SIGKILL') await primary.kill();
      else primary.signal('SIGSTOP');
      await takenOver(primary);
      await served(ofEachRange);
      await more(load);
      const verdict = await load.stop();
      console.log(
        `${signal}: ${JSON.stringify({ ...verdict, failures: verdict.failures.length })}`,
      );
      expect(verdict.failures.filter(({ slot }) => !isVictims(slot))).toEqual([]);
      for (const failure of verdict.failures) expect(failure).toMatchObject({ code: NO_ANSWER });
      if (signal === 'SIGKILL') await primary.start();
      else primary.signal('SIGCONT');
      await cluster.agreed();
    },
  );

  test('with replicas=1 a failover loses nothing that was acknowledged', async () => {
    const { primary } = await cluster.pairOf(MIDDLE_SLOT);
    const load = new Load(urls(), { query: '?replicas=1' });
    await more(load, 200);
    await primary.kill();
    await takenOver(primary);
    await served(ofEachRange);
    await more(load, 20);
    await primary.start();
    await cluster.agreed();
    const verdict = await load.stop();
    console.log(`replicas: ${JSON.stringify({ ...verdict, failures: verdict.failures.length })}`);
    const codes = new Set(verdict.failures.map(({ code }) => code));
    expect(codes).toContain('OWNER_UNAVAILABLE');
    for (const code of codes) {
      expect(code).toMatch(/^(OWNER_UNAVAILABLE|OUTCOME_UNKNOWN|NOT_REPLICATED)$/);
    }
  });

  test('a failover by hand loses nothing that was acknowledged, and no request but for its moment', async () => {
    // Another pair than above: nobody votes twice about one primary within some seconds.
    const { replica } = await cluster.pairOf(LAST_SLOT);
    const load = new Load(urls());
    await more(load);
    await replica.client.cluster('FAILOVER');
    await eventually(async () => {
      if ((await cluster.pairOf(LAST_SLOT)).primary !== replica) throw new Error('not yet');
    });
    await cluster.agreed();
    await served(ofEachRange);
    await more(load);
    const verdict = await load.stop();
    console.log(`failover: ${JSON.stringify(verdict)}`);
    for (const failure of verdict.failures) expect(failure).toMatchObject({ code: NO_ANSWER });
  });

  test('1,000 slots move to another primary and back: no request fails, nothing is lost, lists are whole', async () => {
    const { primary: from } = await cluster.pairOf(SLOT);
    const { primary: to } = await cluster.pairOf(LAST_SLOT);
    const load = new Load(urls());
    await more(load);
    const slots = Array.from({ length: 1000 }, (_, slot) => slot);
    const moved = (async () => {
      await cluster.moveSlots(slots, from, to);
      await cluster.moveSlots(slots, to, from);
      return 'moved';
    })();
    let lists = 0;
    for (let state = ''; state !== 'moved'; lists++) {
      const list = await ask(urls()[lists % 2]!, 'GET', '/v1/keys?prefix=load');
      expect((list.json as string[]).toSorted()).toEqual(load.keys.toSorted());
      state = await Promise.race([moved, Promise.resolve('')]);
    }
    const verdict = await load.stop();
    console.log(`reshard: ${JSON.stringify(verdict)}, ${lists} lists`);
    expect(verdict.failures).toEqual([]);
  });

  test('all servers end and start again: requests are answered meanwhile, and served afterwards', async () => {
    const load = new Load(urls(), { mayLose: () => true });
    await more(load);
    await Promise.all(cluster.servers.map((server) => server.kill()));
    await more(load);
    await Promise.all(cluster.servers.map((server) => server.start()));
    await cluster.agreed();
    await served(ofEachRange);
    await more(load);
    const verdict = await load.stop();
    console.log(`restart: ${JSON.stringify({ ...verdict, failures: verdict.failures.length })}`);
    expect(new Set(verdict.failures.map(({ code }) => code))).toContain('OWNER_UNAVAILABLE');
  });

  test('a server that is taken out of the cluster is used and shown no longer', async () => {
    const { primary, replica } = await cluster.pairOf(SLOT);
    const id = await replica.client.cluster('MYID');
    // Itself first: it would bring itself to mind again.
    await replica.client.cluster('RESET');
    await eventually(async () => {
      const others = cluster.servers.filter((server) => server !== replica);
      await Promise.all(others.map(({ client }) => client.cluster('FORGET', id).catch(() => {})));
      for (const url of urls()) {
        const members = (await ask(url, 'GET', '/v1/nodes')).json as { addr: string }[];
        const addresses = members.map(({ addr }) => addr);
        expect(addresses).toHaveLength(5);
        expect(addresses).not.toContain(replica.addr);
      }
    }, 60_000);
    await served(ofEachRange);
    expect((await ask(urls()[0]!, 'GET', '/readyz')).status).toBe(200);
    expect((await cluster.pairOf(SLOT)).primary).toBe(primary);
  });
});
