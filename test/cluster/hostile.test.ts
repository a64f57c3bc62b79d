// Peers that break the rules, on both sides of a connection: the node and all other keys carry on.
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';

import { MOVE_WAIT_MS, NOT_MINE_PAUSE_MS } from '../../src/base/limits.ts';
import { parseAddress } from '../../src/net/address.ts';
import { keyFromText } from '../../src/base/key.ts';
import { clusterNumber, writeFence } from '../../src/peer/fence.ts';
import { FrameWriter, type Frame } from '../../src/peer/frame.ts';
import { writeRequest } from '../../src/peer/wire.ts';
import { ACTIONS } from '../../src/record/request.ts';
import { eventually } from '../support/eventually.ts';
import { FakeConnection, fakeHello, FakePeer } from '../support/fake-peer.ts';
import { TestCluster } from '../support/test-cluster.ts';

/** A frame header that announces `length` bytes of this kind. */
function header(length: number, kind: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt32LE(length);
  bytes[4] = kind;
  return bytes;
}

/** Resolves when a socket is closed, by an error or not. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.on('close', () => resolve()));
}

const magic = Buffer.from('memhashd');
const tlsHello = Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]);

/** Whoever dials the peer port and says this, and what the log then says of it. */
const strangers: [string, Buffer, RegExp][] = [
  ['garbage', Buffer.from('\x00\xff\x80garbage'), /it speaks an unknown protocol/],
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), /it speaks HTTP/],
  ['TLS', tlsHello, /it speaks TLS, and this node does not \(-tls-cert\)/],
  [
    'a giant frame',
    Buffer.concat([magic, header(0xffffffff, 1)]),
    /hello frame of 4294967299 bytes/,
  ],
  ['an unknown kind of frame', Buffer.concat([magic, header(5, 77)]), /frame of kind 77/],
  [
    'a request before its hello',
    Buffer.concat([magic, header(5, 5)]),
    /request frame before its hello/,
  ],
  ['an empty hello', Buffer.concat([magic, header(5, 1)]), /a control message that is no JSON/],
  ['nothing', Buffer.alloc(0), /it says nothing/],
  ['half a hello', Buffer.concat([magic, header(500, 1)]), /it said no hello/],
];

test.each(strangers)(
  'somebody who says %s is turned away with a line in the log',
  async (_, bytes, reason) => {
    await using cluster = await TestCluster.of();
    const node = cluster.start(1, []);
    await node.logged('serving');
    const socket = connect(parseAddress(cluster.peer(1))!);
    socket.on('error', () => {}).resume();
    const closed = closeOf(socket);
    if (bytes.length > 0) socket.write(bytes);
    await closed;
    await node.logged('somebody was turned away at the peer port', { reason });
    expect((await cluster.ask(1, 'PUT', 'key', 1)).status).toBe(200);
  },
);

test('300 connections that say nothing keep no peer out, and end', async () => {
  await using cluster = await TestCluster.of();
  const first = cluster.start(1, cluster.peers(2));
  await first.logged('the cluster is forming');
  const sockets: Socket[] = [];
  for (let n = 0; n < 300; n++) {
    sockets.push(
      connect(parseAddress(cluster.peer(1))!)
        .on('error', () => {})
        .resume(),
    );
  }
  const closed = Promise.all(sockets.map((socket) => closeOf(socket)));
  cluster.start(2, cluster.peers(2));
  await cluster.formed();
  expect(await closed).toHaveLength(300);
});

/** A connection to node 1 of a formed cluster of two, as its member 2. */
async function dialAsMember(cluster: TestCluster): Promise<FakeConnection> {
  const connection = await FakeConnection.dial(cluster.peer(1));
  const { life } = await cluster.node(1).logged('a peer is up', { peer: cluster.peer(2) });
  const hello = fakeHello(cluster.peer(2), { life: String(life) });
  connection.send('hello', 0, JSON.stringify(hello));
  await eventually(() => expect(connection.frames[0]?.kind).toBe('hello'));
  return connection;
}

const LOAD = ACTIONS.load.code;

/** The body of a request: a fence, and then these bytes. */
function fenced(...bytes: number[]): Buffer {
  return Buffer.from([0, 0, 0, 0, 1, 0, 0, 0, ...bytes]);
}

