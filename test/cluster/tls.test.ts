// TLS on both ports: mutual between members, and nothing is ever served with less than was asked for.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';

import { parseAddress } from '../../src/net/address.ts';
import { ask } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Certificates, tlsFlags, type Certificate } from '../support/certificates.ts';
import type { NodeProcess } from '../support/node-process.ts';
import { TestCluster } from '../support/test-cluster.ts';

/** What a node answers over HTTPS to a client that trusts `ca`. */
async function get(
  cluster: TestCluster,
  n: number,
  path: string,
  ca: string,
  method = 'GET',
): Promise<string> {
  const url = `https://${cluster.client(n)}`;
  return (await ask(url, method, path, { ca: readFileSync(ca) })).text;
}

/** Starts node `n` of three that list each other. */
function start(cluster: TestCluster, n: number, flags: string[]): NodeProcess {
  return cluster.start(n, cluster.peers(3), ['-join-retries', '0', ...flags]);
}

async function startedPair(cluster: TestCluster, flags: string[]): Promise<void> {
  for (const n of [1, 2]) cluster.start(n, cluster.peers(2), flags);
  for (const n of [1, 2]) await cluster.node(n).logged('serving');
}

test('nodes that share a certificate form a cluster and serve HTTPS', async () => {
  using certificates = new Certificates();
  const shared = certificates.selfSigned('shared');
  await using cluster = await TestCluster.of();
  await startedPair(cluster, tlsFlags(shared));
  for (let key = 0; key < 8; key++) {
    const deleted = await get(cluster, 1, `/v1/keys/${key}`, shared.cert, 'DELETE');
    expect(JSON.parse(deleted)).toMatchObject({ action: 'delete' });
  }
  const nodes = await get(cluster, 2, '/v1/nodes', shared.cert);
  expect(JSON.parse(nodes)).toMatchObject([{ state: 'up' }, { state: 'self' }]);
});

test('nodes whose certificates -tls-ca signed form a cluster', async () => {
  using certificates = new Certificates();
  const authority = certificates.selfSigned('authority');
  await using cluster = await TestCluster.of();
  for (const n of [1, 2]) {
    const own = certificates.signedBy(authority, `node${n}`, 'localhost');
    cluster.start(n, cluster.peers(2), tlsFlags(own, authority.cert));
  }
  for (const n of [1, 2]) await cluster.node(n).logged('serving');
  const nodes = await get(cluster, 1, '/v1/nodes', authority.cert);
  expect(JSON.parse(nodes)).toHaveLength(2);
});

test('-tls-ca may be the intermediate that has signed, without its root', async () => {
  using certificates = new Certificates();
  const root = certificates.selfSigned('root');
  const intermediate = certificates.signedBy(root, 'intermediate', 'intermediate', ['CA:TRUE']);
  const other = certificates.signedBy(root, 'other', 'other', ['CA:TRUE']);
  await using cluster = await TestCluster.of();
  for (const n of [1, 2]) {
    const own = certificates.signedBy(intermediate, `node${n}`, 'localhost');
    cluster.start(n, cluster.peers(2), tlsFlags(own, intermediate.cert));
  }
  for (const n of [1, 2]) await cluster.node(n).logged('serving');
  // What another intermediate of the same root has signed is not what this one has.
  const stranger = certificates.signedBy(other, 'stranger', 'localhost');
  const third = start(cluster, 3, tlsFlags(stranger, other.cert));
  expect((await third.exit).code).toBe(1);
  expect(third.stderr).toMatch(/is not one that -tls-ca signed/);
});

test('certificates that are renewed while a node waits for the others are used', async () => {
  using certificates = new Certificates();
  const [old, next] = ['old', 'next'].map((name) => certificates.selfSigned(name));
  await using cluster = await TestCluster.of();
  const first = cluster.start(1, cluster.peers(2), tlsFlags(old!));
  await first.logged('the cluster is forming');
  for (const file of ['cert', 'key'] as const) copyFileSync(next![file], old![file]);
  first.signal('SIGHUP');
  await first.logged('new certificates are in use');
  cluster.start(2, cluster.peers(2), tlsFlags(next!));
  for (const n of [1, 2]) await cluster.node(n).logged('serving');
  expect(JSON.parse(await get(cluster, 1, '/v1/nodes', next!.cert))).toHaveLength(2);
});

