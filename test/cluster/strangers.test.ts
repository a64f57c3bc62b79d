// Strangers at the port for members: they take no memory, and hold up nobody. The node has a small heap.
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { dataOf, get, put } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { NodeProcess } from '../support/node-process.ts';

const MIB = 2 ** 20;
const MAGIC = Buffer.from('memhashd');

let node: NodeProcess;
let peerPort: number;
let emptyBytes: number;
const sockets = new Set<Socket>();

beforeEach(async () => {
  node = await NodeProcess.start([], {
    NODE_OPTIONS: '--max-old-space-size=256',
    // A check of a node's own memory takes memory itself.
    MEMHASHD_CHECK: '',
  });
  const { server } = await node.logged('listening');
  peerPort = Number(String(server).split(':').at(-1));
  await put(node.url, 'kept', '"as it was"');
  emptyBytes = node.residentBytes();
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  expect(dataOf(await get(node.url, 'kept'))).toBe('"as it was"');
  await node[Symbol.asyncDispose]();
});

/** The header of a frame that announces so many bytes of this kind. */
function header(length: number, kind: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt32LE(length);
  bytes[4] = kind;
  return bytes;
}

const HELLO = 1;
const REQUEST = 5;

/** Resolves when a socket is closed, by an error or not. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.on('close', () => resolve()));
}

/** Connects, and sends as much as is taken of what comes again and again, until it is cut off. */
async function pour(first: Buffer, again: Buffer): Promise<void> {
  const socket = connect(peerPort, '127.0.0.1').resume();
  sockets.add(socket);
  socket.on('error', () => {});
  const closed = closeOf(socket);
  socket.write(first);
  const push = (): void => {
    while (!socket.destroyed && socket.write(again));
  };
  socket.on('drain', push);
  push();
  await closed;
}

test.each([
  ['announce a request of 16 MiB', header(16 * MIB, REQUEST)],
  ['announce a hello of 16 MiB', header(16 * MIB, HELLO)],
  ['say a hello of a mebibyte, less a byte', header(MIB, HELLO)],
])('100 strangers that %s are cut off, and take a bounded memory', async (_, frame) => {
  const first = Buffer.concat([MAGIC, frame]);
  // The last kind stops just before its frame is whole.
  const again = Buffer.alloc(64 * 1024, ' ');
  const poured = Promise.all(Array.from({ length: 100 }, () => pour(first, again)));
  for (let n = 0; n < 10; n++) expect(await get(node.url, 'kept')).toMatchObject({ status: 200 });
  await poured;
  expect((node.residentBytes() - emptyBytes) / MIB).toBeLessThan(100);
});

test('strangers that say nothing, or begin and stop, are sent away', async () => {
  const firsts = [
    Buffer.alloc(0),
    MAGIC.subarray(0, 3),
    MAGIC,
    Buffer.concat([MAGIC, header(MIB, HELLO)]),
  ];
  const opened = Array.from({ length: 200 }, async (_, n) => {
    const socket = connect(peerPort, '127.0.0.1').resume();
    sockets.add(socket);
    socket.on('error', () => {});
    const closed = closeOf(socket);
    socket.write(firsts[n % firsts.length]!);
    await closed;
  });
  await Promise.all(opened);
  await eventually(() => expect((node.residentBytes() - emptyBytes) / MIB).toBeLessThan(60));
});
