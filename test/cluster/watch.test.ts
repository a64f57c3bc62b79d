import { once } from 'node:events';
import { request } from 'node:http';
import { expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { ask, put } from '../support/client.ts';
import { TestCluster } from '../support/test-cluster.ts';

interface Told {
  readonly event: string;
  readonly data: { readonly key?: string; readonly reason?: string };
  readonly id: string | undefined;
}

/** A stream of events over a socket. */
class Stream implements Disposable {
  text = '';
  readonly #req;

  constructor(url: string, query: string, lastEventId?: string) {
    const headers = lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId };
    this.#req = request(`${url}/v1/watch${query}`, { headers });
    this.#req.on('error', () => {});
    void once(this.#req, 'response').then(([response]) =>
      response.setEncoding('utf8').on('data', (text: string) => (this.text += text)),
    );
    this.#req.end();
  }

  get events(): Told[] {
    const whole = this.text.slice(0, this.text.lastIndexOf('\n\n') + 1);
    return whole
      .split('\n\n')
      .filter((block) => block.startsWith('event: '))
      .map((block) => ({
        event: /^event: (.*)$/m.exec(block)![1]!,
        data: JSON.parse(/^data: (.*)$/m.exec(block)![1]!) as Told['data'],
        id: /^id: (.*)$/m.exec(block)?.[1],
      }));
  }

  get keys(): string[] {
    return this.events.flatMap(({ event, data }) => (event === 'store' ? data.key! : []));
  }

  get lastId(): string {
    return this.events.findLast(({ id }) => id !== undefined)!.id!;
  }

  [Symbol.dispose](): void {
    this.#req.destroy();
  }
}

const names = (prefix: string) => Array.from({ length: 60 }, (_, n) => `${prefix}${n}`);

test('a watch of the cluster hears of every change, at any node and after a resume', async () => {
  await using cluster = await TestCluster.form(3);
  let position: string;
  {
    using stream = new Stream(cluster.url(1), '?scope=cluster&prefix=w');
    await eventually(() => expect(stream.events).toMatchObject([{ data: { members: 3 } }]));
    for (const [n, key] of names('w').entries()) await put(cluster.url(1 + (n % 3)), key, '1');
    await eventually(() => expect(stream.keys.toSorted()).toEqual(names('w').toSorted()));
    position = stream.lastId;
  }
  for (const key of names('wx')) await put(cluster.url(2), key, '1');
  using again = new Stream(cluster.url(3), '?scope=cluster&prefix=w', position);
  await eventually(() => expect(again.keys).toEqual(expect.arrayContaining(names('wx'))));
  expect(again.events.filter(({ event }) => event === 'lost')).toEqual([]);
});

const lost = (reason: string) =>
  expect.objectContaining({ data: expect.objectContaining({ reason }) });

test('a member that dies is told as unreachable, one that comes back empty as restarted', async () => {
  await using cluster = await TestCluster.form(2);
  using stream = new Stream(cluster.url(1), '?scope=cluster');
  await eventually(() => expect(stream.events).toMatchObject([{ event: 'ready' }]));
  await cluster.node(2).kill();
  await eventually(() => expect(stream.events).toContainEqual(lost('unreachable')));
  cluster.start(2, cluster.peers(2));
  await eventually(() => expect(stream.events).toContainEqual(lost('restarted')));
});

test('a node that stops ends its streams, and does not wait for them', async () => {
  await using cluster = await TestCluster.form(1);
  using stream = new Stream(cluster.url(1), '');
  await eventually(() => expect(stream.events).toHaveLength(1));
  const node = cluster.node(1);
  node.signal('SIGTERM');
  expect(await node.ended()).toMatchObject({ code: 0 });
});

test('through another member a value comes byte for byte, and JSON says what has happened', async () => {
  await using cluster = await TestCluster.form(2);
  const pull = async (query: string) => {
    const headers = { Accept: 'application/json' };
    const answer = await ask(cluster.url(1), 'GET', `/v1/watch?scope=cluster${query}`, { headers });
    expect(answer).toMatchObject({ status: 200 });
    return answer.json as { events: { key: string; data: unknown }[]; next: string };
  };
  const start = await pull('');
  const large = 'x'.repeat(300_000);
  for (const key of names('v')) await put(cluster.url(2), key, `"${large}"`);
  const seen = new Set<string>();
  let next = start.next;
  await eventually(async () => {
    const answer = await pull(`&values=true&wait=5s&since=${next}`);
    next = answer.next;
    for (const { key, data } of answer.events) if (data === large) seen.add(key);
    expect(seen.size).toBe(60);
  });
});
