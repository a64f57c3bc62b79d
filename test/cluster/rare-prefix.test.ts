// Lists of a prefix that hardly any of many keys has: slow, and complete.
import { expect, test } from 'vitest';

import { ask } from '../support/client.ts';
import { TestCluster } from '../support/test-cluster.ts';

const KEYS = 30_000;
const BATCH = 10_000;
/** More at once than what one member scans for another at a time. */
const LISTS = 70;

test('many lists of a rare prefix, asked of the member that has none of it, are complete', async () => {
  await using cluster = await TestCluster.form(2, [], { MEMHASHD_CHECK: '' });
  const [, owned] = await cluster.ownedKeys(2);
  // They lie beside each other, in a partition of the second member.
  const tag = `{${owned}}`;
  const rare = Array.from({ length: 3 }, (_, n) => `${tag}rare ${n}`);
  const common = Array.from({ length: KEYS }, (_, n) => `${tag}key ${n}`);
  const all = [...common, ...rare];
  const headers = { 'Content-Type': 'application/json' };
  for (let at = 0; at < all.length; at += BATCH) {
    const stores = all.slice(at, at + BATCH).map((key) => ({ store: key, data: 1 }));
    const body = JSON.stringify(stores);
    const { json } = await ask(cluster.url(2), 'POST', '/v1/batch', { headers, body });
    expect(json).toMatchObject({ failed: 0 });
  }
  const path = `/v1/keys?scope=cluster&prefix=${encodeURIComponent(`${tag}rare`)}`;
  const lists = await Promise.all(Array.from({ length: LISTS }, () => cluster.get(1, path)));
  for (const { status, json } of lists) {
    expect(status).toBe(200);
    expect((json as string[]).toSorted()).toEqual(rare);
  }
}, 60_000);