const badRequests: [string, (connection: FakeConnection) => void][] = [
  ['a request of no action', (c) => c.send('request', 1, fenced(0, 1, 0, 65))],
  ['a request cut short', (c) => c.send('request', 1, fenced(LOAD, 200, 0, 65))],
  ['an empty key', (c) => c.send('request', 1, fenced(LOAD, 0, 0, 255, 255))],
  ['bytes after a request', (c) => c.send('request', 1, fenced(LOAD, 1, 0, 65, 255, 255, 1))],
  ['a page of no keys', (c) => c.send('listRequest', 1, Buffer.alloc(16))],
  ['a reply to nothing', (c) => c.send('reply', 1, Buffer.from([0]))],
  ['a second hello', (c) => c.send('hello', 0, JSON.stringify(fakeHello('127.0.0.1:1')))],
  ['a state of nonsense', (c) => c.send('state', 0, '{"known":7}')],
  ['garbage', (c) => c.socket.write(Buffer.alloc(1000, 0xfe))],
];

test.each(badRequests)(
  'a member that sends %s loses its connection, nothing else',
  async (_, send) => {
    await using cluster = await TestCluster.form(2);
    const keys = await cluster.ownedKeys(2);
    const connection = await dialAsMember(cluster);
    const closed = closeOf(connection.socket);
    send(connection);
    await closed;
    await cluster
      .node(1)
      .logged('a peer has left the peer port', { reason: /it broke the protocol/ });
    for (const key of keys) expect((await cluster.ask(1, 'GET', key)).status).toBe(200);
  },
);

test('a member that reads no answers is held back, then cut off, and costs a bounded buffer', async () => {
  await using cluster = await TestCluster.form(2);
  const [key] = await cluster.ownedKeys(2);
  await cluster.ask(1, 'PUT', key!, 'x'.repeat(1024 * 1024));
  const connection = await dialAsMember(cluster);
  connection.socket.pause();
  const closed = closeOf(connection.socket);
  const { clusterId } = await cluster.node(1).logged('this node is a member');
  const writer = new FrameWriter();
  for (let id = 0; id < 400; id++) {
    writer.begin('request', id, 1024);
    writeFence(writer, { cluster: clusterNumber(String(clusterId)), epoch: 1 });
    writeRequest(writer, { action: 'load', key: keyFromText(key!)! });
    writer.end();
  }
  for (const buffer of writer.take()) connection.socket.write(buffer);
  const reason = 'it does not read what it is sent';
  // It takes 21 beats, which a machine with much to do stretches.
  const cutOff = () => cluster.node(1).logged('a peer has left the peer port', { reason });
  await eventually(cutOff, 60_000);
  connection.socket.resume();
  await closed;
  expect((await cluster.ask(2, 'GET', key!)).status).toBe(200);
});

/** What a fake owner does with a request, and what the client then gets for a load and a store. */
const owners: [string, (connection: FakeConnection, frame: Frame) => void][] = [
  ['answers never', () => {}],
  ['hangs', (c) => c.hang()],
  ['breaks off', (c) => void c.socket.destroy()],
  ['answers garbage', (c) => void c.socket.write(Buffer.alloc(64, 0xfe))],
  ['answers with a giant frame', (c) => void c.socket.write(header(0xfffffff0, 6))],
  ['answers with an unknown status', (c, { id }) => c.send('reply', id, Buffer.from([99]))],
  ['answers with half a record', (c, { id }) => c.send('reply', id, Buffer.from([1, 0, 0]))],
  ['answers with a failure that does not exist', (c, { id }) => c.send('reply', id, '\x03\x01X')],
  ['answers with a page of keys', (c, { id }) => c.send('listReply', id, Buffer.from([0]))],
  ['says more than one hello', (c) => c.send('hello', 0, JSON.stringify(fakeHello('127.0.0.1:1')))],
  ['asks back on the same connection', (c) => c.send('request', 1, Buffer.alloc(8))],
];

