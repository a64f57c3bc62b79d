// The secret of a cluster: members prove themselves by it to each other, and nobody else gets a word.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { expect, test } from 'vitest';

import { parseAddress } from '../../src/net/address.ts';
import { makeSecret, secretClientOptions } from '../../src/net/secret.ts';
import { Certificates, tlsFlags } from '../support/certificates.ts';
import { ask } from '../support/client.ts';
import { NodeProcess } from '../support/node-process.ts';
import { TestCluster } from '../support/test-cluster.ts';

/** The flag for a file with this secret. */
function secretFlags(files: Certificates, name: string, secret: string): string[] {
  const file = join(files.dir, name);
  writeFileSync(file, `${secret}\n`);
  return ['-cluster-secret-file', file];
}

async function startPair(cluster: TestCluster, flags: string[]): Promise<void> {
  for (const n of [1, 2]) cluster.start(n, cluster.peers(2), flags);
  for (const n of [1, 2]) await cluster.node(n).logged('serving');
}

test('nodes with one secret form a cluster, and clients need none', async () => {
  using files = new Certificates();
  await using cluster = await TestCluster.of();
  await startPair(cluster, secretFlags(files, 'secret', makeSecret()));
  await cluster.formed();
  const keys = await cluster.ownedKeys(2);
  for (const key of keys) expect((await cluster.ask(1, 'GET', key)).status).toBe(200);
});

test('a secret goes before certificates between members, and clients have the certificates', async () => {
  using files = new Certificates();
  const [one, two] = [files.selfSigned('one'), files.selfSigned('two')];
  const flags = secretFlags(files, 'secret', makeSecret());
  await using cluster = await TestCluster.of();
  cluster.start(1, cluster.peers(2), [...flags, ...tlsFlags(one)]);
  cluster.start(2, cluster.peers(2), [...flags, ...tlsFlags(two)]);
  for (const n of [1, 2]) await cluster.node(n).logged('serving');
  const ca = readFileSync(one.cert);
  const { json } = await ask(`https://${cluster.client(1)}`, 'GET', '/v1/nodes', { ca });
  expect(json).toHaveLength(2);
});

/** Who cannot join nodes that have a secret, what it says, and what they say. */
const outsiders: [string, (files: Certificates) => string[], RegExp, RegExp][] = [
  [
    'with another secret',
    (files) => secretFlags(files, 'other', makeSecret()),
    /-join .* the -cluster-secret-file there holds another secret/,
    /its -cluster-secret-file holds another secret/,
  ],
  [
    'without one',
    () => [],
    /-join .*(it speaks TLS, and this node does not|broke off|closed the connection)/,
    /it does not speak TLS, and this node does/,
  ],
  [
    'with a certificate instead',
    (files) => tlsFlags(files.selfSigned('own')),
    /-join .* it proves itself otherwise than this node/,
    /it has no -cluster-secret-file, and this node has/,
  ],
];

test.each(outsiders)(
  'a node %s is refused, which is said on both sides, and exits',
  async (_, flagsOf, there, here) => {
    using files = new Certificates();
    await using cluster = await TestCluster.of();
    await startPair(cluster, secretFlags(files, 'secret', makeSecret()));
    const flags = ['-join-retries', '0', ...flagsOf(files)];
    const third = cluster.start(3, cluster.peers(3), flags);
    expect((await third.exit).code).toBe(1);
    expect(third.stderr).toMatch(there);
    await cluster.node(1).logged('somebody was turned away at the peer port', { reason: here });
  },
);

/** Resolves to all that comes on a socket until it is closed. */
async function allOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
  await new Promise((resolve) => void socket.on('close', resolve));
  return Buffer.concat(chunks).toString('latin1');
}

const strangers: [string, ConnectionOptions | string][] = [
  ['says nothing', ''],
  ['speaks plainly', 'memhashd'],
  ['has no key', { rejectUnauthorized: false }],
  ['speaks TLS 1.2', { rejectUnauthorized: false, maxVersion: 'TLSv1.2' }],
  ['guesses a key', secretClientOptions(Buffer.alloc(32, 'guess'))],
  [
    'takes another name',
    {
      ...secretClientOptions(Buffer.alloc(32)),
      pskCallback: () => ({ psk: Buffer.alloc(32), identity: 'root' }),
    },
  ],
];

test.each(strangers)('a stranger who %s learns nothing and is cut off', async (_, how) => {
  using files = new Certificates();
  await using cluster = await TestCluster.of();
  await cluster.start(1, [], secretFlags(files, 'secret', makeSecret())).logged('serving');
  const address = parseAddress(cluster.peer(1))!;
  const socket = typeof how === 'string' ? connect(address) : connectTls({ ...address, ...how });
  if (typeof how === 'string' && how !== '') socket.write(how);
  expect(await allOf(socket)).not.toMatch(/memhashd|clusterId/);
  expect((await cluster.ask(1, 'PUT', 'key', 1)).status).toBe(200);
});

