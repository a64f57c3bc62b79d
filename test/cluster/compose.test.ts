// The nodes of docker-compose.yml, run as processes by the command lines that stand there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

import { FLAGS } from '../../src/node/config.ts';
import { parseFlags } from '../../src/node/flags.ts';
import { Certificates } from '../support/certificates.ts';
import { eventually } from '../support/eventually.ts';
import { NodeProcess } from '../support/node-process.ts';
import { createNetwork } from '../support/network.ts';
import type { NodeEntry } from '../support/test-cluster.ts';

const root = join(import.meta.dirname, '../..');

interface Compose {
  readonly services: Record<
    string,
    {
      readonly command: string;
      readonly ports: readonly string[];
      readonly environment?: Record<string, string>;
      readonly volumes?: readonly string[];
    }
  >;
}

function readCompose(name: string): Compose {
  return parse(readFileSync(join(root, name), 'utf8'), { merge: true }) as Compose;
}

const { services } = readCompose('docker-compose.yml');
const names = Object.keys(services);
const clientPort = (name: string): number => 8000 + names.indexOf(name) + 1;

test('three nodes with the ports of the seed, each published', () => {
  expect(names).toEqual(['node1', 'node2', 'node3']);
  for (const [name, { command, ports }] of Object.entries(services)) {
    const peerPort = clientPort(name) - 8000 + 2370;
    expect(command).toContain(
      `-server-addr ${name}:${peerPort} -client-addr :${clientPort(name)} `,
    );
    expect(ports).toEqual([peerPort, clientPort(name)].map((port) => `${port}:${port}`));
  }
});

test('the file for TLS turns it on for every node, from a mounted directory', () => {
  const tls = readCompose('docker-compose.tls.yml').services;
  expect(Object.keys(tls)).toEqual(names);
  for (const { environment } of Object.values(tls)) {
    const config = parseFlags(FLAGS, [], environment!);
    expect(config).toMatchObject({ 'tls-cert': '/tls/cert.pem', 'tls-key': '/tls/key.pem' });
  }
});

test('the nodes prove themselves by the secret in a mounted directory', () => {
  for (const { environment, volumes } of Object.values(services)) {
    expect(volumes).toEqual(['./tls:/tls:ro']);
    const config = parseFlags(FLAGS, [], environment!);
    expect(config).toMatchObject({ 'cluster-secret-file': '/tls/cluster.secret' });
  }
});

test('the three nodes form one cluster; one that is cut off costs its own keys, and heals', async () => {
  using certificates = new Certificates();
  const { dir } = certificates;
  certificates.selfSigned('tls');
  using network = await createNetwork(names);
  const start = (name: string): NodeProcess =>
    new NodeProcess(network.flags(name, services[name]!.command), {
      command: network.command(name),
      env: { MEMHASHD_CLUSTER_SECRET_FILE: join(dir, 'tls', 'cluster.secret') },
    });
  await using _first = start('node1');
  await using _second = start('node2');
  await using third = start('node3');
  const view = async (name: string): Promise<NodeEntry[]> =>
    JSON.parse(await network.curl(name, clientPort(name), '/v1/nodes')) as NodeEntry[];
  const formed = (): Promise<void> =>
    eventually(async () => {
      for (const name of names) {
        const states = (await view(name)).map(({ state }) => state).toSorted();
        expect(states).toEqual(['self', 'up', 'up']);
      }
    });
  await formed();

  const put = async (key: number): Promise<string> => {
    const type = ['-H', 'Content-Type: application/json'];
    const body = ['-d', '{"data": ["a"], "expire_time": "100s"}'];
    const path = `/v1/keys/${key}`;
    const text = await network.curl('node1', 8001, path, '-X', 'PUT', ...type, ...body);
    return (JSON.parse(text) as { node: { addr: string } }).node.addr;
  };
  const owners = await Promise.all(Array.from({ length: 30 }, (_, key) => put(key)));
  const members = (await view('node1')).map(({ addr }) => addr);
  expect([...new Set(owners)].toSorted()).toEqual(members);
  const keyOf = (member: string): number => owners.indexOf(member);
  const load = (member: string): Promise<string> =>
    network.curl('node1', 8001, `/v1/keys/${keyOf(member)}`);

  network.setLink('node3', third, 'down');
  await eventually(async () => {
    expect((await view('node1')).map(({ state }) => state)).toEqual(['self', 'up', 'down']);
  });
  expect(JSON.parse(await load(members[1]!))).toMatchObject({ action: 'load' });
  expect(JSON.parse(await load(members[2]!))).toMatchObject({ code: 'OWNER_UNAVAILABLE' });
  network.setLink('node3', third, 'up');
  await formed();
  expect(JSON.parse(await load(members[2]!))).toMatchObject({ action: 'load' });
});
