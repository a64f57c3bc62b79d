import { describe, expect, test } from 'vitest';

import { TestHost, type MemorySocket } from '../../test/support/memory-socket.ts';
import { failure } from '../base/errors.ts';
import { LATE_MS, STALL_MAX_MS } from '../base/limits.ts';
import { headerLine, type Application } from './exchange.ts';
import { Lateness } from './lateness.ts';
import { Shedding } from './shedding.ts';

/** A loop in which everything has been late for long. */
function lateLoop(): Lateness {
  let nowMs = 0;
  const lateness = new Lateness(() => (nowMs += LATE_MS));
  for (let passedMs = 0; passedMs <= STALL_MAX_MS; passedMs += LATE_MS) lateness.isPast(0);
  return lateness;
}

/** A host that has too much to do, its requests for `/keys` to shed, and what it serves. */
function lateHost() {
  const served: string[] = [];
  const application: Application = {
    handle(exchange) {
      served.push(exchange.target);
      exchange.send(200, '', 'ok');
    },
    describe: ({ code }) => ({ headers: headerLine('X-Problem', code), body: `${code}\n` }),
  };
  const shedding = new Shedding(['/keys'], 503, application.describe(failure('OVERLOADED', '')));
  const host = new TestHost({ ...application, shedding });
  host.lateness = lateLoop();
  return { host, shedding, served };
}

const get = (target: string, headers = 'Host: x\r\n'): string =>
  `GET ${target} HTTP/1.1\r\n${headers}\r\n`;

/** The statuses that a client was answered. */
const statusesOf = ({ received }: MemorySocket): number[] =>
  [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));

describe('a node that has too much to do', () => {
  test('refuses requests for what may be shed, in order, and serves the others', async () => {
    const { host, shedding, served } = lateHost();
    const socket = await host.connect();
    const targets = ['/keys/first', '/keys/a', '/livez', '/keys/b', '/key'];
    await socket.feedPieces([targets.map((target) => get(target)).join('')]);
    // What has been read alone costs little more to serve.
    expect(statusesOf(socket)).toEqual([200, 503, 200, 503, 200]);
    expect(served).toEqual(['/keys/first', '/livez', '/key']);
    expect(shedding.count).toBe(2);
    expect(socket.isEnded).toBe(false);
  });

  test('gives a GET the same answer with a look at it and without', async () => {
    const { host } = lateHost();
    const answers: string[] = [];
    // What has a body is looked at.
    for (const request of [
      get('/keys/a'),
      `${get('/keys/a', 'Host: x\r\nContent-Length: 1\r\n')}x`,
    ]) {
      const socket = await host.connect();
      await socket.feedPieces([get('/a') + request]);
      const [, , answer = ''] = socket.received.split('HTTP/1.1 ');
      answers.push(answer.replace(/Date: .*\r\n/, ''));
    }
    expect(answers[1]).toBe(answers[0]);
    expect(answers[0]).toMatch(/^503 .*\r\nX-Problem: OVERLOADED\r\n[^]*\r\n\r\nOVERLOADED\n$/);
  });

  test.each([
    ['a body in pieces', ['PUT /keys/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab', 'cd']],
    ['a head in pieces', [get('/keys/a').slice(0, 9), get('/keys/a').slice(9)]],
    [
      'chunks',
      [get('/keys/a', 'Host: x\r\nTransfer-Encoding: chunked\r\n'), '1\r\nx\r\n0\r\n\r\n'],
    ],
    ['no chunks', [`${get('/keys/a', 'Host: x\r\nTransfer-Encoding: chunked\r\n')}0\r\n\r\n`]],
  ])('goes on behind a request with %s', async (_, pieces) => {
    const { host } = lateHost();
    const socket = await host.connect();
    const [first = '', ...others] = pieces;
    await socket.feedPieces([get('/a') + first, ...others, get('/livez')]);
    expect(statusesOf(socket)).toEqual([200, 503, 200]);
    expect(socket.isEnded).toBe(false);
  });

  test('answers HEAD without a body, and ends connections that are to end', async () => {
    const { host } = lateHost();
    const head = await host.connect();
    await head.feedPieces([get('/a') + get('/keys/a').replace('GET', 'HEAD')]);
    expect(head.received).toMatch(/HTTP\/1\.1 503 [^]*Content-Length: 11\r\n[^]*\r\n\r\n$/);
    const last = await host.connect();
    await last.feedPieces([get('/a') + get('/keys/a', 'Host: x\r\nConnection: close\r\n')]);
    expect(statusesOf(last)).toEqual([200, 503]);
    expect(last.received).toContain('\r\nConnection: close\r\n');
    expect(last.isEnded).toBe(true);
  });

  test.each([
    [1, false],
    [8, true],
  ])(
    'of %i clients that send more than they can be answered, sheds: %s',
    async (clients, sheds) => {
      const { host, shedding, served } = lateHost();
      host.lateness = new Lateness(() => served.length);
      const requests = get('/keys/a').repeat(2 * STALL_MAX_MS);
      const sockets = await Promise.all(Array.from({ length: clients }, () => host.connect()));
      await Promise.all(sockets.map((socket) => socket.feedPieces([requests, requests])));
      // How many are served in a turn of the loop depends on how fast the machine is.
      for (const socket of sockets) {
        while (statusesOf(socket).length < 4 * STALL_MAX_MS) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect(statusesOf(socket)).toHaveLength(4 * STALL_MAX_MS);
      }
      expect(shedding.count > 0).toBe(sheds);
    },
  );
});
