// What no client should send. After each test the node must still serve, with nothing lost.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import { ask, dataOf, get, put } from './support/client.ts';
import { eventually } from './support/eventually.ts';
import { expectProblem } from './contract.ts';
import { NodeProcess } from './support/node-process.ts';
import { exchange, Wire } from './support/wire.ts';

const MIB = 1024 * 1024;
const BODY_BYTES_MAX = 16 * MIB + 64 * 1024;

const KEPT = JSON.stringify(Array.from({ length: 100 }, (_, n) => `value ${n}`));

let node: NodeProcess;
let started: string;
beforeAll(async () => {
  node = await NodeProcess.start();
  started = node.stderr;
  await put(node.url, 'kept', KEPT);
});
afterEach(async () => {
  expect(node.child.exitCode).toBeNull();
  expect(dataOf(await get(node.url, 'kept'))).toBe(KEPT);
});
afterAll(async () => {
  node.signal('SIGTERM');
  expect(await node.ended()).toMatchObject({ code: 0 });
});

const HEAD = 'HTTP/1.1\r\nHost: x\r\n';

/** Takes apart one answer as it came over the wire; checks that it is a problem document. */
function problemOf(received: string): { status: number; code: string; headers: string } {
  const [headers = '', body = ''] = received.split('\r\n\r\n');
  const problem = JSON.parse(body) as { status: number; code: string };
  expect(headers).toContain('\r\nContent-Type: application/problem+json');
  expect(headers).toContain(`\r\nContent-Length: ${body.length}`);
  expect(headers.startsWith(`HTTP/1.1 ${problem.status} `)).toBe(true);
  expect(Object.keys(problem)).toEqual(['type', 'title', 'status', 'detail', 'code', 'text']);
  return { status: problem.status, code: problem.code, headers };
}