test('a certificate that -tls-ca did not sign is refused, named on both sides, and exits', async () => {
  using certificates = new Certificates();
  const authority = certificates.selfSigned('authority');
  const member = certificates.signedBy(authority, 'member');
  const stranger = certificates.selfSigned('stranger');
  await using cluster = await TestCluster.of();
  await startedPair(cluster, tlsFlags(member, authority.cert));
  const third = start(cluster, 3, tlsFlags(stranger, authority.cert));
  expect((await third.exit).code).toBe(1);
  const reason = /its certificate \(CN=memhashd; [\dA-F:]{95}\) is not one that -tls-ca signed/;
  expect(third.stderr).toMatch(/memhashd: -join .* it refuses this node: its certificate/);
  await cluster.node(1).logged('somebody was turned away at the peer port', { reason });
});

test("a stranger's certificate is refused on both sides, and the stranger exits", async () => {
  using certificates = new Certificates();
  const [shared, stranger] = ['shared', 'stranger'].map((name) => certificates.selfSigned(name));
  await using cluster = await TestCluster.of();
  await startedPair(cluster, tlsFlags(shared!));
  const third = start(cluster, 3, tlsFlags(stranger!));
  expect((await third.exit).code).toBe(1);
  expect(third.stderr).toMatch(
    /memhashd: -join .* is not ours \([\dA-F:]{95}\), and there is no -tls-ca/,
  );
  await cluster.node(1).logged('somebody was turned away at the peer port');
  expect(JSON.parse(await get(cluster, 1, '/v1/nodes', shared!.cert))).toHaveLength(2);
});

test('a peer without a certificate gets nothing, whatever it knows', async () => {
  using certificates = new Certificates();
  const shared = certificates.selfSigned('shared');
  await using cluster = await TestCluster.of();
  await startedPair(cluster, tlsFlags(shared));
  const { host, port } = parseAddress(cluster.peer(1))!;
  const socket: TLSSocket = connect({ host, port, rejectUnauthorized: false });
  const chunks: Buffer[] = [];
  socket.on('error', () => {}).on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.on('close', resolve));
  const reason = 'it presents no certificate';
  await cluster.node(1).logged('somebody was turned away at the peer port', { reason });
  expect(Buffer.concat(chunks).toString()).not.toContain('clusterId');
});

