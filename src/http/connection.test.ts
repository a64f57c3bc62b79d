import { expect, test } from 'vitest';

import { isFailure } from '../base/errors.ts';
import type { Lease } from '../base/lease.ts';
import { ANSWER_PACE, BODY_PACE } from '../base/limits.ts';
import { dispose, TestHost, type MemorySocket } from '../../test/support/memory-socket.ts';
import { headerLine, type Exchange } from './exchange.ts';

/** A host whose application does nothing until the test answers; the exchanges come to the test. */
function hostOf(handle: (exchange: Exchange) => void = () => {}): {
  host: TestHost;
  exchanges: Exchange[];
} {
  const exchanges: Exchange[] = [];
  const host = new TestHost({
    handle(exchange) {
      exchanges.push(exchange);
      handle(exchange);
    },
    describe: ({ code }) => ({ headers: headerLine('X-Problem', code), body: `${code}\n` }),
  });
  return { host, exchanges };
}

const answering = (exchange: Exchange): void => exchange.send(200, '', 'ok');

/** Answers with the body. */
const echoing = (exchange: Exchange): void =>
  exchange.receive(100_000_000, (body) => {
    exchange.send(200, '', isFailure(body) ? body.code : body);
  });

const GET = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n';
const put = (body: string, headers = ''): string =>
  `PUT /a HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

test('head and body leave in one write, with date and length', async () => {
  const { host } = hostOf(answering);
  const socket = await host.connect();
  await socket.feedPieces([GET]);
  expect(socket.received).toMatch(
    /^HTTP\/1\.1 200 OK\r\nContent-Length: 2\r\nDate: [^\r]+ GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n\r\nok$/,
  );
  expect(socket.writes).toBe(1);
});

test('requests that come in one read are answered in order, in one write', async () => {
  const { host } = hostOf((exchange) => exchange.send(200, '', exchange.target));
  const socket = await host.connect();
  const requests = Array.from({ length: 16 }, (_, n) => GET.replace('/a', `/${n}`));
  await socket.feedPieces([requests.join('')]);
  const bodies = [...socket.received.matchAll(/\r\n\r\n(\/\d+)/g)].map(([, body]) => body);
  expect(bodies).toEqual(requests.map((_, n) => `/${n}`));
  expect(socket.writes).toBe(1);
});

test('a request that waits for its answer holds back those behind it', async () => {
  const { host, exchanges } = hostOf();
  const socket = await host.connect();
  await socket.feedPieces([GET + GET, GET]);
  expect(exchanges).toHaveLength(1);
  for (let n = 0; n < 3; n++) {
    exchanges[n]!.send(200, '', `${n}`);
    await socket.settled();
  }
  expect(exchanges).toHaveLength(3);
  expect(socket.received.match(/\r\n\r\n\d/g)).toEqual(['0', '1', '2'].map((n) => `\r\n\r\n${n}`));
});

test('thousands of pipelined requests are served some at a time, all of them', async () => {
  const { host, exchanges } = hostOf(answering);
  const socket = await host.connect();
  socket.feed(GET.repeat(1000));
  // No more than these have been served when others get their turn.
  expect(exchanges.length).toBeLessThanOrEqual(64);
  while (exchanges.length < 1000) await socket.settled();
  await socket.settled();
  expect(socket.received.match(/200 OK/g)).toHaveLength(1000);
});

test('there is one answer to a request, whatever the application does', async () => {
  const { host, exchanges } = hostOf((exchange) => {
    answering(exchange);
    answering(exchange);
    exchange.begin(200, '');
    exchange.write('more');
    exchange.end('more');
  });
  const socket = await host.connect();
  await socket.feedPieces([GET]);
  answering(exchanges[0]!);
  expect(exchanges[0]!.header('host')).toBeUndefined();
  await socket.feedPieces([GET]);
  expect(socket.received.match(/HTTP\/1\.1/g)).toHaveLength(2);
  expect(socket.received).not.toContain('more');
});

test('an answer before the end of the body is not followed by another', async () => {
  const { host, exchanges } = hostOf((exchange) => exchange.send(404, '', 'no'));
  const socket = await host.connect();
  const head = 'PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
  await socket.feedPieces([head]);
  expect(socket.received).toMatch(/^HTTP\/1\.1 404 /);
  await socket.feedPieces(['1\r\nx\r\n', 'bad chunk\r\n\r\n', GET]);
  expect(socket.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(socket.isEnded).toBe(true);
  expect(exchanges).toHaveLength(1);
});

test('after an unwanted body the connection goes on', async () => {
  const { host } = hostOf((exchange) => exchange.send(404, '', 'no'));
  const socket = await host.connect();
  await socket.feedPieces([put('x'.repeat(50_000)).slice(0, 1000), 'x'.repeat(60_000)]);
  await socket.feedPieces([GET]);
  expect(socket.isEnded).toBe(true);
  const other = await host.connect();
  const whole = put('x'.repeat(50_000));
  await other.feedPieces([whole.slice(0, 1000), whole.slice(1000) + GET]);
  expect(other.received.match(/404 Not Found/g)).toHaveLength(2);
  expect(other.isEnded).toBe(false);
});

test.each([
  ['by length', (body: string) => put(body)],
  [
    'in chunks',
    (body: string) =>
      'PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n' +
      body
        .split('')
        .map((char) => `1\r\n${char}\r\n`)
        .join('') +
      '0\r\n\r\n',
  ],
])('a body %s comes whole, in pieces of any size', async (_, form) => {
  const body = Array.from({ length: 3000 }, (_unused, n) =>
    String.fromCharCode(97 + (n % 26)),
  ).join('');
  const { host } = hostOf(echoing);
  for (const size of [1, 7, 1000, 100_000]) {
    const socket = await host.connect();
    const bytes = form(body) + form('next');
    const pieces = [];
    for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
    await socket.feedPieces(pieces);
    const bodies = socket.received.split(/HTTP\/1\.1 200 OK\r\n(?:[^\r]+\r\n)+\r\n/);
    expect(bodies).toEqual(['', body, 'next']);
  }
  expect(host.bodies.usedBytes).toBe(0);
});

test('a body that one read brings takes nothing from the budget; one that comes takes what has come', async () => {
  const { host } = hostOf(echoing);
  const socket = await host.connect();
  await socket.feedPieces([put('x'.repeat(60_000))]);
  expect(host.bodies.usedBytes).toBe(0);
  socket.feed(put('x'.repeat(10_000_000)).slice(0, 60_000));
  expect(host.bodies.usedBytes).toBeLessThan(70_000);
  socket.feed('x'.repeat(200_000));
  expect(host.bodies.usedBytes).toBeGreaterThan(250_000);
  expect(host.bodies.usedBytes).toBeLessThan(1_100_000);
  socket.destroy();
  await socket.settled();
  expect(host.bodies.usedBytes).toBe(0);
});

test('extensions and trailers of chunks may take so much and no more', async () => {
  const { host } = hostOf(echoing);
  const head = 'PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n';
  for (const flood of [
    `1;${'a'.repeat(500)}\r\nx\r\n`,
    '00000000000000000000000000000001\r\nx\r\n',
  ]) {
    const socket = await host.connect();
    await socket.feedPieces([head, ...Array<string>(3000).fill(flood)]);
    expect(socket.received).toContain('400 Bad Request');
    expect(socket.isEnded).toBe(true);
  }
  const trailers = await host.connect();
  await trailers.feedPieces([
    head,
    '0\r\n',
    ...Array<string>(3000).fill(`X: ${'a'.repeat(100)}\r\n`),
  ]);
  expect(trailers.received).toContain('400 Bad Request');
});

test('line ends before a request count as its head', async () => {
  const { host } = hostOf(answering);
  const socket = await host.connect();
  await socket.feedPieces(Array<string>(40).fill('\r\n'.repeat(500)));
  expect(socket.received).toContain('431 Request Header Fields Too Large');
});

test('many headers are too large, however short', async () => {
  const { host } = hostOf(answering);
  const socket = await host.connect();
  await socket.feedPieces([`GET / HTTP/1.1\r\nHost: x\r\n${'a:\r\n'.repeat(4500)}\r\n`]);
  expect(socket.received).toContain('431 Request Header Fields Too Large');
});

test('100 is sent in turn, once, and only if the body is wanted', async () => {
  const waiting = put('hello', 'Expect: 100-continue\r\n').replace('hello', '');
  const { host, exchanges } = hostOf();
  const socket = await host.connect();
  await socket.feedPieces([GET + waiting]);
  expect(socket.received).toBe('');
  answering(exchanges[0]!);
  expect(socket.received).not.toContain('100 Continue');
  echoing(exchanges[1]!);
  expect(socket.received).toMatch(/ok(HTTP\/1\.1 100 Continue\r\n\r\n)$/);
  await socket.feedPieces(['hello']);
  expect(socket.received).toMatch(/\r\n\r\nhello$/);
  expect(socket.isEnded).toBe(false);
});

test('who is refused instead of a 100 is let go, and nothing that follows is read', async () => {
  const { host, exchanges } = hostOf((exchange) => exchange.send(403, '', 'no'));
  const socket = await host.connect();
  await socket.feedPieces([put('hello', 'Expect: 100-continue\r\n').replace('hello', ''), GET]);
  expect(socket.received).toMatch(/^HTTP\/1\.1 403 [^]*Connection: close\r\n\r\nno$/);
  expect(socket.isEnded).toBe(true);
  expect(exchanges).toHaveLength(1);
});

test('HTTP/1.0 stays only when asked, and says so', async () => {
  const { host } = hostOf(answering);
  const socket = await host.connect();
  const old = 'GET /a HTTP/1.0\r\n';
  await socket.feedPieces([`${old}Connection: keep-alive\r\n\r\n`]);
  expect(socket.received).toContain('Connection: keep-alive\r\n');
  expect(socket.isEnded).toBe(false);
  await socket.feedPieces([`${old}\r\n`]);
  expect(socket.received).toContain('Connection: close\r\n');
  expect(socket.isEnded).toBe(true);
});

/** Answers `ab` in two pieces, or breaks off between them. */
const streaming =
  (breaksOff: boolean) =>
  (exchange: Exchange): void => {
    exchange.begin(200, '');
    exchange.write('a');
    if (breaksOff) exchange.abort();
    else exchange.end('b');
  };

test('an answer in pieces is chunked; in HTTP/1.0 it ends with the connection', async () => {
  const { host } = hostOf(streaming(false));
  const socket = await host.connect();
  await socket.feedPieces([GET]);
  expect(socket.received).toMatch(
    /\r\nTransfer-Encoding: chunked\r\n[^]*\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n$/,
  );
  expect(socket.isEnded).toBe(false);
  const old = await host.connect();
  await old.feedPieces(['GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n']);
  expect(old.received).not.toContain('Transfer-Encoding');
  expect(old.received).toMatch(/Connection: close\r\n\r\nab$/);
  expect(old.isEnded).toBe(true);
  expect(old.isReset).toBe(false);
});

test.each(['1.0', '1.1'])('an answer that breaks off is a reset in HTTP/%s', async (version) => {
  const { host } = hostOf(streaming(true));
  const socket = await host.connect();
  await socket.feedPieces([`GET /a HTTP/${version}\r\nHost: x\r\n\r\n`]);
  expect(socket.isReset).toBe(true);
  expect(socket.received).not.toContain('\r\n0\r\n');
});

test('the listener is told once of each request, however its answer ends', async () => {
  const told: string[] = [];
  const answers: Record<string, (exchange: Exchange) => void> = {
    '/sent': answering,
    '/ended': streaming(false),
    '/aborted': streaming(true),
    '/cut': (exchange) => exchange.receive(100, () => {}),
    '/forsaken': () => {},
  };
  const { host } = hostOf((exchange) => {
    exchange.listener = {
      onAnswer: ({ target }, status) => void told.push(`${target} ${status}`),
    };
    answers[exchange.target]!(exchange);
  });
  for (const target of Object.keys(answers)) {
    const socket = await host.connect();
    await socket.feedPieces([put('body').replace('/a', target).slice(0, -1)]);
    if (target === '/cut') socket.feedEnd();
    else if (target !== '/forsaken') socket.feed('y');
    await socket.settled();
    await dispose(socket);
  }
  expect(told).toEqual(['/sent 200', '/ended 200', '/aborted 499', '/cut 400', '/forsaken 499']);
});

test('an answer in pieces of which there is one has a length', async () => {
  const { host } = hostOf((exchange) => {
    exchange.begin(200, '');
    exchange.end('all');
  });
  const socket = await host.connect();
  await socket.feedPieces([GET]);
  expect(socket.received).toMatch(/Content-Length: 3\r\n[^]*\r\n\r\nall$/);
});

test.each([
  ['HEAD', (exchange: Exchange) => exchange.send(200, '', 'body')],
  ['HEAD', streaming(false)],
  ['GET', (exchange: Exchange) => exchange.send(304, '', '')],
  ['GET', (exchange: Exchange) => exchange.send(204, '', '')],
])('the answer to %s has no body and the next comes after it', async (method, handle) => {
  const { host } = hostOf(handle);
  const socket = await host.connect();
  const request = `${method} /a HTTP/1.1\r\nHost: x\r\n\r\n`;
  await socket.feedPieces([request + request]);
  expect(socket.received).toMatch(/^(HTTP\/1\.1 \d+ [^]*?\r\n\r\n){2}$/);
  expect(socket.received).not.toMatch(/(?<!HTTP)\r\n\r\n(?!HTTP|$)/);
});

test('what follows an upgrade that is not taken is a request of its own', async () => {
  const { host, exchanges } = hostOf(echoing);
  const socket = await host.connect();
  const upgrade = 'GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';
  await socket.feedPieces([upgrade + put(GET), GET]);
  expect(exchanges.map(({ method }) => method)).toEqual(['GET', 'PUT', 'GET']);
  expect(socket.received).toContain(`\r\n\r\n${GET}`);
});

test('a client that has sent all it will still gets its answers', async () => {
  const { host, exchanges } = hostOf();
  const socket = await host.connect();
  socket.feed(GET + GET);
  socket.feedEnd();
  await socket.settled();
  answering(exchanges[0]!);
  await socket.settled();
  expect(socket.isEnded).toBe(false);
  answering(exchanges[1]!);
  await socket.settled();
  expect(socket.received.match(/200 OK/g)).toHaveLength(2);
  expect(socket.isEnded).toBe(true);
});

test.each([GET.slice(0, 10), put('hello').slice(0, -1)])(
  'an end inside a request is 400: %j',
  async (half) => {
    const { host } = hostOf(echoing);
    const socket = await host.connect();
    socket.feed(half);
    socket.feedEnd();
    await socket.settled();
    expect(socket.received).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*MALFORMED_REQUEST\n$/);
    expect(socket.isEnded).toBe(true);
  },
);

test('a client that says nothing is idle, and let go without a word', async () => {
  const { host } = hostOf(answering);
  const silent = await host.connect();
  const served = await host.connect();
  await host.pass(60_000);
  await served.feedPieces([GET]);
  await host.pass(20_000);
  expect([silent.isEnded, silent.received]).toEqual([true, '']);
  expect(served.isEnded).toBe(false);
  await host.pass(60_000);
  expect(served.isEnded).toBe(true);
});

test('headers have their time, from their first byte on, however they drip', async () => {
  const { host } = hostOf(answering);
  const socket = await host.connect();
  await host.pass(30_000);
  await socket.feedPieces(['GET /a HTTP/1.1\r\nHost: x\r\n']);
  for (let drops = 0; drops < 9; drops++) {
    await host.pass(1000);
    await socket.feedPieces(['X: y\r\n']);
  }
  expect(socket.received).toBe('');
  await host.pass(2000);
  expect(socket.received).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n[^]*REQUEST_TIMEOUT\n$/);
  expect(socket.isEnded).toBe(true);
});

test('a body that drips is told 408; one that keeps a pace has a minute', async () => {
  const { host } = hostOf(echoing);
  const drip = await host.connect();
  const steady = await host.connect();
  for (const socket of [drip, steady])
    await socket.feedPieces([put('x'.repeat(1_000_000)).slice(0, 1000)]);
  for (let seconds = 0; seconds < 55; seconds++) {
    await drip.feedPieces(['x']);
    await steady.feedPieces(['x'.repeat(2000)]);
    await host.pass(1000);
  }
  expect(drip.received).toContain('408 Request Timeout');
  expect(steady.received).toBe('');
  await host.pass(10_000);
  expect(steady.received).toContain('408 Request Timeout');
});

test('who was answered already is not told 408', async () => {
  const { host } = hostOf(answering);
  const socket = await host.connect();
  await socket.feedPieces([put('x'.repeat(1000)).slice(0, 100)]);
  await host.pass(70_000);
  expect(socket.received.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(socket.isEnded).toBe(true);
});

test('an application may take its time', async () => {
  const { host, exchanges } = hostOf();
  const socket = await host.connect();
  await socket.feedPieces([GET]);
  await host.pass(300_000);
  answering(exchanges[0]!);
  await socket.settled();
  expect(socket.received).toContain('200 OK');
});

test('a client that does not read holds a bounded answer, and is cut off in time', async () => {
  const { host, exchanges } = hostOf((exchange) => {
    exchange.send(200, '', Buffer.alloc(1_000_000, 'x'));
  });
  const socket = await host.connect();
  socket.isFull = true;
  await socket.feedPieces([GET.repeat(50)]);
  expect(exchanges).toHaveLength(1);
  expect(host.unread.usedBytes).toBeGreaterThan(900_000);
  expect(host.unread.usedBytes).toBeLessThan(1_100_000);
  await host.pass(80_000);
  expect(socket.destroyed).toBe(true);
  expect(host.unread.usedBytes).toBe(0);
});

test('a client that reads slowly gets all of it', async () => {
  const { host } = hostOf((exchange) =>
    exchange.send(200, '', [Buffer.alloc(500_000, 'x'), 'end']),
  );
  const socket = await host.connect();
  socket.isFull = true;
  await socket.feedPieces([GET + GET]);
  for (let reads = 0; reads < 20; reads++) {
    await host.pass(30_000);
    socket.drainOne();
    await socket.settled();
  }
  expect(socket.received.match(/x{500000}end/g)).toHaveLength(2);
});

test('bytes on loan are gone out or copied when send returns', async () => {
  const value = Buffer.alloc(300_000, 'x');
  const { host } = hostOf((exchange) => {
    exchange.send(200, '', ['<', value, '>']);
    value.fill('y');
  });
  const socket = await host.connect();
  socket.isFull = true;
  await socket.feedPieces([GET]);
  socket.drain();
  await socket.settled();
  expect(socket.received).toMatch(/\r\n\r\n<x{300000}>$/);
});

test('large bytes that stay wait as they are; what would keep more than itself is copied', async () => {
  const value = Buffer.alloc(300_000, 'x');
  const { host } = hostOf((exchange) => {
    const part = exchange.target === '/a' ? value : value.subarray(0, 100_000);
    exchange.send(200, '', ['<', part, '>'], {});
  });
  const [whole, short] = [await host.connect(), await host.connect()];
  whole.isFull = short.isFull = true;
  await whole.feedPieces([GET]);
  await short.feedPieces([GET.replace('/a', '/b')]);
  expect(host.unread.usedBytes).toBeGreaterThan(400_000);
  // Nobody does this; here it shows what was copied.
  value.fill('y', 100);
  for (const socket of [whole, short]) {
    socket.drain();
    await socket.settled();
  }
  expect(whole.received).toMatch(/\r\n\r\n<x{100}y{299900}>$/);
  expect(short.received).toMatch(/\r\n\r\n<x{100000}>$/);
  expect(host.unread.usedBytes).toBe(0);
});

test('bytes that are lent go out as they are, and are given back when all have', async () => {
  const value = Buffer.alloc(3_000_000, 'x');
  let released = 0;
  const lease = { release: () => void released++ };
  const { host } = hostOf((exchange) => exchange.send(200, '', ['<', value, '>'], { lease }));
  const socket = await host.connect();
  socket.isFull = true;
  await socket.feedPieces([GET]);
  // Whoever lends them counts them.
  expect(host.unread.usedBytes).toBeLessThan(200_000);
  expect(released).toBe(0);
  socket.drain();
  while (!socket.received.endsWith('>')) await socket.settled();
  await socket.settled();
  expect(socket.received).toMatch(/\r\n\r\n<x{3000000}>$/);
  expect(released).toBe(1);
});

test.each([
  ['HEAD', GET.replace('GET', 'HEAD')],
  ['a client that has gone', GET],
])('what was lent for %s is given back', async (_, request) => {
  let released = 0;
  const lease = { release: () => void released++ };
  const { host, exchanges } = hostOf();
  const socket = await host.connect();
  await socket.feedPieces([request]);
  if (request === GET) await dispose(socket);
  exchanges[0]!.send(200, '', ['<', Buffer.alloc(300_000), '>'], { lease });
  await socket.settled();
  expect(released).toBe(1);
});

test('a client that reads what is wanted back is cut off', async () => {
  let released = 0;
  const lease: Lease = { release: () => void released++ };
  const { host } = hostOf((exchange) =>
    exchange.send(200, '', ['<', Buffer.alloc(3_000_000), '>'], { lease }),
  );
  const socket = await host.connect();
  socket.isFull = true;
  await socket.feedPieces([GET]);
  lease.onRevoked!();
  expect(socket.destroyed).toBe(true);
  expect(released).toBe(1);
});

test('of many large answers so much is written in a turn, and nobody who reads owes anything', async () => {
  const { host } = hostOf((exchange) => exchange.send(200, '', Buffer.alloc(16_000_000, 'x'), {}));
  const sockets = await Promise.all(Array.from({ length: 12 }, () => host.connect()));
  for (const socket of sockets) socket.feed(GET);
  await new Promise((resolve) => setImmediate(resolve));
  const written = sockets.reduce((sum, { received }) => sum + received.length, 0);
  expect(written).toBeLessThan(4 * ANSWER_PACE.bytesPerTurn);
  expect(host.unread.usedBytes).toBe(0);
  for (const socket of sockets) {
    while (socket.received.length < 16_000_000) await socket.settled();
    expect(socket.destroyed).toBe(false);
  }
});

test('a body takes of the budget until it is answered', async () => {
  const { host, exchanges } = hostOf((exchange) => exchange.receive(100_000_000, () => {}));
  const socket = await host.connect();
  const [head = '', body = ''] = put('x'.repeat(300_000)).split(/(?<=\r\n\r\n)/);
  await socket.feedPieces([head, body.slice(1000), body.slice(0, 1000)]);
  expect(host.bodies.usedBytes).toBeGreaterThanOrEqual(300_000);
  exchanges[0]!.send(200, '', 'ok');
  await socket.settled();
  expect(host.bodies.usedBytes).toBe(0);
});

test('of many large bodies so much is read in a turn, and all arrive', async () => {
  const { host } = hostOf(echoing);
  const piece = 'x'.repeat(64 * 1024);
  const pieces = 64;
  const sockets: MemorySocket[] = [];
  for (let n = 0; n < 3 * BODY_PACE.usersPerTurn; n++) {
    const socket = await host.connect();
    await socket.feedPieces([
      `PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: ${pieces * piece.length}\r\n\r\n`,
    ]);
    sockets.push(socket);
  }
  for (const socket of sockets) for (let n = 0; n < pieces; n++) socket.feed(piece);
  // A read each is the least; a buffer is up to four times as large as what is in it.
  const readBytes = BODY_PACE.bytesPerTurn + sockets.length * piece.length;
  expect(host.bodies.usedBytes).toBeLessThanOrEqual(4 * readBytes);
  for (const socket of sockets) {
    const bytes = pieces * piece.length;
    while (socket.received.length < bytes) await socket.settled();
    expect(socket.received).toContain(`Content-Length: ${bytes}\r\n`);
    expect(socket.received).toHaveLength(socket.received.indexOf('\r\n\r\n') + 4 + bytes);
  }
});

test('past the budget for answers whoever has read nothing for longest goes', async () => {
  const { host } = hostOf((exchange) => exchange.send(200, '', Buffer.alloc(16_000_000, 'x')));
  const sockets = [];
  for (let n = 0; n < 12; n++) {
    const socket = await host.connect();
    socket.isFull = true;
    socket.feed(GET);
    sockets.push(socket);
    // The third reads a little now and then.
    sockets[2]?.drainOne();
    await socket.settled();
  }
  expect(host.unread.usedBytes).toBeLessThanOrEqual(128 * 2 ** 20);
  expect(sockets.map(({ destroyed }) => destroyed).slice(0, 6)).toEqual([
    true,
    true,
    false,
    true,
    true,
    false,
  ]);
});

test('a stream waits for its reader, and stops when that has gone', async () => {
  const { host, exchanges } = hostOf();
  const socket = await host.connect();
  await socket.feedPieces([GET]);
  const [exchange] = exchanges as [Exchange];
  exchange.begin(200, '');
  socket.isFull = true;
  expect(exchange.write('a')).toBe(false);
  let isDrained = false;
  void exchange.drained().then(() => (isDrained = true));
  await socket.settled();
  expect(isDrained).toBe(false);
  socket.drain();
  await socket.settled();
  expect(isDrained).toBe(true);
  expect(exchange.write('b')).toBe(true);
  socket.isFull = true;
  exchange.write('c');
  const gone = exchange.drained();
  socket.destroy();
  await gone;
  expect(exchange.isGone).toBe(true);
  expect(exchange.write('d')).toBe(false);
});

test('a closing server answers what comes and says that it closes', async () => {
  const { host, exchanges } = hostOf();
  const running = await host.connect();
  const idle = await host.connect();
  await running.feedPieces([GET]);
  host.isClosing = true;
  answering(exchanges[0]!);
  await running.settled();
  expect(running.received).toContain('Connection: close\r\n');
  expect(running.isEnded).toBe(true);
  await idle.feedPieces([GET]);
  answering(exchanges[1]!);
  expect(idle.received).toContain('Connection: close\r\n');
});

test('a connection that is closed lingers, so that the answer is seen', async () => {
  const { host, exchanges } = hostOf(answering);
  const socket = await host.connect();
  await socket.feedPieces(['GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', GET, GET]);
  expect([socket.isEnded, socket.destroyed]).toEqual([true, false]);
  expect(exchanges).toHaveLength(1);
  await host.pass(2000);
  expect(socket.destroyed).toBe(true);
  expect(host.open.size).toBe(0);
});
