// What concurrent clients see while a member dies and comes back, checked key by key.
import { expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { TestCluster } from '../support/test-cluster.ts';

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

/** How often each client goes on before, during and after. */
const SPAN_OPERATIONS = 100;

const CLIENTS = 6;

const KEYS = Array.from({ length: 30 }, (_, n) => `key ${n}`);

/**
 * Stores and loads keys until `isOver`, and records it in `history`; no two clients store the same key,
 * all load all keys.
 */
async function runClient(
  cluster: TestCluster,
  id: number,
  history: Operation[],
  isOver: () => boolean,
): Promise<void> {
  const own = KEYS.filter((_, n) => n % CLIENTS === id);
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
  const histories = Array.from({ length: CLIENTS }, (): Operation[] => []);
  const clients = histories.map((own, id) => runClient(cluster, id, own, () => isOver));
  const span = async (): Promise<void> => {
    const enough = histories.map(({ length }) => length + SPAN_OPERATIONS);
    await eventually(() => {
      for (const [id, own] of histories.entries()) {
        expect(own.length).toBeGreaterThanOrEqual(enough[id]!);
      }
    });
  };
  await span();
  await cluster.node(3).kill();
  await span();
  cluster.start(3, cluster.peers(3));
  await cluster.formed();
  const returnedMs = performance.now();
  await span();
  isOver = true;
  await Promise.all(clients);
  const history = histories.flat().toSorted((a, b) => a.sentMs - b.sentMs);

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