test('a plain node among TLS nodes: a message on both sides, and it exits', async () => {
  using certificates = new Certificates();
  const shared = certificates.selfSigned('shared');
  await using cluster = await TestCluster.of();
  await startedPair(cluster, tlsFlags(shared));
  const third = start(cluster, 3, []);
  expect((await third.exit).code).toBe(1);
  expect(third.stderr).toMatch(
    /memhashd: -join .*(it speaks TLS, and this node does not|is -tls-cert set on one side only)/,
  );
  const reason = /it does not speak TLS, and this node does \(-tls-cert/;
  await cluster.node(1).logged('somebody was turned away at the peer port', { reason });
});

test('a TLS node among plain nodes: a message on both sides, and it exits', async () => {
  using certificates = new Certificates();
  await using cluster = await TestCluster.of();
  await startedPair(cluster, []);
  const third = start(cluster, 3, tlsFlags(certificates.selfSigned('own')));
  expect((await third.exit).code).toBe(1);
  expect(third.stderr).toMatch(/memhashd: -join .* it does not speak TLS, and this node does/);
  const reason = /it speaks TLS, and this node does not \(-tls-cert\)/;
  await cluster.node(1).logged('somebody was turned away at the peer port', { reason });
});

test('plain HTTP to the port for HTTPS is cut off, and others are served', async () => {
  using certificates = new Certificates();
  const shared = certificates.selfSigned('shared');
  await using cluster = await TestCluster.of();
  await cluster.start(1, [], tlsFlags(shared)).logged('serving');
  const socket = connectPlain(parseAddress(cluster.client(1))!);
  socket.on('error', () => {}).resume();
  socket.write('GET /v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n');
  await new Promise((resolve) => socket.on('close', resolve));
  expect(JSON.parse(await get(cluster, 1, '/v1/nodes', shared.cert))).toHaveLength(1);
});

test('files that are not in order: exit 1, naming the flag and the file', async () => {
  using certificates = new Certificates();
  const one = certificates.selfSigned('one');
  const two = certificates.selfSigned('two');
  const garbage = join(certificates.dir, 'garbage.pem');
  writeFileSync(garbage, 'garbage');
  const missing = join(certificates.dir, 'missing.pem');
  const damaged = join(certificates.dir, 'damaged.pem');
  const second = readFileSync(two.cert, 'utf8').replace(/(?<=\n)M/, '*');
  writeFileSync(damaged, readFileSync(one.cert, 'utf8') + second);
  const cases: [string[], string][] = [
    [['-tls-cert', one.cert], '-tls-cert needs -tls-key'],
    [['-tls-key', one.key], '-tls-key needs -tls-cert'],
    [['-tls-ca', one.cert], '-tls-ca needs -tls-cert and -tls-key'],
    [tlsFlags({ cert: missing, key: one.key }), `-tls-cert ${missing} cannot be read`],
    [tlsFlags({ cert: one.cert, key: missing }), `-tls-key ${missing} cannot be read`],
    [tlsFlags({ cert: garbage, key: one.key }), `-tls-cert ${garbage} holds no certificate`],
    [tlsFlags({ cert: one.cert, key: garbage }), `-tls-key ${garbage} holds no private key`],
    [tlsFlags(one, garbage), `-tls-ca ${garbage} holds no certificate`],
    [tlsFlags({ cert: damaged, key: one.key }), `-tls-cert ${damaged} holds no certificate`],
    [tlsFlags(one, damaged), `-tls-ca ${damaged} holds no certificate`],
    [tlsFlags({ cert: one.cert, key: two.key }), `-tls-key ${two.key} is not the key of`],
  ];
  for (const [flags, message] of cases) {
    await using cluster = await TestCluster.of();
    const node = cluster.start(1, [], flags);
    expect((await node.exit).code).toBe(1);
    expect(node.stderr).toContain(`memhashd: ${message}`);
    expect(node.stderr.split('\n')).toHaveLength(2);
  }
});

test('SIGHUP: new certificates are used, bad ones are not', async () => {
  using certificates = new Certificates();
  const [old, next] = ['old', 'next'].map((name) => certificates.selfSigned(name));
  const used: Certificate = {
    cert: join(certificates.dir, 'used', 'cert.pem'),
    key: join(certificates.dir, 'used', 'key.pem'),
  };
  const install = ({ cert, key }: Certificate): void => {
    mkdirSync(join(certificates.dir, 'used'), { recursive: true });
    copyFileSync(cert, used.cert);
    copyFileSync(key, used.key);
  };
  install(old!);
  await using cluster = await TestCluster.of();
  await startedPair(cluster, tlsFlags(used));

  writeFileSync(used.key, 'garbage');
  cluster.node(1).signal('SIGHUP');
  const reason = /-tls-key .* holds no private key/;
  await cluster.node(1).logged('the old certificates stay in use', { reason });
  await get(cluster, 1, '/v1/nodes', old!.cert);

  install(next!);
  for (const n of [1, 2]) cluster.node(n).signal('SIGHUP');
  for (const n of [1, 2]) {
    await cluster.node(n).logged('new certificates are in use');
    await get(cluster, n, '/v1/nodes', next!.cert);
    await expect(get(cluster, n, '/v1/nodes', old!.cert)).rejects.toThrow(/certificate/);
  }
  // A member that starts with the new certificate finds the others.
  await cluster.node(2).kill();
  cluster.start(2, cluster.peers(2), tlsFlags(used));
  await cluster.node(2).logged('serving');
  await eventually(async () => {
    const nodes = JSON.parse(await get(cluster, 1, '/v1/nodes', next!.cert)) as unknown;
    expect(nodes).toMatchObject([{ state: 'self' }, { state: 'up' }]);
  });
});
