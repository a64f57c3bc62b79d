/** Servers of Redis or Valkey as processes, single ones and clusters, for tests. */

import { Redis, type RedisOptions } from 'ioredis';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { eventually } from './eventually.ts';
import { leaseHost } from './lease.ts';

/** Ports that servers have on a host of their own; the bus of a cluster is 10,000 above. */
const FIRST_PORT = 7001;

/** The programs that serve; the tests run over the first, and some over each that is there. */
export type Program = 'redis-server' | 'valkey-server';

/** How the test's own connection logs in. */
type Options = Pick<RedisOptions, 'username' | 'password' | 'tls'>;

/** One server, which may be ended and started again with what it has on disk. */
export class ValkeyServer implements AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly #program: Program;
  readonly #flags: readonly string[];
  readonly #directory = mkdtempSync(join(tmpdir(), 'memhashd-valkey-'));
  readonly #options: Options;
  #child: ChildProcess | undefined;
  #client: Redis | undefined;

  constructor(
    host: string,
    port: number,
    flags: readonly string[] = [],
    { program = 'redis-server', options = {} }: { program?: Program; options?: Options } = {},
  ) {
    this.host = host;
    this.port = port;
    this.#flags = flags;
    this.#program = program;
    this.#options = options;
  }

  /** A server on a host of its own; resolves when it answers. */
  static async start(
    flags: readonly string[] = [],
    settings: { program?: Program; options?: Options } = {},
  ): Promise<ValkeyServer> {
    const server = new ValkeyServer(await leaseHost(), FIRST_PORT, flags, settings);
    await server.start();
    return server;
  }

  get addr(): string {
    return `${this.host}:${this.port}`;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** A connection of the test's own. */
  get client(): Redis {
    if (this.#client === undefined) {
      this.#client = new Redis({ host: this.host, port: this.port, ...this.#options });
      // What goes wrong shows in what is asked of it.
      this.#client.on('error', () => {});
    }
    return this.#client;
  }

  async start(): Promise<void> {
    const base = ['--bind', this.host, '--port', `${this.port}`, '--dir', this.#directory];
    this.#child = spawn(this.#program, [...base, '--save', '', ...this.#flags], {
      stdio: 'ignore',
    });
    await eventually(async () => expectPong(await this.client.ping()));
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it at once, as a crash does. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.disconnect();
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function expectPong(answer: string): void {
  if (answer !== 'PONG') throw new Error(answer);
}

/** Three primaries and three replicas. */
export class ValkeyCluster implements AsyncDisposable {
  readonly servers: ValkeyServer[] = [];

  /** Resolves when all agree on who serves what and each replica follows. */
  static async form(
    flags: readonly string[] = [],
    settings: { program?: Program } = {},
  ): Promise<ValkeyCluster> {
    const cluster = new ValkeyCluster();
    const host = await leaseHost();
    const options = {
      'cluster-enabled': 'yes',
      'cluster-node-timeout': '1500',
      'cluster-require-full-coverage': 'no',
      'cluster-announce-ip': host,
      'repl-diskless-sync-delay': '0',
    };
    const all = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    all.push(...flags);
    for (let n = 0; n < 6; n++) {
      cluster.servers.push(new ValkeyServer(host, FIRST_PORT + n, all, settings));
    }
    try {
      await Promise.all(cluster.servers.map((server) => server.start()));
      await cluster.#join();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get seeds(): string[] {
    return this.servers.flatMap(({ addr }) => ['-valkey-addr', addr]);
  }

  async #join(): Promise<void> {
    const [first, ...others] = this.servers;
    for (const { host, port } of others) await first!.client.cluster('MEET', host, port);
    const ids = await Promise.all(this.servers.map(({ client }) => client.cluster('MYID')));
    const bounds = [0, 5461, 10_923, 16_384];
    for (let n = 0; n < 3; n++) {
      const range = ['ADDSLOTSRANGE', bounds[n]!, bounds[n + 1]! - 1];
      await this.servers[n]!.client.call('CLUSTER', ...range.map(String));
    }
    for (let n = 3; n < 6; n++) {
      await eventually(() => this.servers[n]!.client.cluster('REPLICATE', String(ids[n - 3])));
    }
    await this.agreed();
  }

  /** Waits until all that run tell the same three primaries, with all slots, and every replica follows. */
  async agreed(): Promise<void> {
    await eventually(async () => {
      const views = await Promise.all(this.servers.map((server) => viewOf(server)));
      const [view] = views;
      if (views.some((other) => other !== view))
        throw new Error(`they differ: ${views.join('; ')}`);
      if (view!.split(' ').length !== 3) throw new Error(`these are not three ranges: ${view}`);
    }, 60_000);
  }

  /** The server that owns a slot, by the first that answers. */
  async ownerOf(slot: number): Promise<ValkeyServer> {
    const ranges = (await this.servers[0]!.client.cluster('SLOTS')) as unknown as SlotEntry[];
    const range = ranges.find(([first, last]) => first <= slot && slot <= last);
    return this.servers.find(({ port }) => port === range?.[2][1])!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

/** An entry of CLUSTER SLOTS. */
type SlotEntry = [first: number, last: number, primary: [string, number], ...replicas: unknown[]];

/** What a server says of the slots, once its own replication runs. */
async function viewOf({ client }: ValkeyServer): Promise<string> {
  const info = await client.info('replication');
  const isFollowed = /role:master[^]*state=online/.test(info);
  if (!isFollowed && !/master_link_status:up/.test(info)) throw new Error(info);
  const state = await client.cluster('INFO');
  if (!state.includes('cluster_state:ok')) throw new Error(state);
  const ranges = (await client.cluster('SLOTS')) as unknown as SlotEntry[];
  return ranges
    .map(
      ([first, last, primary, ...replicas]) => `${first}-${last}@${primary[1]}+${replicas.length}`,
    )
    .toSorted()
    .join(' ');
}
