/** Servers of Redis or Valkey as processes, single ones and clusters, for tests. */

import { Redis, type RedisOptions } from 'ioredis';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { eventually } from './eventually.ts';
import { leaseHost } from './lease.ts';

/** Ports that servers have on a host of their own; the bus of a cluster is 10,000 above. */
const FIRST_PORT = 7001;

/** The programs that serve; most tests run over the first, some over each that is there. */
const PROGRAMS = ['redis-server', 'valkey-server'] as const;
export type Program = (typeof PROGRAMS)[number];

/** Those that are installed; that one of the two is missing is no reason to test nothing. */
export function installedPrograms(): Program[] {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  const isInstalled = (program: Program): boolean =>
    directories.some((directory) => existsSync(join(directory, program)));
  const missing = PROGRAMS.filter((program) => !isInstalled(program));
  for (const program of missing) console.warn(`${program} is not installed and not tested with`);
  return PROGRAMS.filter(isInstalled);
}

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
      this.#client = new Redis({
        host: this.host,
        port: this.port,
        retryStrategy: () => 50,
        ...this.#options,
      });
      // What goes wrong shows in what is asked of it.
      this.#client.on('error', () => {});
    }
    return this.#client;
  }

  async start(): Promise<void> {
    const base = ['--bind', this.host, '--port', `${this.port}`, '--dir', this.#directory];
    base.push('--save', '', '--repl-diskless-sync-delay', '0');
    this.#child = spawn(this.#program, [...base, ...this.#flags], {
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
      'cluster-node-timeout': '3000',
      'cluster-require-full-coverage': 'no',
      'cluster-announce-ip': host,
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
      const primaries = new Set(view!.split(' ').map((range) => range.split('@')[1]));
      const isFollowed = [...primaries].every((primary) => primary?.endsWith('+1'));
      if (primaries.size !== 3 || !isFollowed) throw new Error(`not three followed ones: ${view}`);
    }, 60_000);
  }

  /** The primary of a slot and its replica, by what one server says. */
  async pairOf(slot: number): Promise<{ primary: ValkeyServer; replica: ValkeyServer }> {
    const ranges = await slotsOf(this.servers[0]!);
    const [, , primary, replica] = ranges.find(([first, last]) => first <= slot && slot <= last)!;
    const at = (port: number | undefined) => this.servers.find((server) => server.port === port)!;
    return { primary: at(primary[1]), replica: at(replica?.[1]) };
  }

  /** Moves slots from one primary to another, key by key, as the tools of the servers do. */
  async moveSlots(slots: readonly number[], from: ValkeyServer, to: ValkeyServer): Promise<void> {
    const [source, target] = [from.client, to.client];
    const [sourceId, targetId] = await Promise.all([source, target].map((c) => c.cluster('MYID')));
    for (let at = 0; at < slots.length; at += 25) {
      const some = slots.slice(at, at + 25);
      const each = (step: (slot: number) => Promise<unknown>) => Promise.all(some.map(step));
      await each((slot) => target.cluster('SETSLOT', slot, 'IMPORTING', String(sourceId)));
      await each((slot) => source.cluster('SETSLOT', slot, 'MIGRATING', String(targetId)));
      await each((slot) => moveKeys(slot, source, to));
      await each((slot) => target.cluster('SETSLOT', slot, 'NODE', String(targetId)));
      await each((slot) => source.cluster('SETSLOT', slot, 'NODE', String(targetId)));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
  }
}

/** Moves the keys of a slot, until there are none. */
async function moveKeys(slot: number, source: Redis, to: ValkeyServer): Promise<void> {
  for (;;) {
    const keys = await source.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '100');
    if (!Array.isArray(keys) || keys.length === 0) return;
    await source.call('MIGRATE', to.host, String(to.port), '', '0', '5000', 'KEYS', ...keys);
  }
}

/** An entry of CLUSTER SLOTS. */
type SlotEntry = [
  first: number,
  last: number,
  ...servers: [[string, number], ...[string, number][]],
];

async function slotsOf({ client }: ValkeyServer): Promise<SlotEntry[]> {
  return (await client.cluster('SLOTS')) as unknown as SlotEntry[];
}

/** What a server says of the slots, once its own replication runs. */
async function viewOf(server: ValkeyServer): Promise<string> {
  const { client } = server;
  const info = await client.info('replication');
  const isFollowed = /role:master[^]*state=online/.test(info);
  if (!isFollowed && !/master_link_status:up/.test(info)) throw new Error(info);
  const state = await client.cluster('INFO');
  if (!state.includes('cluster_state:ok')) throw new Error(state);
  const ranges = await slotsOf(server);
  return ranges
    .map(
      ([first, last, primary, ...replicas]) => `${first}-${last}@${primary[1]}+${replicas.length}`,
    )
    .toSorted()
    .join(' ');
}
