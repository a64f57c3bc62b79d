// A cluster whose servers speak TLS only and are known by names, which are all that their certificate has.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ask, dataOf, get, put } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { leasePort } from '../support/lease.ts';
import { needs } from '../support/needs.ts';
import { NodeProcess } from '../support/node-process.ts';
import { ValkeyServer } from '../support/valkey.ts';

/** A name that every machine knows. */
const NAME = 'localhost';

needs('redis-server', 'openssl')('a cluster with TLS and announced names', () => {
  const directory = mkdtempSync(join(tmpdir(), 'memhashd-valkey-tls-'));
  const [cert, key] = [join(directory, 'crt'), join(directory, 'key')];
  const servers: ValkeyServer[] = [];
  let node: NodeProcess;

  beforeAll(async () => {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const names = ['-subj', `/CN=${NAME}`, '-addext', `subjectAltName=DNS:${NAME}`];
    const files = ['-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', ...curve, '-days', '2', ...names, ...files]);
    const tls = { ca: readFileSync(cert), servername: NAME };
    const buses = [await leasePort(), await leasePort()];
    for (const bus of buses) servers.push(await startServer({ cert, key }, tls, bus));
    const [first, second] = servers;
    const place = [second!.host, second!.port, buses[1]].map(String);
    await first!.client.call('CLUSTER', 'MEET', ...place);
    await first!.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '8191');
    await second!.client.call('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383');
    for (const { client } of servers) {
      await eventually(async () => {
        const info = await client.cluster('INFO');
        if (!info.includes('cluster_state:ok')) throw new Error(info);
      });
    }
    const flags = ['-valkey-addr', `${NAME}:${first!.port}`, '-valkey-tls-ca', cert];
    const shown = ['-valkey-tls-cert', cert, '-valkey-tls-key', key];
    node = await NodeProcess.start(['-engine', 'valkey', ...flags, ...shown]);
  });
  afterAll(async () => {
    await node?.[Symbol.asyncDispose]();
    for (const server of servers) await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const places = () => servers.map(({ port }) => `${NAME}:${port}`);

  test('all servers are found, proven and shown by name, and each serves its slots', async () => {
    await eventually(async () => {
      const members = (await ask(node.url, 'GET', '/v1/nodes')).json as { addr: string }[];
      expect(members.map(({ addr }) => addr).toSorted()).toEqual(places().toSorted());
    });
    const served = new Set<string>();
    for (let n = 0; n < 20; n++) {
      await eventually(async () => expect((await put(node.url, `${n}`, `${n}`)).status).toBe(200));
      const answer = await get(node.url, `${n}`);
      expect(dataOf(answer)).toBe(`${n}`);
      served.add((answer.json as { node: { addr: string } }).node.addr);
    }
    expect(served).toEqual(new Set(places()));
  });

  test('a slot that has moved is followed to the name that the server says', async () => {
    const [first, second] = servers;
    const slot = await first!.client.cluster('KEYSLOT', 'moves');
    const [from, to] = slot < 8192 ? [first!, second!] : [second!, first!];
    const [fromId, toId] = [await from.client.cluster('MYID'), await to.client.cluster('MYID')];
    // One that was importing a slot makes a new epoch of it, which no gossip takes back.
    await to.client.cluster('SETSLOT', slot, 'IMPORTING', fromId);
    await from.client.cluster('SETSLOT', slot, 'MIGRATING', toId);
    await to.client.cluster('SETSLOT', slot, 'NODE', toId);
    await from.client.cluster('SETSLOT', slot, 'NODE', toId);
    const answer = await put(node.url, 'moves', '1');
    expect(answer.json).toMatchObject({ node: { addr: `${NAME}:${to.port}` } });
  });
});

/** A server of a cluster that takes TLS only, on its own ports and for its bus, too. */
async function startServer(
  { cert, key }: { cert: string; key: string },
  tls: { ca: Buffer; servername: string },
  bus: number,
): Promise<ValkeyServer> {
  const port = await leasePort();
  const settings = {
    port: '0',
    'tls-port': `${port}`,
    'tls-cluster': 'yes',
    'tls-cert-file': cert,
    'tls-key-file': key,
    'tls-ca-cert-file': cert,
    'cluster-enabled': 'yes',
    'cluster-port': `${bus}`,
    'cluster-announce-hostname': NAME,
    'cluster-preferred-endpoint-type': 'hostname',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const pair = { cert: readFileSync(cert), key: readFileSync(key) };
  const options = { tls: { ...tls, ...pair } };
  const server = new ValkeyServer('127.0.0.1', port, flags, { options });
  await server.start();
  return server;
}
