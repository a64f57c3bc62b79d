/** Load from several clients whose histories are judged key by key. */

import { partitionOf } from '../../src/base/partition.ts';
import { keyFromText } from '../../src/base/key.ts';
import { ask, dataOf, get, pathOf } from './client.ts';

/** What one store of a key came to. */
interface Store {
  readonly value: number;
  readonly outcome: 'done' | 'not done' | 'unknown';
  /** How often the key had been stored, as the answer said. */
  readonly index: number | undefined;
}

/** One key, which one client alone writes: whole numbers that grow. */
interface KeyHistory {
  readonly key: string;
  readonly slot: number;
  readonly stores: Store[];
  /** What went wrong with loads and stores, by the code. */
  readonly failures: string[];
}

interface Verdict {
  readonly requests: number;
  /** The failures of keys, by the slot's range that `isVictim` tells. */
  readonly failures: readonly { slot: number; code: string }[];
  readonly slowestMs: number;
}

/** Runs until it is stopped; one request of each client is under way at any time. */
export class Load {
  readonly #histories: KeyHistory[];
  readonly #urls: readonly string[];
  /** Whether an acknowledged store may be lost, because a primary that had it died. */
  readonly #mayLose: (slot: number) => boolean;
  readonly #query: string;
  readonly #clients: Promise<void>[];
  #isStopped = false;
  #error: unknown;
  #requests = 0;
  #slowestMs = 0;

  constructor(
    urls: readonly string[],
    {
      clients = 8,
      keys = 6,
      query = '',
      mayLose = () => false,
    }: {
      clients?: number;
      keys?: number;
      query?: string;
      mayLose?: (slot: number) => boolean;
    } = {},
  ) {
    this.#urls = urls;
    this.#mayLose = mayLose;
    this.#query = query;
    const names = Array.from({ length: clients * keys }, (_, n) => `load ${n}`);
    this.#histories = names.map((key) => ({
      key,
      slot: partitionOf(keyFromText(key)!, 16_384),
      stores: [],
      failures: [],
    }));
    this.#clients = Array.from({ length: clients }, (_, n) =>
      this.#run(
        this.#urls[n % urls.length]!,
        this.#histories.slice(n * keys, (n + 1) * keys),
      ).catch((error: unknown) => {
        this.#error ??= error;
        this.#isStopped = true;
      }),
    );
  }

  get keys(): string[] {
    return this.#histories.map(({ key }) => key);
  }

  /** How many requests have been answered. */
  get requests(): number {
    return this.#requests;
  }

  /** Ends the load, reads every key a last time, and judges. */
  async stop(): Promise<Verdict> {
    this.#isStopped = true;
    await Promise.all(this.#clients);
    if (this.#error !== undefined) throw this.#error;
    for (const history of this.#histories) await this.#load(this.#urls[0]!, history, true);
    const failures = this.#histories.flatMap(({ slot, failures: codes }) =>
      codes.map((code) => ({ slot, code })),
    );
    return { requests: this.#requests, failures, slowestMs: this.#slowestMs };
  }

  async #run(url: string, histories: readonly KeyHistory[]): Promise<void> {
    for (let round = 1; !this.#isStopped; round++) {
      for (const history of histories) {
        await this.#store(url, history, round);
        await this.#load(url, history);
      }
    }
  }

  async #store(url: string, history: KeyHistory, value: number): Promise<void> {
    const question = {
      headers: { 'Content-Type': 'application/json' },
      body: `{"data":${value}}`,
    };
    const target = pathOf(history.key) + this.#query;
    const answer = await this.#timed(() => ask(url, 'PUT', target, question));
    const { code, meta } = answer.json as { code?: string; meta?: { index: number } };
    const isUnknown = code === 'OUTCOME_UNKNOWN' || code === 'NOT_REPLICATED';
    const outcome = answer.status === 200 ? 'done' : isUnknown ? 'unknown' : 'not done';
    if (code !== undefined) history.failures.push(code);
    history.stores.push({ value, outcome, index: meta?.index });
    this.#checkCount(history);
  }

  /**
   * No store is done twice: between two that are acknowledged the count grows by the later one and at most
   * by those between whose outcome is unknown.
   */
  #checkCount({ key, slot, stores }: KeyHistory): void {
    const last = stores.at(-1)!;
    const beforeAt = stores.findLastIndex((store) => store !== last && store.outcome === 'done');
    if (last.outcome !== 'done' || beforeAt < 0) return;
    const between = stores.slice(beforeAt + 1, -1).filter(({ outcome }) => outcome === 'unknown');
    const growth = last.index! - stores[beforeAt]!.index!;
    const isRight = growth <= 1 + between.length && (growth >= 1 || this.#mayLose(slot));
    if (!isRight)
      throw new Error(`the count of ${key} grew by ${growth}: ${JSON.stringify(stores)}`);
  }

  async #load(url: string, history: KeyHistory, isLast = false): Promise<void> {
    const answer = await this.#timed(() => get(url, history.key));
    const { code } = answer.json as { code?: string };
    const isLossy = this.#mayLose(history.slot);
    if (code === 'KEY_NOT_FOUND') {
      const wasStored = history.stores.some(({ outcome }) => outcome === 'done');
      if (wasStored && !isLossy) throw new Error(`${history.key} is gone`);
      return;
    }
    if (code !== undefined) {
      history.failures.push(code);
      if (isLast) throw new Error(`${history.key} is ${code} in the end`);
      return;
    }
    const value = Number(dataOf(answer));
    const lastDone = history.stores.findLastIndex(({ outcome }) => outcome === 'done');
    const possible = history.stores.filter(
      ({ outcome }, at) => outcome !== 'not done' && (isLossy || at >= lastDone),
    );
    if (possible.some((store) => store.value === value)) return;
    throw new Error(`${history.key} is ${value}: ${JSON.stringify(history.stores.slice(-5))}`);
  }

  async #timed<T>(request: () => Promise<T>): Promise<T> {
    const startMs = performance.now();
    const answer = await request();
    this.#requests++;
    this.#slowestMs = Math.max(this.#slowestMs, performance.now() - startMs);
    return answer;
  }
}
