import fc from 'fast-check';
import { expect, test } from 'vitest';

import { apiOver } from '../../test/support/api.ts';
import { ask, dataOf, get, put, type Answer, type Send } from '../../test/support/client.ts';
import { sendTo, TestExchange } from '../../test/support/exchange.ts';
import { StoreEngine } from '../../test/support/store-engine.ts';
import { failure } from '../base/errors.ts';
import type { Range } from '../base/json/range.ts';
import type { Text } from '../base/view.ts';
import type { AtHand } from '../record/engine.ts';
import { keep, type KeptReply, type Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';

interface BatchDocument {
  readonly results: {
    readonly status: number;
    readonly code?: string;
    readonly etag?: string;
    readonly data?: unknown;
    readonly position?: number;
  }[];
  readonly failed: number;
}

function batch(
  server: Send,
  operations: unknown,
  { query = '', headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const body = typeof operations === 'string' ? operations : JSON.stringify(operations);
  return ask(server, 'POST', `/v1/batch${query}`, {
    headers: { 'Content-Type': 'application/json', ...headers },
    body,
  });
}

const documentOf = (answer: Answer) => answer.json as BatchDocument;

function setUp(): { send: Send; engine: StoreEngine } {
  const engine = new StoreEngine();
  return { send: sendTo(apiOver(engine)), engine };
}

/** An engine that answers some keys later, in an order of its own, as one with other members does. */
class LaterEngine extends StoreEngine {
  readonly waiting: (() => void)[] = [];

  override serve(request: Request): Reply | Promise<KeptReply> {
    const reply = super.serve(request);
    if (!request.key.startsWith('far')) return reply;
    const kept = keep(reply as Reply);
    return new Promise((resolve) => this.waiting.push(() => resolve(kept)));
  }

  override atHand(): AtHand {
    const hand = super.atHand();
    return {
      load: (text, key) => (isFar(text, key) ? undefined : hand.load(text, key)),
      store: (text, key, value) => (isFar(text, key) ? undefined : hand.store(text, key, value)),
    };
  }
}

function isFar({ bytes }: Text, { start }: Range): boolean {
  return bytes.toString('latin1', start, start + 3) === 'far';
}

test('a batch answers each operation in its place', async () => {
  const { send } = setUp();
  await put(send, 'a', '{"n": 1.0}');
  const answer = await batch(
    send,
    `[{"load":"a"}, {"store":"b","data":[ 1 ],"expire_time":"10s"},
      {"load":"b"},{"delete":"a"}, {"delete":"a"},{"load":"a"}]`,
  );
  expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
  const tag = expect.stringMatching(/^[\w-]+$/);
  expect(documentOf(answer)).toEqual({
    results: [
      { status: 200, etag: tag, data: { n: 1 } },
      { status: 200, etag: tag },
      { status: 200, etag: tag, data: [1] },
      { status: 200 },
      { status: 404, code: 'KEY_NOT_FOUND' },
      { status: 404, code: 'KEY_NOT_FOUND' },
    ],
    failed: 0,
  });
  expect(answer.text).toContain('"data":{"n": 1.0}}');
  expect(answer.text).toContain('"data":[ 1 ]}');
  expect((await get(send, 'b')).json).toMatchObject({ meta: { expire_time: '10s' } });
});

test('an empty batch has no results', async () => {
  expect((await batch(setUp().send, [])).text).toBe('{"results":[\n],"failed":0}\n');
});

test('conditions are tags, without the quotes of a header', async () => {
  const { send } = setUp();
  const tag = (await put(send, 'a', '1')).headers.etag!.slice(1, -1);
  const { results, failed } = documentOf(
    await batch(send, [
      { load: 'a', if_none_match: tag },
      { load: 'a', if_none_match: ['x', tag] },
      { load: 'a', if_match: 'x' },
      { store: 'a', data: 2, if_none_match: '*' },
      { store: 'a', data: 2, if_match: [tag] },
      { store: 'a', data: 3, if_match: tag },
      { delete: 'a', if_match: tag },
      { delete: 'a', if_match: '*' },
      { delete: 'a', if_match: '*' },
    ]),
  );
  expect(results.map(({ status }) => status)).toEqual([
    304, 304, 412, 412, 200, 412, 412, 200, 412,
  ]);
  expect(failed).toBe(5);
});

test('a condition that does not hold is answered with the version that is there', async () => {
  const { send } = setUp();
  const etag = (await put(send, 'a', '1')).headers.etag!.slice(1, -1);
  const operations = [
    { store: 'a', data: 2, if_none_match: '*' },
    { load: 'a', if_match: 'x' },
    { delete: 'a', if_match: 'x' },
    { store: 'b', data: 2, if_match: '*' },
  ];
  const failed = { status: 412, code: 'PRECONDITION_FAILED' };
  expect(documentOf(await batch(send, operations)).results).toEqual([
    { ...failed, etag },
    { ...failed, etag },
    { ...failed, etag },
    failed,
  ]);
});

test('operations on one key are done in their order, also when the first of them takes long', async () => {
  const { send } = setUp();
  const long = JSON.stringify(Array.from({ length: 50_000 }, (_, n) => n));
  await put(send, 'a', long);
  const { results } = documentOf(
    await batch(send, [
      { load: 'a', pointer: '/49999' },
      { store: 'a', pointer: '/49999', data: 'new' },
      { load: 'a', pointer: '/49999' },
      { store: 'b', data: 1 },
      { store: 'a', data: 2 },
      { load: 'a' },
    ]),
  );
  expect(results.map(({ data }) => data)).toEqual([
    49_999,
    undefined,
    'new',
    undefined,
    undefined,
    2,
  ]);
});

test('what is wrong with the values of an operation is its failure alone', async () => {
  const { send } = setUp();
  const answer = await batch(send, [
    { load: '' },
    { load: 'x'.repeat(4097) },
    { store: 'a', data: 1, expire_time: '10x' },
    { store: 'a', data: 1, if_match: 7 },
    { store: 'a', data: 1, if_match: 'x'.repeat(129) },
    { store: 'a', data: 1 },
  ]);
  const { results, failed } = documentOf(answer);
  expect(results.map(({ code }) => code)).toEqual([
    'INVALID_KEY',
    'INVALID_KEY',
    'INVALID_EXPIRE_TIME',
    'INVALID_CONDITION',
    'INVALID_CONDITION',
    undefined,
  ]);
  expect(failed).toBe(5);
  expect(results[0]).toMatchObject({ detail: expect.stringContaining('4096') });
});

test.each([
  ['', 'JSON'],
  ['{}', 'not an array'],
  ['[{"load":"a"}', 'JSON'],
  ['[{"load":"a"},]', 'JSON'],
  ['[{"store":"x","data":1},7]', 'operation 1 is not an object'],
  ['[{"store":"x","data":1},{}]', 'operation 1 has not exactly one'],
  ['[{"store":"x","data":1,"load":"a"}]', 'operation 0 has not exactly one'],
  ['[{"store":"x","data":1},{"load":7}]', 'operation 1 has a key that is no string'],
  ['[{"store":"x","data":1},{"store":"a"}]', 'operation 1 is a store without data'],
  ['[{"store":"x","data":1},{"load":"a","data":1}]', 'operation 1 has data'],
  ['[{"store":"x","data":1},{"load":"a","expires":1}]', 'operation 1 has a member'],
  ['[{"store":"x","data":1},{"load":"a","__proto__":1}]', 'operation 1 has a member'],
])('%s is refused and nothing of it is done', async (body, detail) => {
  const { send } = setUp();
  const answer = await batch(send, body);
  expect(answer).toMatchObject({ status: 400, json: { code: 'MALFORMED_BODY' } });
  expect((answer.json as { detail: string }).detail).toContain(detail);
  expect((await get(send, 'x')).status).toBe(404);
});

test('a body that is cut off anywhere is refused and nothing of it is done', async () => {
  const { send } = setUp();
  const body = '[{"store":"x\\u00e9","data":[1,{"a":"b"}],"expire_time":"10s"}, {"load":"x"}]';
  for (let end = 0; end < body.length; end++) {
    const answer = await batch(send, body.slice(0, end));
    expect(answer).toMatchObject({ status: 400, json: { code: 'MALFORMED_BODY' } });
  }
  expect((await get(send, 'xé')).status).toBe(404);
  expect(documentOf(await batch(send, body)).failed).toBe(0);
});

const MANY = 200_000;
test.each([
  ['empty objects', `[${'{},'.repeat(MANY)}{}]`, 'operation 0 has not exactly one'],
  ['numbers', `[${'0,'.repeat(MANY)}0]`, 'operation 0 is not an object'],
  ['lists', `[${'[],'.repeat(MANY)}0]`, 'operation 0 is not an object'],
  ['actions', `[{${'"load":"a",'.repeat(MANY)}"store":"a"}]`, 'operation 0 has not exactly one'],
  ['other members', `[{${'"a":1,'.repeat(MANY)}"load":"a"}]`, 'operation 0 has a member'],
  ['levels', '['.repeat(MANY), 'nests'],
  ['empty objects behind a load', `[{"load":"a"}${',{}'.repeat(MANY)}]`, 'operation 1 has not'],
  ['numbers behind a load', `[{"load":"a"}${',1'.repeat(MANY)}]`, 'operation 1 is not'],
])('a batch of many %s is refused', async (_, body, detail) => {
  const answer = await batch(setUp().send, body);
  expect(answer.status).toBe(400);
  expect((answer.json as { detail: string }).detail).toContain(detail);
});

test('of several members of one name the last counts', async () => {
  const { send } = setUp();
  const answer = await batch(send, '[{"load":"b","store":"x","store":"a","data":1,"data":2}]');
  expect(answer.status).toBe(400);
  await batch(send, '[{"store":"x","store":"a","data":1,"d\\u0061ta":2}]');
  expect((await get(send, 'x')).status).toBe(404);
  expect(dataOf(await get(send, 'a'))).toBe('2');
});

test('a batch has at most 10,000 operations', async () => {
  const { send } = setUp();
  const operations = Array.from({ length: 10_000 }, (_, n) => ({ store: `k${n}`, data: n }));
  expect(documentOf(await batch(send, operations))).toMatchObject({ failed: 0 });
  const loads = operations.map(({ store }) => ({ load: store }));
  const { results } = documentOf(await batch(send, loads));
  expect(results.map(({ data }) => data)).toEqual(operations.map(({ data }) => data));
  const more = await batch(send, [{ delete: 'k0' }, ...operations]);
  expect(more).toMatchObject({ status: 413, json: { code: 'TOO_MANY_OPERATIONS' } });
  expect((await get(send, 'k0')).status).toBe(200);
});

test('meta=true adds meta and node', async () => {
  const { send, engine } = setUp();
  const answer = await batch(send, [{ store: 'a', data: 1 }, { load: 'a' }, { delete: 'a' }], {
    query: '?meta=true',
  });
  for (const result of documentOf(answer).results) {
    expect(result).toMatchObject({ status: 200, node: engine.node, meta: { expire_time: '0s' } });
  }
});

test('return=minimal answers the failures only, with their positions', async () => {
  const { send } = setUp();
  const operations = [
    { store: 'a', data: 1 },
    { store: 'a', data: 1, if_none_match: '*' },
    { load: 'b' },
    { load: '' },
  ];
  const answer = await batch(send, operations, { headers: { Prefer: 'wait=5, return=minimal' } });
  expect(answer.headers['preference-applied']).toBe('return=minimal');
  expect(documentOf(answer)).toMatchObject({
    results: [
      { position: 1, status: 412 },
      { position: 3, status: 400 },
    ],
    failed: 2,
  });
});

test.each(['?meta=yes', '?x=1'])('the query %s is refused', async (query) => {
  const answer = await batch(setUp().send, [], { query });
  expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_PARAMETER' } });
});

test('results come in order, whatever the order in which they are there', async () => {
  const engine = new LaterEngine();
  const keys = ['far1', 'near1', 'far2', 'near2', 'far3'];
  for (const key of keys) {
    void engine.store.serve({ action: 'store', key: key as never, value: valueOf(key), ttlNs: 0n });
  }
  const pending = batch(
    sendTo(apiOver(engine)),
    keys.map((load) => ({ load })),
  );
  await new Promise((resolve) => setImmediate(resolve));
  for (const answer of engine.waiting.toReversed()) answer();
  expect(documentOf(await pending).results.map(({ data }) => data)).toEqual(keys);
});

function valueOf(text: string) {
  const bytes = Buffer.from(JSON.stringify(text));
  return { bytes, start: 0, end: bytes.length };
}

test('of the operations for other members so many are under way and no more', async () => {
  const engine = new LaterEngine();
  const loads = Array.from({ length: 3000 }, (_, n) => ({ load: `far${n}` }));
  const pending = batch(sendTo(apiOver(engine)), loads);
  let most = 0;
  let answered = 0;
  while (answered < loads.length) {
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, engine.waiting.length);
    answered += engine.waiting.length;
    for (const answer of engine.waiting.splice(0)) answer();
  }
  expect(documentOf(await pending).results).toHaveLength(3000);
  expect(most).toBeLessThan(1024 + 64);
});

test('a member that fails takes none of its neighbours along', async () => {
  const engine = new StoreEngine();
  const serve = engine.serve.bind(engine);
  engine.atHand = () => ({ load: () => undefined, store: () => undefined });
  engine.serve = (request) =>
    request.key === 'dead'
      ? Promise.resolve(failure('OWNER_UNAVAILABLE', 'it is down'))
      : serve(request);
  const send = sendTo(apiOver(engine));
  const answer = await batch(send, [{ store: 'a', data: 1 }, { load: 'dead' }, { load: 'a' }]);
  expect(documentOf(answer)).toMatchObject({
    results: [{ status: 200 }, { status: 503, code: 'OWNER_UNAVAILABLE' }, { data: 1 }],
    failed: 1,
  });
});

test('a defect breaks the answer off', async () => {
  const engine = new StoreEngine();
  engine.atHand = () => ({ load: () => undefined, store: () => undefined });
  engine.serve = () => Promise.reject(new Error('broken'));
  const told: unknown[] = [];
  const send = sendTo(apiOver(engine, { onDefect: (error) => told.push(error) }));
  expect((await batch(send, [{ load: 'a' }])).status).toBe(500);
  expect(told).toEqual([new Error('broken')]);
});

test('a large answer is written as the client reads it, and has a bound', async () => {
  const engine = new StoreEngine();
  const value = `"${'x'.repeat(8 * 1024 * 1024)}"`;
  const send = sendTo(apiOver(engine));
  await put(send, 'large', value);
  const body = `[${Array(9).fill('{"load":"large"}').join()}]`;
  const exchange = new TestExchange('POST', '/v1/batch', { body });
  exchange.isFull = true;
  apiOver(engine).handle(exchange);
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(exchange.isAnswered).toBe(true);
  exchange.drain();
  const { results, failed } = documentOf(await exchange.answer);
  expect(results.map(({ status }) => status)).toEqual([...Array<number>(7).fill(200), 413, 413]);
  expect(failed).toBe(2);
});

test('property: a batch does what its operations do one by one', async () => {
  const key = fc.constantFrom('a', 'b', 'é', 'x"\\y', '__proto__');
  const operation = fc.oneof(
    fc.record({ load: key }),
    fc.record({ delete: key }),
    fc.record({ store: key, data: fc.jsonValue() }),
    fc.record({ store: key, data: fc.jsonValue(), if_none_match: fc.constant('*') }),
    fc.record({ store: key, data: fc.jsonValue(), if_match: fc.constant('*') }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(operation), fc.nat(2), async (operations, indent) => {
      const together = setUp().send;
      const single = setUp().send;
      const body = JSON.stringify(operations, null, indent);
      const { results } = documentOf(await batch(together, body));
      const expected: unknown[] = [];
      for (const each of operations) {
        expected.push(documentOf(await batch(single, [each])).results[0]);
      }
      expect(results.map(withoutTag)).toEqual(
        expected.map((result) => withoutTag(result as object)),
      );
    }),
  );
});

function withoutTag(result: object): object {
  return { ...result, etag: 'etag' in result };
}
