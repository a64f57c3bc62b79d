/** The servers that are measured side by side, each started on this machine and ended afterwards. */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { end, freePort, isInstalled, startServer, Worker } from './processes.ts';
import type { ProtocolName } from './protocol.ts';
import { OURS } from './series.ts';

/** A server that takes load on `port`; it is ended on disposal. */
export interface Contestant extends AsyncDisposable {
  readonly name: string;
  readonly protocol: ProtocolName;
  readonly port: number;
  /** All processes that work for an answer. */
  readonly pids: readonly number[];
}

/** The name of the barest server, which ours is compared with. */
export const BARE = 'bare node:http';

/** The contestants that are not ours, by the commands that they need. */
const OTHERS: readonly { commands: readonly string[]; start: () => Promise<Contestant> }[] = [
  { commands: ['redis-server'], start: startRedis },
  { commands: ['redis-server', 'webdis'], start: startWebdis },
  { commands: ['etcd'], start: startEtcd },
];

/** Starts all that can be started here, but for `unfit` commands; `absent` is told which are not installed. */
export async function* startContestants(
  absent: (command: string) => void,
  unfit: readonly string[] = [],
): AsyncGenerator<Contestant, void> {
  yield startMemhashd();
  yield startBare();
  for (const { commands, start } of OTHERS) {
    if (commands.some((command) => unfit.includes(command))) continue;
    const missing = commands.find((command) => !isInstalled(command));
    if (missing === undefined) yield start();
    else absent(missing);
  }
}

/** Starts a node of ours, with flags beside its addresses. */
export async function startMemhashd(flags: readonly string[] = []): Promise<Contestant> {
  const cli = fileURLToPath(new URL('../src/bin/memhashd.js', import.meta.url));
  const addresses = ['-client-addr', '127.0.0.1:0', '-server-addr', '127.0.0.1:0'];
  const child = spawn(process.execPath, [cli, ...addresses, ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  for await (const line of createInterface({ input: child.stderr })) {
    const port = /"client":"127\.0\.0\.1:(\d+)"/.exec(line)?.[1];
    if (port !== undefined) return contestant(OURS, 'memhashd', Number(port), [child]);
    process.stderr.write(`${line}\n`);
  }
  throw new Error('memhashd did not start');
}

async function startBare(): Promise<Contestant> {
  const worker = new Worker('bare-server');
  const { port } = await worker.next<{ port: number }>();
  return {
    name: BARE,
    protocol: 'memhashd',
    port,
    pids: [worker.pid],
    [Symbol.asyncDispose]: () => worker[Symbol.asyncDispose](),
  };
}

/** Starts a Redis that keeps nothing on disk. */
export async function startRedis(): Promise<Contestant> {
  const port = await freePort();
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child = await startServer('redis-server', args, port);
  return contestant('Redis (RESP)', 'redis', port, [child]);
}

/** Starts webdis with a Redis of its own. */
export async function startWebdis(): Promise<Contestant> {
  const redis = await startRedis();
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'memhashd-bench-'));
  const file = join(directory, 'webdis.json');
  const settings = {
    redis_host: '127.0.0.1',
    redis_port: redis.port,
    http_host: '127.0.0.1',
    http_port: port,
    threads: 2,
    daemonize: false,
    verbosity: 0,
    logfile: '/dev/null',
  };
  writeFileSync(file, JSON.stringify(settings));
  const child = await startServer('webdis', [file], port);
  return {
    name: 'webdis and Redis',
    protocol: 'webdis',
    port,
    pids: [child.pid!, ...redis.pids],
    async [Symbol.asyncDispose]() {
      await end(child);
      await redis[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

async function startEtcd(): Promise<Contestant> {
  const [port, peerPort] = [await freePort(), await freePort()];
  const directory = mkdtempSync(join(tmpdir(), 'memhashd-bench-'));
  const [client, peer] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peerPort}`];
  const flags = {
    'enable-v2': 'true',
    'data-dir': directory,
    'listen-client-urls': client,
    'advertise-client-urls': client,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `default=${peer}`,
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const child = await startServer('etcd', args, port);
  return {
    ...contestant('etcd (v2 API)', 'etcd', port, [child]),
    async [Symbol.asyncDispose]() {
      await end(child);
      rmSync(directory, { recursive: true });
    },
  };
}

function contestant(
  name: string,
  protocol: ProtocolName,
  port: number,
  children: readonly ChildProcess[],
): Contestant {
  return {
    name,
    protocol,
    port,
    pids: children.map((child) => child.pid!),
    async [Symbol.asyncDispose]() {
      for (const child of children) await end(child);
    },
  };
}
