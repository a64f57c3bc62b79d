import { expect, test } from 'vitest';

import { ask } from '../support/client.ts';
import { numbersOf } from '../support/random.ts';
import { TestCluster } from '../support/test-cluster.ts';

interface Result {
  readonly status: number;
  readonly data?: unknown;
  readonly node?: { readonly addr: string };
}

interface BatchDocument {
  readonly results: Result[];
  readonly failed: number;
}

async function batch(url: string, operations: object[], query = ''): Promise<BatchDocument> {
  const answer = await ask(url, 'POST', `/v1/batch${query}`, {
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(operations),
  });
  expect(answer).toMatchObject({ status: 200 });
  return answer.json as BatchDocument;
}

test('a member that dies in the middle fails its own operations, and no neighbour of theirs', async () => {
  await using cluster = await TestCluster.form(3);
  const keys = Array.from({ length: 400 }, (_, n) => `key:${n}`);
  const url = cluster.url(1);
  const first = await batch(
    url,
    keys.map((store) => ({ store, data: 0 })),
    '?meta=true',
  );
  const dead = cluster.peers(3)[2];
  const isOfDead = first.results.map(({ node }) => node!.addr === dead);
  expect(new Set(isOfDead)).toEqual(new Set([true, false]));

  const rounds = 30;
  const stored: BatchDocument[] = [];
  let died: Promise<unknown> | undefined;
  for (let round = 1; round <= rounds; round++) {
    if (round === rounds / 2) died = cluster.node(3).kill();
    stored.push(
      await batch(
        url,
        keys.map((store) => ({ store, data: round })),
      ),
    );
  }
  await died;

  for (const { results, failed } of stored) {
    expect(failed).toBe(results.filter(({ status }) => status >= 400).length);
    const ofLiving = results.filter((_, at) => !isOfDead[at]);
    expect(ofLiving.every(({ status }) => status === 200)).toBe(true);
    const ofDead = results.filter((_, at) => isOfDead[at]).map(({ status }) => status);
    expect([200, 503, 504]).toEqual(expect.arrayContaining([...new Set(ofDead)]));
  }
  const loaded = await batch(
    url,
    keys.map((load) => ({ load })),
  );
  for (const [at, { status, data }] of loaded.results.entries()) {
    expect({ status, data }).toEqual(
      isOfDead[at] ? { status: 503, data: undefined } : { status: 200, data: rounds },
    );
  }
});

test('random batches do what their operations do, whoever owns the keys and whoever dies', async () => {
  await using cluster = await TestCluster.form(3);
  const dead = cluster.peers(3)[2];
  const random = numbersOf(14);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const keys = Array.from({ length: 60 }, (_, n) => `key:${n}`);
  const stored = keys.map((store) => ({ store, data: 0 }));
  const first = await batch(cluster.url(1), stored, '?meta=true');
  const isOfDead = new Set(keys.filter((_, at) => first.results[at]!.node!.addr === dead));
  const model = new Map<string, number>(keys.map((key) => [key, 0]));

  let died: Promise<unknown> | undefined;
  for (let round = 1; round <= 40; round++) {
    const operations = Array.from({ length: 40 }, (_, n) => {
      const key = pick(keys);
      const data = round * 100 + n;
      return pick([
        { load: key },
        { load: key },
        { store: key, data },
        { store: key, data, if_none_match: '*' },
        { store: key, data, if_match: '*' },
        { delete: key },
      ]);
    });
    const answer = batch(cluster.url(pick([1, 2])), operations);
    if (round === 20) died = cluster.node(3).kill();
    const { results } = await answer;
    for (const [at, { status, data }] of results.entries()) {
      const operation = operations[at]!;
      const key = Object.values(operation)[0] as string;
      const isLost = died !== undefined && isOfDead.has(key);
      const done = isLost ? undefined : doneTo(model, key, operation);
      const [statuses, shown] =
        done === undefined ? [round > 20 ? LOST : MAYBE_LOST, data] : [[done.status], done.data];
      expect(statuses, `round ${round}, ${JSON.stringify(operation)}`).toContain(status);
      expect(data).toBe(shown);
    }
  }
  await died;
});

/** What operations answer for whose owner is dead, or dies meanwhile. */
const LOST = [503, 504];
const MAYBE_LOST = [200, 404, 412, ...LOST];

/** What an operation does to the model, and what it answers. */
function doneTo(model: Map<string, number>, key: string, operation: object): Result {
  const found = model.get(key);
  if ('load' in operation) return { status: found === undefined ? 404 : 200, data: found };
  if ('delete' in operation) return { status: model.delete(key) ? 200 : 404, data: undefined };
  const isRefused =
    ('if_none_match' in operation && found !== undefined) ||
    ('if_match' in operation && found === undefined);
  if (isRefused) return { status: 412, data: undefined };
  model.set(key, (operation as { data: number }).data);
  return { status: 200, data: undefined };
}
