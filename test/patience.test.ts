// The time limits of the HTTP server, shortened: a client that is slow is told so, or cut off.
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { Scheduler } from '../src/base/scheduler.ts';
import { Api } from '../src/api/api.ts';
import { failure } from '../src/base/errors.ts';
import { HttpServer } from '../src/http/server.ts';
import { eventually } from './support/eventually.ts';
import { Wire } from './support/wire.ts';

const value = Buffer.alloc(8 * 1024 * 1024, '1');

let server: HttpServer;
let port: number;
beforeAll(async () => {
  const node = { id: 'id', addr: 'addr' };
  const meta = { index: 1, ttlNs: 0n, accessedAt: 0, createdAt: 1, updatedAt: 1 };
  const api = new Api({
    engine: {
      serve: (request) => {
        // What takes so long that it is never done.
        if (request.action === 'index') return new Promise(() => {});
        return request.action === 'load'
          ? { status: 'ok', node, meta, value: { bytes: value, start: 0, end: value.length } }
          : failure('INTERNAL_ERROR', 'only loads are served here');
      },
      list: () => [],
      members: () => [],
      start: () => Promise.resolve(),
      close: () => {},
    },
    scheduler: new Scheduler(),
    valueBytesMax: value.length,
    onDefect: (error) => {
      throw error;
    },
  });
  server = new HttpServer(api, {
    patience: { headersMs: 200, requestMs: 400, idleMs: 1500, lingerMs: 1000, endedMs: 300 },
  });
  ({ port } = await server.listen({ host: '127.0.0.1', port: 0 }));
});
afterAll(() => server.destroy());

test.each([
  ['stops within its request line', 'GET /v1/ke'],
  ['stops within its headers', 'GET /v1/keys/a HTTP/1.1\r\nHost: x\r\n'],
  ['stops within its body', 'PUT /v1/keys/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{'],
])('a client that %s is told 408', async (_, bytes) => {
  using wire = await Wire.open(port);
  const received = await wire.send(bytes).ends();
  expect(received).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  expect(received).toContain('Content-Type: application/problem+json\r\n');
  expect(received).toContain('"code":"REQUEST_TIMEOUT"');
});

test('a client that says nothing is let go without a word, later', async () => {
  using wire = await Wire.open(port);
  expect(await wire.ends()).toBe('');
});

test('headers that never end, sent a line at a time, are told 408', async () => {
  using wire = await Wire.open(port);
  wire.send('GET /v1/keys/a HTTP/1.1\r\nHost: x\r\n');
  const drip = setInterval(() => wire.socket.writable && wire.send('X: y\r\n'), 20);
  const received = await wire.ends();
  clearInterval(drip);
  expect(received).toContain('"code":"REQUEST_TIMEOUT"');
});

test('a client that does not read its answer is cut off', async () => {
  using wire = await Wire.open(port);
  wire.send('GET /v1/keys/a HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(4));
  // It reads the head, so that the request is known to have arrived, and no more.
  await wire.receives(/200 OK/);
  wire.socket.pause();
  const filter = `state established sport = :${port} and dport = :${wire.socket.localPort}`;
  const established = () => execFileSync('ss', ['-Htn', ...filter.split(' ')]).toString();
  expect(established()).not.toBe('');
  await eventually(() => expect(established()).toBe(''));
  expect(wire.received.length).toBeLessThan(4 * value.length);
});

test('a client that has ended its side gets what is ready, and does not keep up what takes long', async () => {
  using reader = await Wire.open(port);
  reader.send('GET /v1/keys HTTP/1.1\r\nHost: x\r\n\r\n').socket.end();
  expect(await reader.ends()).toContain('200 OK');
  using wire = await Wire.open(port);
  wire.send('GET /v1/keys/a/index?index=0 HTTP/1.1\r\nHost: x\r\n\r\n').socket.end();
  expect(await wire.ends()).toBe('');
});
