/** A cluster of processes, for tests. */

import { ask, pathOf, type Answer } from './client.ts';
import { eventually } from './eventually.ts';
import { leaseHost } from './lease.ts';
import { NodeProcess } from './node-process.ts';

/** A node of `GET /v1/nodes`. */
export interface NodeEntry {
  readonly id: string | null;
  readonly addr: string;
  readonly client: string | null;
  readonly state: 'self' | 'up' | 'down';
  readonly partitions: number;
  readonly epoch: number;
}

type Environment = Readonly<Record<string, string>>;

/** Up to nine nodes with the peer ports 2371, 2372 … and the client ports 8001, 8002 … of one address. */
export class TestCluster implements AsyncDisposable {
  readonly host: string;
  readonly nodes: NodeProcess[] = [];
  readonly #flags: readonly string[];
  readonly #env: Environment;

  private constructor(host: string, flags: readonly string[], env: Environment) {
    this.host = host;
    this.#flags = flags;
    this.#env = env;
  }

  /** A cluster without a node, on an address of its own; `flags` and `env` are given to every node. */
  static async of(flags: readonly string[] = [], env: Environment = {}): Promise<TestCluster> {
    return new TestCluster(await leaseHost(), flags, env);
  }

  /** A cluster of `count` nodes that list each other, formed. */
  static async form(
    count: number,
    flags: readonly string[] = [],
    env: Environment = {},
  ): Promise<TestCluster> {
    const cluster = await TestCluster.of(flags, env);
    for (let n = 1; n <= count; n++) cluster.start(n, cluster.peers(count));
    try {
      await cluster.formed();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** The address of node `n`, from 1, for peers. */
  peer(n: number): string {
    return `${this.host}:${2370 + n}`;
  }

  /** The addresses of the nodes 1 to `count`. */
  peers(count: number): string[] {
    return Array.from({ length: count }, (_, at) => this.peer(at + 1));
  }

  /** Node `n`, as it was last started. */
  node(n: number): NodeProcess {
    return this.nodes[n - 1]!;
  }

  /** Starts node `n` with `-join` for each of `join`. */
  start(n: number, join: readonly string[], flags: readonly string[] = []): NodeProcess {
    const all = ['-server-addr', this.peer(n), '-client-addr', this.client(n)];
    for (const address of join) all.push('-join', address);
    const node = new NodeProcess([...all, ...this.#flags, ...flags], { env: this.#env });
    this.nodes[n - 1] = node;
    return node;
  }

  client(n: number): string {
    return `${this.host}:${8000 + n}`;
  }

  url(n: number): string {
    return `http://${this.client(n)}`;
  }

  /** Waits until every node sees every other one up. */
  async formed(): Promise<void> {
    for (let n = 1; n <= this.nodes.length; n++) {
      await eventually(async () => {
        const states = (await this.view(n)).map(({ addr, state }) => `${addr} ${state}`);
        const expected = this.peers(this.nodes.length).map(
          (addr, at) => `${addr} ${at + 1 === n ? 'self' : 'up'}`,
        );
        if (states.join() !== expected.join()) throw new Error(`node ${n} sees ${states.join()}`);
      });
    }
  }

  /** What node `n` answers on `GET /v1/nodes`. */
  async view(n: number): Promise<NodeEntry[]> {
    return (await this.get(n, '/v1/nodes')).json as NodeEntry[];
  }

  /** What node `n` answers on `GET path`. */
  get(n: number, path: string): Promise<Answer> {
    return ask(this.url(n), 'GET', path);
  }

  /** Asks node `n` something of a key. */
  ask(n: number, method: 'GET' | 'PUT' | 'DELETE', key: string, data?: unknown): Promise<Answer> {
    const body = {
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ data }),
    };
    return ask(this.url(n), method, pathOf(key), data === undefined ? {} : body);
  }

  /** A key that each node owns, found by storing and asking who served. */
  async ownedKeys(count: number): Promise<string[]> {
    const keys: string[] = [];
    for (let n = 0; keys.filter((key) => key !== undefined).length < count; n++) {
      const { body } = await this.ask(1, 'PUT', `probe ${n}`, n);
      const owner = this.peers(count).indexOf(body.node?.addr ?? '');
      if (owner < 0) throw new Error(`served by ${JSON.stringify(body)}`);
      keys[owner] ??= `probe ${n}`;
    }
    return keys;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node?.[Symbol.asyncDispose]();
  }
}