test.each(owners)(
  'an owner that %s: its keys fail as they must, others do not',
  async (_, behave) => {
    await using cluster = await TestCluster.of();
    await using fake = await FakePeer.start(cluster.peer(2), cluster.peers(2));
    const node = cluster.start(1, [cluster.peer(2)]);
    await node.logged('serving');
    // The fake answers a first load for each key, so that the test learns which are its own.
    fake.onRequest = (connection, { id }) => connection.send('reply', id, Buffer.from([0]));
    const keys = await cluster.ownedKeys(2);
    fake.onRequest = behave;
    // One after the other: the first may cost the connection, and the other then never be sent.
    const store = await cluster.ask(1, 'PUT', keys[1]!, 1);
    expect(store).toMatchObject({ status: 504, body: { code: 'OUTCOME_UNKNOWN' } });
    const load = await cluster.ask(1, 'GET', keys[1]!);
    expect(load).toMatchObject({ status: 503, body: { code: 'OWNER_UNAVAILABLE' } });
    const own = await cluster.ask(1, 'GET', keys[0]!);
    expect(own.status).toBe(200);

    // As soon as it behaves, it is used again.
    fake.onRequest = (connection, { id }) => connection.send('reply', id, Buffer.from([0]));
    await eventually(async () =>
      expect((await cluster.ask(1, 'DELETE', keys[1]!)).status).toBe(200),
    );
  },
);

test('an owner that says "not mine" for ever is asked for a bounded time', async () => {
  await using cluster = await TestCluster.of();
  await using fake = await FakePeer.start(cluster.peer(2), cluster.peers(2));
  await cluster.start(1, [cluster.peer(2)]).logged('serving');
  fake.onRequest = (connection, { id }) => connection.send('reply', id, Buffer.from([0]));
  const [, key] = await cluster.ownedKeys(2);
  let requests = 0;
  fake.onRequest = (connection, { id }) => {
    requests++;
    connection.send('notMine', id, '');
  };
  expect(await cluster.ask(1, 'GET', key!)).toMatchObject({ body: { code: 'OWNER_UNAVAILABLE' } });
  expect(requests).toBeGreaterThan(1);
  expect(requests).toBeLessThanOrEqual(1 + MOVE_WAIT_MS / NOT_MINE_PAUSE_MS);
});

/** A page of keys, as it travels; `hasMore` says that it is not the last. */
function pageOf(keys: readonly string[], hasMore: boolean): Buffer {
  const written = keys.map((key) => `${String.fromCodePoint(key.length, 0)}${key}`);
  return Buffer.from(`${hasMore ? '\x01' : '\x00'}${written.join('')}`);
}

const listers: [string, (connection: FakeConnection, frame: Frame) => void][] = [
  ['breaks off', (c) => void c.socket.destroy()],
  [
    'answers with an empty page that is not the last',
    (c, { id }) => c.send('listReply', id, '\x01'),
  ],
  ['answers with a record', (c, { id }) => c.send('reply', id, Buffer.from([0]))],
  ['answers never', () => {}],
];

test.each(listers)(
  'a member that %s in a listing: an error, never a shorter list',
  async (_, behave) => {
    await using cluster = await TestCluster.of();
    await using fake = await FakePeer.start(cluster.peer(2), cluster.peers(2));
    await cluster.start(1, [cluster.peer(2)]).logged('serving');
    fake.onRequest = (connection, { id }) => connection.send('reply', id, Buffer.from([0]));
    const [, tag] = await cluster.ownedKeys(2);
    const [first, second] = [`{${tag}}first`, `{${tag}}second`];
    fake.onRequest = (connection, { id }) => {
      connection.send('listReply', id, pageOf([first], true));
      // Where a page ends within a partition, that is asked for anew from its beginning.
      fake.onRequest = (again, frame) => {
        again.send('listReply', frame.id, pageOf([first, second], false));
      };
    };
    const path = '/v1/keys?scope=cluster&prefix={';
    expect((await cluster.get(1, path)).json).toEqual([first, second]);

    fake.onRequest = (connection, { id }) => {
      connection.send('listReply', id, pageOf([first], true));
      fake.onRequest = behave;
    };
    const answer = await cluster.get(1, path);
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({ code: 'OWNER_UNAVAILABLE' });
  },
);
