// docker-compose.valkey.yml, its command lines run as processes on addresses of this machine.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';

import { ask, dataOf, get, put } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { leaseHost } from '../support/lease.ts';
import { needs } from '../support/needs.ts';
import { NodeProcess } from '../support/node-process.ts';

const run = promisify(execFile);

interface Service {
  readonly command: string | readonly string[];
  readonly networks?: { readonly default: { readonly ipv4_address: string } };
  readonly volumes?: readonly string[];
}

const file = readFileSync(join(import.meta.dirname, '../../docker-compose.valkey.yml'), 'utf8');
const { services } = parse(file, { merge: true }) as { services: Record<string, Service> };
const servers = Object.keys(services).filter((name) => name.startsWith('valkey'));

needs('redis-server', 'redis-cli')('docker-compose.valkey.yml', () => {
  const children: ChildProcess[] = [];
  const directories: string[] = [];
  afterAll(async () => {
    for (const child of children) {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    }
    for (const directory of directories) rmSync(directory, { recursive: true });
  });

  test('each server keeps its address and what it has', () => {
    expect(servers).toHaveLength(6);
    const addresses = servers.map((name) => services[name]!.networks!.default.ipv4_address);
    expect(new Set(addresses).size).toBe(6);
    for (const name of servers) expect(services[name]!.volumes).toEqual([`${name}:/data`]);
  });

  test('six servers become one cluster, and two nodes serve the same keys', async () => {
    const hosts = new Map<string, string>();
    for (const name of servers) hosts.set(name, await leaseHost());
    /** A command line as it must be here: addresses and names of hosts, and Redis for Valkey. */
    const here = (text: string): string => {
      let command = text
        .replaceAll('valkey-server', 'redis-server')
        .replaceAll('valkey-cli', 'redis-cli');
      for (const [name, host] of hosts) {
        const { ipv4_address: address } = services[name]!.networks!.default;
        command = command.replaceAll(address, host).replaceAll(`${name}:`, `${host}:`);
      }
      return command;
    };
    for (const name of servers) {
      const directory = mkdtempSync(join(tmpdir(), 'memhashd-compose-'));
      directories.push(directory);
      const command = here(services[name]!.command as string).replace('/data', directory);
      const host = hosts.get(name)!;
      const [program, ...args] = command.split(' ');
      args.push('--bind', host, '--bind-source-addr', host);
      children.push(spawn(program!, args, { stdio: 'ignore' }));
    }
    for (const host of hosts.values()) {
      await eventually(() => run('redis-cli', ['-h', host, '-e', 'ping']));
    }
    const [shell, ...line] = (services['cluster']!.command as string[]).map(here);
    await run(shell!, line, { timeout: 60_000, killSignal: 'SIGKILL' });
    // A second time finds the cluster made.
    await eventually(() => run(shell!, line, { timeout: 10_000 }), 60_000);

    const start = (name: string) => {
      const command = here(services[name]!.command as string).replace(/:800\d/, '127.0.0.1:0');
      return NodeProcess.start(command.split(' '));
    };
    await using first = await start('node1');
    await using second = await start('node2');
    for (let n = 0; n < 30; n++) {
      await eventually(async () => expect((await put(first.url, `${n}`, `${n}`)).status).toBe(200));
      expect(dataOf(await get(second.url, `${n}`))).toBe(`${n}`);
    }
    // The cluster serves before all have heard who follows whom.
    await eventually(async () => {
      const members = (await ask(second.url, 'GET', '/v1/nodes')).json as { role: string }[];
      const roles = members.map(({ role }) => role).toSorted();
      expect(roles.join(' ')).toBe('primary primary primary replica replica replica');
    });
  });
});
