import { Writable } from 'node:stream';
import { expect, test } from 'vitest';

import { TestExchange } from '../../test/support/exchange.ts';
import { failure } from '../base/errors.ts';
import { headerLine, type Application, type Exchange } from '../http/exchange.ts';
import { createLog } from './log.ts';
import { Observer } from './observer.ts';

/** An observer of an application, and what it tells. */
function observed(handle: (exchange: Exchange) => void, logs = true) {
  const told: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  const application: Application = {
    handle,
    describe: ({ code }) => ({ headers: '', body: code }),
  };
  const audience = {
    onAnswer: (target: string, method: string, status: number, seconds: number) =>
      void told.push(`${method} ${target} ${status} ${seconds >= 0}`),
    onRefused: ({ code }: { code: string }) => void told.push(code),
  };
  const log = logs ? createLog({ format: 'json', level: 'info' }, stream) : undefined;
  return { observer: new Observer(application, audience, log), told, lines };
}

const answer = (exchange: Exchange): void => exchange.send(200, headerLine('A', 'b'), 'body');

test('an answer is told when it is whole: sent, ended or broken off', async () => {
  const { observer, told } = observed((exchange) => {
    if (exchange.target === '/send') answer(exchange);
    else {
      exchange.begin(206, '');
      exchange.write('piece');
      if (exchange.target === '/end') exchange.end();
      else exchange.abort();
    }
  });
  for (const target of ['/send', '/end', '/abort']) {
    const exchange = new TestExchange('GET', target);
    exchange.answer.catch(() => {});
    observer.handle(exchange);
  }
  expect(told).toEqual(['GET /send 200 true', 'GET /end 206 true', 'GET /abort 499 true']);
});

test('what was no request is told by its code', () => {
  const { observer, told } = observed(answer);
  expect(observer.describe(failure('MALFORMED_REQUEST', 'x')).body).toBe('MALFORMED_REQUEST');
  expect(told).toEqual(['MALFORMED_REQUEST']);
});

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

test('a line names the request, its trace, what it was answered, and no secret', async () => {
  const { observer, lines } = observed(answer);
  const headers = {
    'x-request-id': 'proxy-7',
    traceparent: `00-${TRACE}-${SPAN}-01`,
    authorization: 'Bearer mhd_secret',
  };
  const exchange = new TestExchange('GET', `/v1/keys/${'k'.repeat(9000)}`, { headers });
  observer.handle(exchange);
  expect((await exchange.answer).headers).toMatchObject({ a: 'b', 'x-request-id': 'proxy-7' });
  expect(lines[0]).toMatchObject({
    msg: 'request',
    request: 'proxy-7',
    trace: TRACE,
    span: SPAN,
    method: 'GET',
    status: 200,
    ms: expect.any(Number) as number,
  });
  expect(String(lines[0]!['target'])).toHaveLength(512);
  expect(JSON.stringify(lines)).not.toContain('secret');
});

test.each(['two\nlines', 'x'.repeat(200), '', 'a b'])('the id %j is replaced', async (given) => {
  const { observer, lines } = observed(answer);
  for (let n = 0; n < 2; n++) {
    const exchange = new TestExchange('GET', '/', { headers: { 'x-request-id': given } });
    observer.handle(exchange);
    await exchange.answer;
  }
  const [first, second] = lines.map(({ request }) => String(request));
  expect(first).toMatch(/^[\da-z]+-[\da-z]+$/);
  expect(second).not.toBe(first);
});

test.each([
  `ff-${TRACE}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
  `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  `01-${TRACE}-${SPAN}-01more`,
  'nonsense',
])('the traceparent %j counts as none', async (traceparent) => {
  const { observer, lines } = observed(answer);
  const exchange = new TestExchange('GET', '/', { headers: { traceparent } });
  observer.handle(exchange);
  await exchange.answer;
  expect(lines[0]).not.toHaveProperty('trace');
});

test('without a log nothing is added to an answer', async () => {
  const { observer, lines } = observed(answer, false);
  const exchange = new TestExchange('GET', '/');
  observer.handle(exchange);
  expect((await exchange.answer).headers).not.toHaveProperty('x-request-id');
  expect(lines).toEqual([]);
});
