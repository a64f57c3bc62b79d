import { expect, test } from 'vitest';

import { ask, pathOf, put } from '../../test/support/client.ts';
import { describeContract, type SetUp } from '../../test/contract.ts';
import { describeEdits } from '../../test/edits.ts';
import { apiOver } from '../../test/support/api.ts';
import { sendTo, TestExchange } from '../../test/support/exchange.ts';
import { StoreEngine } from '../../test/support/store-engine.ts';
import { failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import type { KeyGroup } from '../record/engine.ts';

async function startApi(): Promise<SetUp> {
  const engine = new StoreEngine();
  return {
    url: sendTo(apiOver(engine)),
    async [Symbol.asyncDispose]() {
      engine.store.check();
    },
  };
}

describeContract('the API without a socket', startApi);
describeEdits('the API without a socket', startApi);

/** An engine whose list is what the test says. */
class ListEngine extends StoreEngine {
  readonly groups: (string[] | 'failure')[] = [];
  asked = 0;

  override *list(): Generator<KeyGroup> {
    for (const group of this.groups) {
      this.asked++;
      if (group === 'failure') yield failure('OWNER_UNAVAILABLE', 'gone') as never;
      else yield { keys: group as Key[], cursorAfter: (key) => `after ${key}` };
    }
  }
}

test('a defect is answered by 500, once, and told', async () => {
  const told: unknown[] = [];
  const broken = new Error('broken');
  const engine = new StoreEngine();
  engine.serve = () => {
    throw broken;
  };
  const answer = await ask(
    sendTo(apiOver(engine, { onDefect: (error) => told.push(error) })),
    'GET',
    '/v1/keys/a',
  );
  expect(answer).toMatchObject({ status: 500, json: { code: 'INTERNAL_ERROR' } });
  engine.serve = () => Promise.reject(broken);
  const later = await ask(
    sendTo(apiOver(engine, { onDefect: (error) => told.push(error) })),
    'GET',
    '/v1/keys/a',
  );
  expect(later.status).toBe(500);
  expect(told).toEqual([broken, broken]);
});

test('a list that fails before its first piece is a problem', async () => {
  const engine = new ListEngine();
  engine.groups.push(['a'], 'failure');
  const answer = await ask(sendTo(apiOver(engine)), 'GET', '/v1/keys');
  expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
});

test('a list that fails on its way breaks off', async () => {
  const engine = new ListEngine();
  engine.groups.push(Array<string>(100).fill('k'.repeat(1000)), 'failure');
  await expect(ask(sendTo(apiOver(engine)), 'GET', '/v1/keys')).rejects.toThrow('broke off');
});

test.each(['', '?limit=10000'])('a list%s stops when its client has gone', async (query) => {
  const engine = new ListEngine();
  for (let n = 0; n < 1000; n++) engine.groups.push(['k'.repeat(100)]);
  const exchange = new TestExchange('GET', `/v1/keys${query}`);
  exchange.leave();
  apiOver(engine).handle(exchange);
  await new Promise((resolve) => setImmediate(resolve));
  expect(engine.asked).toBe(0);
});

test('a list waits for a client that does not read', async () => {
  const engine = new ListEngine();
  for (let n = 0; n < 10; n++) engine.groups.push(Array<string>(100).fill('k'.repeat(1000)));
  const exchange = new TestExchange('GET', '/v1/keys');
  exchange.isFull = true;
  apiOver(engine).handle(exchange);
  await new Promise((resolve) => setImmediate(resolve));
  expect(engine.asked).toBe(1);
  exchange.drain();
  expect((await exchange.answer).json).toHaveLength(1000);
  expect(engine.asked).toBe(10);
});

test('a page ends where its keys have a mebibyte, and says where it goes on', async () => {
  const engine = new ListEngine();
  const long = '\u0001'.repeat(4096);
  engine.groups.push(Array<string>(200).fill(long), Array<string>(200).fill(long));
  const answer = await ask(sendTo(apiOver(engine)), 'GET', '/v1/keys?limit=10000');
  expect(answer.json).toHaveLength(256);
  expect(answer.headers.link).toContain('rel="next"');
  expect(answer.bytes.length).toBeLessThan(7 * 1024 * 1024);
});

test('what a client sent comes back cut to a bound', async () => {
  const send = sendTo(apiOver(new StoreEngine()));
  await put(send, 'a', '{}');
  const answer = await ask(send, 'GET', `/v1/keys/a/${'x'.repeat(30_000)}`);
  expect(answer.status).toBe(404);
  expect(answer.bytes.length).toBeLessThan(40_000);
});

test('describe gives the problem document of what was no request', () => {
  const { headers, body } = apiOver(new StoreEngine()).describe(failure('OVERLOADED', 'é'));
  expect(headers).toBe('Content-Type: application/problem+json\r\nRetry-After: 1\r\n');
  const document = JSON.parse(Buffer.from(body, 'latin1').toString()) as object;
  expect(document).toMatchObject({ status: 503, code: 'OVERLOADED', detail: 'é' });
});

test('a key is found however its route is written', async () => {
  const send = sendTo(apiOver(new StoreEngine()));
  await put(send, 'a', '1');
  expect(await ask(send, 'GET', `http://x${pathOf('a')}`)).toMatchObject({ status: 200 });
});