test('a handshake that was recorded is of no use when it is played again', async () => {
  using files = new Certificates();
  await using cluster = await TestCluster.of();
  const flags = secretFlags(files, 'secret', makeSecret());
  const target = parseAddress(cluster.peer(1))!;
  const recorded: Buffer[] = [];
  const proxy = createServer((client) => {
    const server = connect(target);
    client.on('error', () => server.destroy()).on('data', (chunk: Buffer) => recorded.push(chunk));
    server.on('error', () => client.destroy());
    client.pipe(server).pipe(client);
  }).listen(0, target.host);
  await once(proxy, 'listening');
  cluster.start(1, cluster.peers(2), flags);
  const { port } = proxy.address() as AddressInfo;
  cluster.start(2, [`${target.host}:${port}`, cluster.peer(1)], flags);
  for (const n of [1, 2]) await cluster.node(n).logged('serving');
  expect(recorded.length).toBeGreaterThan(0);

  const again = connect(target);
  for (const chunk of recorded) again.write(chunk);
  expect(await allOf(again)).not.toMatch(/clusterId/);
  expect(await cluster.view(1)).toMatchObject([{ state: 'self' }, { state: 'up' }]);
  await cluster[Symbol.asyncDispose]();
  proxy.close();
});

/**
 * Starts node 1, with a stranger in the place of the member that it wants to join: who has the connection that the
 * node makes to it, and one of its own to the node.
 */
async function startAtStranger(
  cluster: TestCluster,
  files: Certificates,
  answer: (dialled: Socket, own: Socket) => void,
): Promise<[NodeProcess, Disposable]> {
  const target = parseAddress(cluster.peer(1))!;
  const stranger = createServer((dialled) => {
    const own = connect(target);
    for (const [one, other] of [
      [dialled, own],
      [own, dialled],
    ] as const) {
      one.on('error', () => {}).on('close', () => other.destroy());
    }
    answer(dialled, own);
  }).listen(0, target.host);
  await once(stranger, 'listening');
  const { port } = stranger.address() as AddressInfo;
  const flags = ['-join-retries', '1', ...secretFlags(files, 'secret', makeSecret())];
  const node = cluster.start(1, [`${target.host}:${port}`], flags);
  return [node, { [Symbol.dispose]: () => void stranger.close() }];
}

test('a stranger who says back what it hears is no member', async () => {
  using files = new Certificates();
  await using cluster = await TestCluster.of();
  const [node, stranger] = await startAtStranger(
    cluster,
    files,
    (dialled) => void dialled.pipe(dialled),
  );
  using _ = stranger;
  expect((await node.exit).code).toBe(1);
  expect(node.stderr).toContain('was not reached in 2 attempts: TLS failed: unexpected message\n');
});

test('a node that a stranger leads back to itself knows itself', async () => {
  using files = new Certificates();
  await using cluster = await TestCluster.of();
  const [node, stranger] = await startAtStranger(
    cluster,
    files,
    (dialled, own) => void dialled.pipe(own).pipe(dialled),
  );
  using _ = stranger;
  await node.logged('the addresses of -join lead to nobody but this node');
  expect(await cluster.view(1)).toMatchObject([{ state: 'self' }]);
  expect((await cluster.ask(1, 'PUT', 'key', 1)).status).toBe(200);
});

test('SIGHUP: a new secret is used from the next connection on', async () => {
  using files = new Certificates();
  const [old, next] = [makeSecret(), makeSecret()];
  const flags = secretFlags(files, 'secret', old);
  await using cluster = await TestCluster.of();
  await startPair(cluster, flags);
  await cluster.formed();
  secretFlags(files, 'secret', next);
  cluster.node(1).signal('SIGHUP');
  await cluster.node(1).logged('new certificates are in use');
  await cluster.node(2).kill();
  await cluster.start(2, cluster.peers(2), flags).logged('serving');
  await cluster.formed();
  expect((await cluster.ask(2, 'PUT', 'key', 1)).status).toBe(200);
});

test('what peers reach from elsewhere must be protected, or said not to be', async () => {
  const exposed = ['-server-addr', '0.0.0.0:0', '-client-addr', '127.0.0.1:0'];
  const refused = await NodeProcess.run(exposed);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/other machines reach -server-addr 0.0.0.0:0, and nothing proves/);
  using files = new Certificates();
  const own = files.selfSigned('own');
  const ways = [['-insecure-peers'], secretFlags(files, 'secret', makeSecret()), tlsFlags(own)];
  for (const flags of ways) {
    await using node = new NodeProcess([...exposed, ...flags]);
    await node.logged('serving');
  }
  expect(readFileSync(join(files.dir, 'secret'), 'utf8')).toHaveLength(44);
});
