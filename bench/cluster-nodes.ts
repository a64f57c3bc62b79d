/** The three nodes of a cluster, each a process on this machine that can be killed, stopped and so on. */

import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const POLL_MS = 5;
/** Rare enough that the asking is not what is measured. */
const SETTLING_POLL_MS = 100;
const PATIENCE_MS = 15_000;
const GROWTH_PATIENCE_MS = 180_000;

/** A node of `GET /v1/nodes`, as far as the bench reads it. */
interface NodeEntry {
  readonly addr: string;
  readonly state: 'self' | 'up' | 'down';
  readonly partitions: number;
}

/** How the processes are started. */
interface NodeSettings {
  /** Flags of Node.js itself. */
  readonly nodeFlags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What `GET /v1/topology` shows, as far as the bench reads it. */
interface TopologyView {
  readonly members: readonly NodeEntry[];
  readonly is_settled: boolean;
  /** With `?owners=true`: for each partition the position of its owner in `members`. */
  readonly owners: readonly number[];
}

/** Nodes are told apart by their position in `members`; all are ended on disposal. */
export class ClusterNodes implements AsyncDisposable {
  /** Of all 127.0.0.0/8: with an address of its own the cluster knows its ports before it starts. */
  readonly host = `127.${randomInt(1, 255)}.${randomInt(0, 255)}.${randomInt(1, 255)}`;
  readonly members: string[];
  readonly #children: ChildProcess[] = [];
  readonly #settings: NodeSettings;

  private constructor(count: number, settings: NodeSettings) {
    this.#settings = settings;
    this.members = Array.from({ length: count }, (_, at) => `${this.host}:${2371 + at}`);
  }

  /** A cluster of `count` nodes in which every one sees every other. */
  static async form(count = 3, settings: NodeSettings = {}): Promise<ClusterNodes> {
    const cluster = new ClusterNodes(count, settings);
    try {
      for (const at of cluster.members.keys()) cluster.start(at);
      await cluster.complete();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get pids(): number[] {
    return this.#children.map(({ pid }) => pid!);
  }

  url(at: number): string {
    return `http://${this.host}:${this.clientPort(at)}`;
  }

  clientPort(at: number): number {
    return 8001 + at;
  }

  signal(at: number, signal: NodeJS.Signals): void {
    this.#children[at]!.kill(signal);
  }

  /** Ends a node as an operator does; its exit code, null if it ended otherwise. */
  async stop(at: number): Promise<number | null> {
    const child = this.#children[at]!;
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    const [code] = (await exit) as [number | null];
    return code;
  }

  /** Starts a node that was killed; resolves when it listens. */
  async restart(at: number): Promise<void> {
    this.start(at);
    await timeUntil(async () => {
      const response = await this.#get(at, '/v1/nodes');
      await response.arrayBuffer();
      return true;
    });
  }

  /** Waits until every node sees every other one. */
  async complete(): Promise<void> {
    for (const at of this.members.keys()) {
      await timeUntil(async () => {
        const seen = (await this.view(at)).filter(({ state }) => state !== 'down');
        return seen.length === this.members.length;
      });
    }
  }

  /** Has room for `count` nodes, of which the others are to be started. */
  expect(count: number): void {
    while (this.members.length < count) {
      this.members.push(`${this.host}:${2371 + this.members.length}`);
    }
  }

  /** Lets one more node join; resolves to how long it took until everything had moved. */
  grow(): Promise<number> {
    const at = this.members.length;
    this.expect(at + 1);
    this.start(at);
    return this.settled([...this.members.keys()]);
  }

  /** Lets a member leave, of which another is asked; resolves when its process has ended. */
  async leave(at: number, asked: number): Promise<void> {
    const exit = once(this.#children[at]!, 'exit');
    await fetch(`${this.url(asked)}/v1/nodes/${this.members[at]}`, { method: 'DELETE' });
    await exit;
  }

  /**
   * Waits until these nodes, and no others, are the members, by all that they know themselves, and everything has
   * moved; resolves to how long it took, in milliseconds.
   */
  settled(nodes: readonly number[]): Promise<number> {
    return timeUntil(
      async () => {
        const views = await Promise.all(nodes.map((at) => this.topology(at)));
        const expected = nodes.map((at) => this.members[at]!).toSorted();
        return views.every(
          ({ members, is_settled: isSettled }) =>
            isSettled && members.map(({ addr }) => addr).join() === expected.join(),
        );
      },
      GROWTH_PATIENCE_MS,
      SETTLING_POLL_MS,
    );
  }

  /** What a node answers on `GET /v1/topology`. */
  async topology(at: number, query = ''): Promise<TopologyView> {
    return (await (await this.#get(at, `/v1/topology${query}`)).json()) as TopologyView;
  }

  /** Posts a document. */
  async post(at: number, path: string, document: object): Promise<void> {
    const response = await fetch(`${this.url(at)}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(document),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
  }

  /** What a node answers on `GET /v1/nodes`. */
  async view(at: number): Promise<NodeEntry[]> {
    const response = await this.#get(at, '/v1/nodes');
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as NodeEntry[];
  }

  /** Whether a node, asked for a key, has an answer of the key's owner: a record, or that there is none. */
  async reachesOwner(at: number, key: string): Promise<boolean> {
    const response = await this.#get(at, `/v1/keys/${key}`);
    await response.arrayBuffer();
    return response.status < 500;
  }

  /** Starts a node, which lists all others. */
  start(at: number): void {
    const cli = fileURLToPath(new URL('../src/bin/memhashd.js', import.meta.url));
    const client = `${this.host}:${this.clientPort(at)}`;
    const flags = ['-server-addr', this.members[at]!, '-client-addr', client];
    for (const address of this.members) flags.push('-join', address);
    const { nodeFlags = [], env } = this.#settings;
    this.#children[at] = spawn(process.execPath, [...nodeFlags, cli, ...flags], {
      stdio: 'ignore',
      env: { ...process.env, ...env },
    });
  }

  #get(at: number, path: string): Promise<Response> {
    return fetch(`${this.url(at)}${path}`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const exit = once(child, 'exit');
      // Ends a stopped process too.
      child.kill('SIGKILL');
      await exit;
    }
  }
}

/** Asks every `pollMs`; returns how long it took until the answer was yes, in milliseconds. */
export async function timeUntil(
  isSo: () => Promise<boolean>,
  patienceMs = PATIENCE_MS,
  pollMs = POLL_MS,
): Promise<number> {
  const startMs = performance.now();
  for (let failure: unknown; ; ) {
    try {
      if (await isSo()) return performance.now() - startMs;
    } catch (error) {
      failure = error; // such as that of a node that does not listen yet
    }
    if (performance.now() - startMs > patienceMs) {
      throw new Error('the cluster did not come to what was expected', { cause: failure });
    }
    await delay(pollMs);
  }
}
