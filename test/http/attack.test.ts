// Clients that want a node's memory, or its time. It has a small heap, serves others meanwhile, and lives on.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { ask, dataOf, get, put } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { NodeProcess } from '../support/node-process.ts';
import { exchange, Wire } from '../support/wire.ts';

const MIB = 2 ** 20;
const HEAD = 'HTTP/1.1\r\nHost: x\r\n';

let node: NodeProcess;
let emptyBytes: number;
const sockets = new Set<Socket>();

beforeEach(async () => {
  node = await NodeProcess.start(['-max-memory', '64mb'], {
    NODE_OPTIONS: '--max-old-space-size=256',
    // A check of a node's own memory takes memory itself.
    MEMHASHD_CHECK: '',
  });
  await put(node.url, 'kept', '"as it was"');
  emptyBytes = node.residentBytes();
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  await expectService();
  await node[Symbol.asyncDispose]();
});

async function expectService(): Promise<void> {
  expect(dataOf(await get(node.url, 'kept'))).toBe('"as it was"');
  expect(await put(node.url, 'small', '1')).toMatchObject({ status: 200 });
}

/** What the node has taken since it was empty. */
function takenMib(): number {
  return (node.residentBytes() - emptyBytes) / MIB;
}

/** How many files, and so connections, a process may have open here. */
function openFilesMax(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? Infinity : Number(limit);
}

/** Opens a connection that reads nothing. */
async function open(): Promise<Socket> {
  const socket = connect({ port: node.port, host: '127.0.0.1', noDelay: true }).pause();
  sockets.add(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Opens many connections, some at a time. */
async function openMany(count: number): Promise<Socket[]> {
  const opened: Socket[] = [];
  while (opened.length < count) {
    const batch = Math.min(500, count - opened.length);
    opened.push(...(await Promise.all(Array.from({ length: batch }, open))));
  }
  return opened;
}

test('pipelined requests behind an answer that is not read do not pile up as objects', async () => {
  await put(node.url, 'large', `"${'x'.repeat(4 * MIB)}"`);
  const flood = `GET /v1/keys/large ${HEAD}\r\n${'GET /a HTTP/1.1\r\n\r\n'.repeat(3400)}`;
  for (const socket of await openMany(300)) socket.write(flood);
  for (let n = 0; n < 20; n++) await expectService();
  await eventually(expectService);
  expect(takenMib()).toBeLessThan(320);
});

test('a body in chunks of one byte takes its bytes', async () => {
  const bytes = 2_000_000;
  const value = `"${'x'.repeat(bytes - 2)}"`;
  const chunks = `{"data":${value}}`.replaceAll(/./g, '1\r\n$&\r\n');
  const request = `PUT /v1/keys/chunked ${HEAD}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
  expect(await exchange(node.port, `${request}${chunks}0\r\n\r\n`)).toContain('HTTP/1.1 200 OK');
  expect(dataOf(await get(node.url, 'chunked')) === value).toBe(true);
  expect(takenMib()).toBeLessThan(150);
});

test('large values that their clients do not read are held within a bound', async () => {
  await put(node.url, 'large', `"${'x'.repeat(16 * MIB - 2)}"`);
  for (const socket of await openMany(100)) socket.write(`GET /v1/keys/large ${HEAD}\r\n`);
  for (let n = 0; n < 20; n++) await expectService();
  await eventually(expectService);
  // 128 MiB of them wait; the value itself, and what came of making and dropping the others.
  expect(takenMib()).toBeLessThan(320);
  expect(await get(node.url, 'large')).toMatchObject({ status: 200 });
  await ask(node.url, 'DELETE', '/v1/keys/large');
});

test('200 who watch large values and do not read hold little, and who reads is told of all', async () => {
  const watch = `GET /v1/watch?prefix=w&values=true ${HEAD}\r\n`;
  using reader = await Wire.open(node.port);
  // What fills the values is not kept.
  let told = '';
  reader.socket.removeAllListeners('data').on('data', (piece: string) => {
    told += piece.replaceAll('z', '');
  });
  reader.send(watch);
  for (const socket of await openMany(200)) socket.write(watch);
  await eventually(() => expect(told).toContain('event: ready'));
  for (let n = 0; n < 24; n++) {
    await put(node.url, `w${n % 12}`, `"${n} ${'z'.repeat(2 * MIB)}"`);
    // 64 MiB of values that are there, 64 MiB of those that were, and 64 KiB for each.
    expect(takenMib()).toBeLessThan(180);
  }
  await eventually(() => {
    for (let n = 12; n < 24; n++) expect(told).toContain(`"${n} "`);
  });
  expect(told).not.toContain('event: lost');
});

test('large values that a watch begins with are given back', async () => {
  for (let n = 0; n < 30; n++) {
    await put(node.url, 'large', `"${'x'.repeat(4 * MIB)}"`);
    using wire = await Wire.open(node.port);
    wire.send(`GET /v1/watch?key=large&values=true&initial=true ${HEAD}\r\n`);
    await wire.receives(/event: ready/);
  }
  expect(takenMib()).toBeLessThan(100);
});

test('10,000 idle connections, and 500 that drip, hold up nobody', async () => {
  const idle = Math.min(10_000, openFilesMax() - 2000);
  await openMany(idle);
  const dripping = await openMany(500);
  const request = `GET /v1/keys/kept ${HEAD}X: ${'y'.repeat(200)}\r\n`;
  for (let at = 0; at < 40; at++) {
    for (const socket of dripping) socket.write(request[at]!);
    await expectService();
  }
  // 12 KiB for each of them, and a few MiB for what goes on meanwhile.
  expect(takenMib()).toBeLessThan((12 * (idle + 500)) / 1024 + 40);
});

/** A hundred connections that ask, or begin to, and end in one way or another. */
async function comeAndGo(): Promise<void> {
  const wires = await Promise.all(Array.from({ length: 100 }, () => Wire.open(node.port)));
  for (const [n, wire] of wires.entries()) {
    wire.send(n % 3 === 0 ? `GET /v1/keys/kept ${HEAD}` : `GET /v1/keys/kept ${HEAD}\r\n`);
    if (n % 2 === 0) wire.socket.resetAndDestroy();
    else wire.socket.end();
  }
  await Promise.all(wires.map((wire) => wire.ends()));
}

test('connections that come and go leave nothing behind', async () => {
  for (let rounds = 0; rounds < 30; rounds++) await comeAndGo();
  const before = takenMib();
  for (let rounds = 0; rounds < 60; rounds++) await comeAndGo();
  expect(takenMib() - before).toBeLessThan(24);
});