describe('what the parser refuses', () => {
  test.each([
    ['garbage', '\x00\x01\xff\xfe garbage\r\n\r\n'],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a request line without a path', 'GET HTTP/1.1\r\n\r\n'],
    ['a space before a colon', `GET /v1/keys ${HEAD}Accept : */*\r\n\r\n`],
    ['a header without a name', `GET /v1/keys ${HEAD}: x\r\n\r\n`],
    ['a NUL in a header', `GET /v1/keys ${HEAD}X: a\0b\r\n\r\n`],
    ['no Host', 'GET /v1/keys HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['two lengths', `PUT /v1/keys/a ${HEAD}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc`],
    ['a negative length', `PUT /v1/keys/a ${HEAD}Content-Length: -1\r\n\r\n`],
    ['a length past 2^64', `PUT /v1/keys/a ${HEAD}Content-Length: ${'9'.repeat(30)}\r\n\r\n`],
    [
      'a length and chunks',
      `PUT /v1/keys/a ${HEAD}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['a bad chunk size', `PUT /v1/keys/a ${HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`],
  ])('%s is 400', async (_, bytes) => {
    const { status, code, headers } = problemOf(await exchange(node.port, bytes));
    expect({ status, code }).toEqual({ status: 400, code: 'MALFORMED_REQUEST' });
    expect(headers).toContain('\r\nConnection: close');
  });

  test.each([
    ['/v1/keys', 'GET, HEAD'],
    ['/v1/keys/a', 'GET, HEAD, PUT, PATCH, DELETE'],
  ])('a method that nobody knows is 405 at %s', async (path, allow) => {
    const { status, code, headers } = problemOf(
      await exchange(node.port, `BREW ${path} ${HEAD}\r\n`),
    );
    expect({ status, code }).toEqual({ status: 405, code: 'METHOD_NOT_ALLOWED' });
    expect(headers).toContain(`\r\nAllow: ${allow}`);
  });

  test('a method that nobody knows, at an unknown path, is 404', async () => {
    const received = await exchange(node.port, `BREW /pot ${HEAD}\r\n`);
    expect(problemOf(received).code).toBe('ROUTE_NOT_FOUND');
  });

  test('CONNECT is 405', async () => {
    const received = await exchange(node.port, `CONNECT example.com:443 ${HEAD}\r\n`);
    expect(problemOf(received)).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED' });
  });

  test.each([
    ['in one header', `X: ${'x'.repeat(40_000)}\r\n`],
    ['in many headers', 'X-Header: value\r\n'.repeat(3000)],
    ['far past the limit', 'X-Header: value\r\n'.repeat(300_000)],
  ])('headers that are too large, %s, are 431', async (_, headers) => {
    const received = await exchange(node.port, `GET /v1/keys ${HEAD}${headers}\r\n`);
    expect(problemOf(received)).toMatchObject({ status: 431, code: 'HEADERS_TOO_LARGE' });
  });

  test('a request line that is too large is 431', async () => {
    const received = await exchange(node.port, `GET /v1/keys/${'x'.repeat(40_000)} ${HEAD}\r\n`);
    expect(problemOf(received).code).toBe('HEADERS_TOO_LARGE');
  });

  test('a condition counts though thousands of headers come before it', async () => {
    const request = `PUT /v1/keys/kept ${HEAD}${'a:\r\n'.repeat(3000)}If-None-Match: *\r\n`;
    const body = 'Connection: close\r\nContent-Length: 10\r\n\r\n{"data":1}';
    expect(problemOf(await exchange(node.port, request + body)).code).toBe('PRECONDITION_FAILED');
  });

  test('an expectation other than 100-continue is 417', async () => {
    const headers = { Expect: 'tea' };
    expectProblem(await ask(node.url, 'GET', '/v1/keys', { headers }), 417, 'EXPECTATION_FAILED');
  });

  test('garbage after a request is refused after its answer', async () => {
    const received = await exchange(node.port, `GET /v1/keys/kept ${HEAD}\r\n\0garbage\r\n\r\n`);
    const [first = '', second = ''] = received.split(/(?<=\n)(?=HTTP\/1\.1 400 )/);
    expect(first).toContain(KEPT);
    expect(problemOf(second).code).toBe('MALFORMED_REQUEST');
  });
});

describe('bodies', () => {
  test('a body that announces too much is 413 before it is sent', async () => {
    using wire = await Wire.open(node.port);
    wire.send(`PUT /v1/keys/a ${HEAD}Content-Length: ${BODY_BYTES_MAX + 1}\r\n\r\n`);
    const received = await wire.receives(/\}\n$/);
    expect(problemOf(received)).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
  });

  test('a client that asks before it sends too much is told no', async () => {
    const received = await exchange(
      node.port,
      `PUT /v1/keys/a ${HEAD}Expect: 100-continue\r\nContent-Length: ${BODY_BYTES_MAX + 1}\r\n\r\n`,
    );
    expect(problemOf(received)).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
  });

  test('a client that asks before it sends is told to go on', async () => {
    using wire = await Wire.open(node.port);
    wire.send(`PUT /v1/keys/asked ${HEAD}Expect: 100-continue\r\nContent-Length: 10\r\n\r\n`);
    expect(await wire.receives(/\r\n\r\n/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    expect(await wire.send('{"data":1}').receives(/\}\n$/)).toContain('HTTP/1.1 200 OK');
  });

  test('a client of HTTP/1.0 is not told to go on', async () => {
    const head = 'HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n';
    const received = await exchange(node.port, `PUT /v1/keys/old ${head}{"data":1}`);
    expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  test('chunks that grow past the limit are 413, and the rest is dropped', async () => {
    using wire = await Wire.open(node.port);
    wire.send(`PUT /v1/keys/a ${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
    const chunk = `100000\r\n${' '.repeat(MIB)}\r\n`;
    for (let sent = 0; sent < 20; sent++) wire.send(chunk);
    const received = await wire.receives(/\}\n$/);
    expect(problemOf(received)).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE' });
    wire.send(`0\r\n\r\nGET /v1/keys/kept ${HEAD}\r\n`);
    expect(await wire.receives(/HTTP\/1\.1 200 OK/)).toContain(KEPT);
  });

  test('a value of 16 MiB is stored, one byte more is 413', async () => {
    const value = `"${'x'.repeat(16 * MIB - 2)}"`;
    expect(await put(node.url, 'large', value)).toMatchObject({ status: 200 });
    expect(dataOf(await get(node.url, 'large')) === value).toBe(true);
    expectProblem(await put(node.url, 'large', `[${value}]`), 413, 'VALUE_TOO_LARGE');
    await ask(node.url, 'DELETE', '/v1/keys/large');
  });

  test.each(['[', '{"a":', '"\\u', '{"data":'])('200,000 times %j is refused', async (piece) => {
    const body = piece.repeat(200_000);
    const answer = await ask(node.url, 'PUT', '/v1/keys/kept', { body });
    expect(answer.status).toBe(400);
  });

  test('a body that is cut off stores nothing', async () => {
    using wire = await Wire.open(node.port);
    wire.send(`PUT /v1/keys/kept ${HEAD}Content-Length: 100\r\n\r\n{"data": "cut`);
    wire.socket.end();
    await wire.ends();
    using reset = await Wire.open(node.port);
    reset.send(`PUT /v1/keys/kept ${HEAD}Content-Length: 100\r\n\r\n{"data": "cut`);
    reset.socket.resetAndDestroy();
    await reset.ends();
    expect(dataOf(await get(node.url, 'kept'))).toBe(KEPT);
  });

  test('bodies that are announced and never sent take no room from others', async () => {
    const wires = await Promise.all(Array.from({ length: 40 }, () => Wire.open(node.port)));
    for (const wire of wires) {
      wire.send(`PUT /v1/keys/a ${HEAD}Content-Length: ${16 * MIB}\r\n\r\n{`);
    }
    const value = `"${'x'.repeat(15 * MIB)}"`;
    expect(await put(node.url, 'after', value)).toMatchObject({ status: 200 });
    await ask(node.url, 'DELETE', '/v1/keys/after');
    for (const wire of wires) expect(wire.received).toBe('');
    for (const wire of wires) wire[Symbol.dispose]();
  });

  test('large bodies that arrive use up the room for large ones, not that for small ones', async () => {
    // 128 MiB may be on their way; each of these has all but its last byte here.
    const bytes = 16 * MIB;
    const wires = await Promise.all(Array.from({ length: 10 }, () => Wire.open(node.port)));
    const piece = Buffer.alloc(MIB, ' ');
    for (const wire of wires) {
      wire.send(`PUT /v1/keys/a ${HEAD}Content-Length: ${bytes}\r\n\r\n`);
      for (let sent = 0; sent < bytes - MIB; sent += MIB) wire.send(piece);
      wire.send(piece.subarray(1));
    }
    const refused = await Promise.any(wires.map((wire) => wire.receives(/\}\n$/)));
    expect(problemOf(refused)).toMatchObject({ status: 503, code: 'OVERLOADED' });
    const small = `"${'x'.repeat(60_000)}"`;
    for (let n = 0; n < 20; n++) {
      expect(await put(node.url, 'small', small)).toMatchObject({ status: 200 });
    }
    await Promise.all(wires.map((wire) => (wire.socket.destroy(), wire.ends())));
    const large = `"${'x'.repeat(15 * MIB)}"`;
    // The node learns of each end in its own time.
    await eventually(async () => {
      expect(await put(node.url, 'after', large)).toMatchObject({ status: 200 });
    });
    await ask(node.url, 'DELETE', '/v1/keys/after');
  });
});

describe('connections', () => {
  test('300 half-open requests do not hold up others', async () => {
    const pieces = [
      '',
      'GE',
      'GET /v1/ke',
      `GET /v1/keys/kept ${HEAD}`,
      `PUT /v1/keys/kept ${HEAD}Content-Length: 50\r\n\r\n{"data"`,
      `PUT /v1/keys/kept ${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{"d`,
    ];
    const wires = await Promise.all(Array.from({ length: 300 }, () => Wire.open(node.port)));
    for (const [n, wire] of wires.entries()) wire.send(pieces[n % pieces.length] ?? '');
    for (let n = 0; n < 50; n++) {
      expect(await put(node.url, 'meanwhile', `${n}`)).toMatchObject({ status: 200 });
      expect(dataOf(await get(node.url, 'meanwhile'))).toBe(`${n}`);
    }
    for (const wire of wires) wire[Symbol.dispose]();
  });

  test('a client that reads nothing holds up nobody', async () => {
    await put(node.url, 'big', `"${'x'.repeat(MIB)}"`);
    using wire = await Wire.open(node.port);
    wire.socket.pause();
    wire.send(`GET /v1/keys/big ${HEAD}\r\nGET /v1/keys ${HEAD}\r\n`.repeat(50));
    for (let n = 0; n < 20; n++) {
      expect(await get(node.url, 'kept')).toMatchObject({ status: 200 });
    }
    await ask(node.url, 'DELETE', '/v1/keys/big');
  });

  test('requests in one packet are answered in order', async () => {
    using wire = await Wire.open(node.port);
    const requests = Array.from(
      { length: 100 },
      (_, n) =>
        `PUT /v1/keys/pipe ${HEAD}Content-Length: ${10 + `${n}`.length}\r\n\r\n{"data": ${n}}` +
        `GET /v1/keys/pipe ${HEAD}\r\n`,
    );
    const received = await wire
      .send(requests.join(''))
      .receives(/"load","meta":\{"index":100,.*\n$/);
    const values = [...received.matchAll(/"action":"load".*"data":(\d+)/g)].map(
      (match) => match[1],
    );
    expect(values).toEqual(requests.map((_, n) => `${n}`));
  });

  test('a request that comes byte by byte is answered', async () => {
    using wire = await Wire.open(node.port);
    const request = `PUT /v1/keys/slow ${HEAD}Content-Length: 14\r\n\r\n{"data": "é"}`;
    for (const byte of Buffer.from(request)) {
      wire.send(Buffer.of(byte));
      // The answer to another request shows that the node had a turn to read this byte alone.
      await get(node.url, 'kept');
    }
    expect(await wire.receives(/\}\n$/)).toContain('HTTP/1.1 200 OK');
    expect(dataOf(await get(node.url, 'slow'))).toBe('"é"');
  });

  test('2,000 short connections, half of them reset, leave the node as it was', async () => {
    for (let round = 0; round < 20; round++) {
      const wires = await Promise.all(Array.from({ length: 100 }, () => Wire.open(node.port)));
      for (const [n, wire] of wires.entries()) {
        wire.send(`GET /v1/keys/kept ${HEAD}\r\n`);
        if (n % 2 === 0) wire.socket.resetAndDestroy();
        else wire.socket.end();
      }
      await Promise.all(wires.map((wire) => wire.ends()));
    }
    expect(node.stderr).toBe(started);
  });
});
