// What concurrent clients see while a member dies and comes back, checked key by key.
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';

import { TestCluster } from './test-cluster.ts';

/** One operation of a client: when it was sent and answered, and what came of it. */
interface Operation {
  readonly key: string;
  readonly action: 'store' | 'load';
  /** What was stored, or what a load found: null for no record. */
  readonly value: number | null;
  /** A store that is `unknown` may have been done, or be done yet. */
  readonly outcome: 'done' | 'not done' | 'unknown';
  readonly sentMs: number;
  readonly answeredMs: number;
}

/** How long clients go on before, during and after: the span of the recording, no wait for anything. */
const SPAN_MS = 1000;

const KEYS = Array.from({ length: 30 }, (_, n) => `key ${n}`);

/** Stores and loads keys until `isOver`; no two clients store the same key, all load all keys. */
async function runClient(
  cluster: TestCluster,
  id: number,
  clients: number,
  isOver: () => boolean,
): Promise<Operation[]> {
  const history: Operation[] = [];
  const own = KEYS.filter((_, n) => n % clients === id);
  for (let n = 1; !isOver(); n++) {
    // Nodes 1 and 2 live throughout; each client asks both.
    const node = 1 + ((id + n) % 2);
    const isStore = n % 2 === 0;
    const key = isStore ? own[n % own.length]! : KEYS[(n * 7 + id) % KEYS.length]!;
    const sentMs = performance.now();
    const answer = await cluster.ask(node, isStore ? 'PUT' : 'GET', key, isStore ? n : undefined);
    history.push({
      key,
      action: isStore ? 'store' : 'load',
      value: isStore ? n : answer.status === 200 ? (answer.body.data as number) : null,
      outcome: outcomeOf(answer.status, answer.body.code),
      sentMs,
      answeredMs: performance.now(),
    });
  }
  return history;
}

function outcomeOf(status: number, code: string | undefined): Operation['outcome'] {
  if (status === 200 || code === 'KEY_NOT_FOUND') return 'done';
  if (code === 'OUTCOME_UNKNOWN') return 'unknown';
  expect(code).toBe('OWNER_UNAVAILABLE');
  return 'not done';
}

/**
 * Checks one key, which one client stores, one store after the other: a load sees the last store that
 * was acknowledged before it was sent, or one that was under way or in doubt since. Where the owner
 * was `lost`, it may see nothing if the last acknowledged store is of before the owner's return.
 */
function checkKey(
  operations: readonly Operation[],
  lost: { returnedMs: number } | undefined,
): void {
  const stores = operations.filter(
    ({ action, outcome }) => action === 'store' && outcome !== 'not done',
  );
  for (const load of operations) {
    if (load.action !== 'load' || load.outcome !== 'done') continue;
    const last = stores.findLastIndex(
      ({ outcome, answeredMs }) => outcome === 'done' && answeredMs < load.sentMs,
    );
    const legal: (number | null)[] = stores
      .slice(Math.max(last, 0))
      .filter(({ sentMs }) => sentMs < load.answeredMs)
      .map(({ value }) => value);
    const isLostWithOwner = lost !== undefined && (stores[last]?.sentMs ?? 0) < lost.returnedMs;
    if (last < 0 || isLostWithOwner) legal.push(null);
    if (!legal.includes(load.value)) {
      const around = stores.slice(Math.max(last - 2, 0), last + 5);
      throw new Error(`not a legal load: ${JSON.stringify({ load, legal, around })}`);
    }
  }
}

test('each load sees the last acknowledged store or one in doubt, while an owner is killed', async () => {
  await using cluster = await TestCluster.form(3);
  const owners = new Map<string, string>();
  for (const key of KEYS) owners.set(key, (await cluster.ask(1, 'DELETE', key)).body.node!.addr);

  let isOver = false;
  const clients = Array.from({ length: 6 }, (_, id) => runClient(cluster, id, 6, () => isOver));
  await delay(SPAN_MS);
  await cluster.node(3).kill();
  await delay(SPAN_MS);
  cluster.start(3, cluster.peers(3));
  await cluster.formed();
  const returnedMs = performance.now();
  await delay(SPAN_MS);
  isOver = true;
  const history = (await Promise.all(clients)).flat().toSorted((a, b) => a.sentMs - b.sentMs);

  const third = KEYS.filter((key) => owners.get(key) === cluster.peer(3));
  expect(third.length).toBeGreaterThan(0);
  for (const key of KEYS) {
    const operations = history.filter((operation) => operation.key === key);
    checkKey(operations, third.includes(key) ? { returnedMs } : undefined);
    // Nothing failed on the living nodes, and the third was used before and after.
    const outcomes = new Set(operations.map(({ outcome }) => outcome));
    expect(outcomes).toContain('done');
    expect([...outcomes].filter((outcome) => outcome !== 'done' && !third.includes(key))).toEqual(
      [],
    );
  }
  const returned = history.filter(({ key, sentMs }) => third.includes(key) && sentMs > returnedMs);
  expect(returned.some(({ outcome }) => outcome === 'done')).toBe(true);
});
