import { expect, test } from 'vitest';

import { ask } from '../support/client.ts';
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
