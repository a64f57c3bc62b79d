/** A cluster of processes, for tests. */

import { eventually } from '../eventually.ts';
import { freshHost, MemberProcess } from './member-process.ts';

/** A node of `GET /v1/nodes`. */
export interface NodeEntry {
  readonly id: string | null;
  readonly addr: string;
  readonly client: string | null;
  readonly state: 'self' | 'up' | 'down';
  readonly partitions: number;
  readonly epoch: number;
}

/** What a request came to. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The JSON of the body, with members that depend on the answer. */
  readonly body: AnswerBody;
  readonly tookMs: number;
}

interface AnswerBody {
  readonly data?: unknown;
  readonly meta?: { readonly index: number; readonly created_at: string };
  readonly node?: { readonly id: string; readonly addr: string };
  readonly code?: string;
  readonly detail?: string;
}

/** Up to nine nodes with the peer ports 2371, 2372 … and the client ports 8001, 8002 … of one address. */
export class TestCluster implements AsyncDisposable {
  readonly host = freshHost();
  readonly nodes: MemberProcess[] = [];
  readonly #flags: readonly string[];

  /** `flags` are given to every node. */
  constructor(flags: readonly string[] = []) {
    this.#flags = flags;
  }

  /** A cluster of `count` nodes that list each other, formed. */
  static async form(count: number, flags: readonly string[] = []): Promise<TestCluster> {
    const cluster = new TestCluster(flags);
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
  node(n: number): MemberProcess {
    return this.nodes[n - 1]!;
  }

  /** Starts node `n` with `-join` for each of `join`. */
  start(n: number, join: readonly string[], flags: readonly string[] = []): MemberProcess {
    const all = ['-server-addr', this.peer(n), '-client-addr', this.client(n)];
    for (const address of join) all.push('-join', address);
    const node = new MemberProcess([...all, ...this.#flags, ...flags]);
    this.nodes[n - 1] = node;
    return node;
  }

  client(n: number): string {
    return `${this.host}:${8000 + n}`;
  }

  url(n: number, path: string): string {
    return `http://${this.client(n)}${path}`;
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
    const response = await fetch(this.url(n, '/v1/nodes'));
    return (await response.json()) as NodeEntry[];
  }

  /** Asks node `n` something of a key. */
  async ask(
    n: number,
    method: 'GET' | 'PUT' | 'DELETE',
    key: string,
    data?: unknown,
  ): Promise<Answer> {
    const startMs = performance.now();
    const response = await fetch(this.url(n, `/v1/keys/${encodeURIComponent(key)}`), {
      method,
      ...(data !== undefined && {
        body: JSON.stringify({ data }),
        headers: { 'Content-Type': 'application/json' },
      }),
    });
    const body = (await response.json()) as AnswerBody;
    const { status, headers } = response;
    return { status, headers, body, tookMs: performance.now() - startMs };
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
