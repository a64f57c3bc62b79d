/** Redis for the engine on servers: a single one, or a cluster of three primaries. */

import { execFileSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { end, freePort, startServer } from './processes.ts';

/** The bus of a cluster listens this far above its server's port. */
const BUS_OFFSET = 10_000;

export class ValkeyServers implements AsyncDisposable {
  readonly #children: readonly ChildProcess[];
  readonly #ports: readonly number[];
  readonly #directory: string;

  private constructor(children: readonly ChildProcess[], ports: readonly number[], dir: string) {
    this.#children = children;
    this.#ports = ports;
    this.#directory = dir;
  }

  static single(): Promise<ValkeyServers> {
    return ValkeyServers.#start(1, []);
  }

  static async cluster(): Promise<ValkeyServers> {
    const servers = await ValkeyServers.#start(3, ['--cluster-enabled', 'yes']);
    const addresses = servers.#ports.map((port) => `127.0.0.1:${port}`);
    cli('--cluster', 'create', ...addresses, '--cluster-yes');
    const isUp = (port: number) =>
      cli('-p', `${port}`, 'cluster', 'info').includes('cluster_state:ok');
    while (!servers.#ports.every(isUp));
    return servers;
  }

  static async #start(count: number, flags: readonly string[]): Promise<ValkeyServers> {
    const directory = mkdtempSync(join(tmpdir(), 'memhashd-bench-'));
    const children: ChildProcess[] = [];
    const ports: number[] = [];
    while (ports.length < count) {
      const port = await freePort();
      if (port > 65_535 - BUS_OFFSET) continue;
      const files = ['--dir', directory, '--cluster-config-file', `nodes-${port}.conf`];
      const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', ...files, ...flags];
      children.push(await startServer('redis-server', args, port));
      ports.push(port);
    }
    return new ValkeyServers(children, ports, directory);
  }

  get pids(): number[] {
    return this.#children.map(({ pid }) => pid!);
  }

  /** The flags by which a node finds them. */
  get flags(): string[] {
    return this.#ports.flatMap((port) => ['-valkey-addr', `127.0.0.1:${port}`]);
  }

  /** Bytes that the first uses. */
  usedMemory(): number {
    const info = cli('-p', `${this.#ports[0]}`, 'info', 'memory');
    return Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await end(child);
    rmSync(this.#directory, { recursive: true });
  }
}

function cli(...args: readonly string[]): string {
  return execFileSync('redis-cli', args, { encoding: 'utf8' });
}
