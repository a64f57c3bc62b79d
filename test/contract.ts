/** What the HTTP API promises, as a suite that runs over any way to set up memhashd. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import {
  ask,
  dataOf,
  get,
  pathOf,
  put,
  type Answer,
  type Question,
  type Server,
} from './support/client.ts';
import { documented } from './support/documented.ts';
import { eventually } from './support/eventually.ts';

/** Where to send requests: to any node, which need not own the keys that they name. */
export interface SetUp extends AsyncDisposable {
  readonly url: Server;
  /** What lists the keys of all nodes; `/v1/keys` for a single one. */
  readonly listTarget?: string;
}

const JSON_TYPE = { 'Content-Type': 'application/json' };
const NEVER = '0001-01-01T00:00:00Z';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const NODE = {
  // A UUID, or the name that a server of Valkey or Redis has.
  id: expect.stringMatching(/^([\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|[\da-f]{40})$/),
  addr: expect.stringMatching(/^.+:\d+$/),
};

interface RecordDocument {
  readonly action: string;
  readonly meta: {
    readonly index: number;
    readonly expire_time: string;
    readonly accessed_at: string;
    readonly created_at: string;
    readonly updated_at: string;
  };
  readonly data?: unknown;
  readonly node: { readonly id: string; readonly addr: string };
}

/** Expects a record document with its members in order; returns it. */
function expectRecord(answer: Answer): RecordDocument {
  expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
  expect(answer.headers['content-length']).toBe(String(answer.bytes.length));
  expect(answer.text.endsWith('}\n')).toBe(true);
  const document = answer.json as RecordDocument;
  const data = document.action === 'delete' ? [] : ['data'];
  expect(Object.keys(document)).toEqual(['action', 'meta', ...data, 'node']);
  expect(Object.keys(document.meta)).toEqual([
    'index',
    'expire_time',
    'accessed_at',
    'created_at',
    'updated_at',
  ]);
  expect(document.node).toEqual(NODE);
  return document;
}

/** Expects a problem document (RFC 9457) with this status and code. */
export function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.json).toEqual({
    type: `urn:memhashd:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title: expect.stringMatching(/^[A-Z].*[^.]$/),
    status,
    detail: expect.any(String),
    code,
    text: (answer.json as { detail: string }).detail,
  });
  expect(Object.keys(answer.json as object)).toEqual([
    'type',
    'title',
    'status',
    'detail',
    'code',
    'text',
  ]);
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/problem+json');
  expect(answer.headers['content-length']).toBe(String(answer.bytes.length));
}

function nestedLists(depth: number): string {
  return '['.repeat(depth) + ']'.repeat(depth);
}

/** Runs the suite over what `start` sets up, empty, for it alone. */
export function describeContract(name: string, start: () => Promise<SetUp>): void {
  describe(`over ${name}`, () => {
    let setUp: SetUp;
    let url: Server;
    let listTarget: string;
    beforeAll(async () => {
      setUp = await start();
      ({ listTarget = '/v1/keys' } = setUp);
      // Whatever is answered here is described in the document of the API.
      url = await documented(setUp.url);
    });
    afterAll(() => setUp[Symbol.asyncDispose]());

    const send = (method: string, target: string, question?: Question) =>
      ask(url, method, target, question);
    const post = (target: string, body: string) =>
      send('POST', target, { headers: JSON_TYPE, body });
    const list = async () => (await send('GET', listTarget)).json as string[];

    // The rows of the table "Answers", in its order.

    test('a listing of no keys is []', async () => {
      const answer = await send('GET', '/v1/keys');
      expect(answer).toMatchObject({ status: 200, text: '[]\n' });
      expect(answer.headers).toMatchObject({
        'content-type': 'application/json',
        'content-length': '3',
      });
    });

    test('index counts the stores of a key, and starts again at 1 after a delete', async () => {
      expect(expectRecord(await put(url, 'counted', '1')).meta.index).toBe(1);
      expect(expectRecord(await put(url, 'counted', '1')).meta.index).toBe(2);
      await send('DELETE', '/v1/keys/counted');
      expect(expectRecord(await put(url, 'counted', '1')).meta.index).toBe(1);
    });

    test('a store answers the record, with the zero time where it was never accessed', async () => {
      const stored = expectRecord(await put(url, 'stored', '["a"]', { expireTime: '10s' }));
      expect(stored).toEqual({
        action: 'store',
        meta: {
          index: 1,
          expire_time: '10s',
          accessed_at: NEVER,
          created_at: expect.stringMatching(TIME),
          updated_at: stored.meta.created_at,
        },
        data: ['a'],
        node: NODE,
      });
    });

    test('a load answers the record, accessed now, and keeps the time of it', async () => {
      const stored = expectRecord(await put(url, 'loaded', '{"b":1}'));
      const first = expectRecord(await get(url, 'loaded'));
      expect(first).toEqual({
        action: 'load',
        meta: { ...stored.meta, accessed_at: expect.stringMatching(TIME) },
        data: { b: 1 },
        node: stored.node,
      });
      expect(first.meta.accessed_at >= stored.meta.created_at).toBe(true);
      const again = expectRecord(await put(url, 'loaded', '2'));
      expect(again.meta).toMatchObject({
        accessed_at: first.meta.accessed_at,
        created_at: stored.meta.created_at,
      });
      expect(again.meta.updated_at > stored.meta.updated_at).toBe(true);
    });

    test.each(['present', 'absent'])('a delete of a key that is %s answers zeros', async (key) => {
      await put(url, 'present', '1');
      expect(expectRecord(await send('DELETE', pathOf(key)))).toEqual({
        action: 'delete',
        meta: {
          index: 0,
          expire_time: '0s',
          accessed_at: NEVER,
          created_at: NEVER,
          updated_at: NEVER,
        },
        node: NODE,
      });
      expectProblem(await get(url, key), 404, 'KEY_NOT_FOUND');
    });

    test('node is the id and the address of a member', async () => {
      const { node } = expectRecord(await put(url, 'owned', '1'));
      const nodes = (await send('GET', '/v1/nodes')).json as object[];
      expect(nodes).toContainEqual(expect.objectContaining(node));
    });

    test.each<[string, string, string?]>([
      ['POST', '/v1/keys/parts/index', '{"index": 2}'],
      ['GET', '/v1/keys/parts/index', '{"index": 2}'],
      ['GET', '/v1/keys/parts/index?index=2'],
      ['POST', '/v1/keys/parts/index?index=2'],
    ])('%s %s %s answers the element', async (method, target, body) => {
      await put(url, 'parts', '["a", "b", 1.50]');
      const answer = await send(
        method,
        target,
        body === undefined ? {} : { headers: JSON_TYPE, body },
      );
      expect(expectRecord(answer).action).toBe('index');
      expect(dataOf(answer)).toBe('1.50');
    });

    test.each<[string, string, string?]>([
      ['POST', '/v1/keys/dict/item', '{"item": "a b"}'],
      ['GET', '/v1/keys/dict/item', '{"item": "a b"}'],
      ['GET', '/v1/keys/dict/item?item=a%20b'],
      ['GET', '/v1/keys/dict/item?item=a+b'],
    ])('%s %s %s answers the item', async (method, target, body) => {
      await put(url, 'dict', '{"a b": {"c":  1}}');
      const answer = await send(
        method,
        target,
        body === undefined ? {} : { headers: JSON_TYPE, body },
      );
      expect(expectRecord(answer).action).toBe('item');
      expect(dataOf(answer)).toBe('{"c":  1}');
    });

    test('an element or an item shows the meta of its record, accessed now', async () => {
      const { meta } = expectRecord(await put(url, 'whole', '[1]'));
      const part = expectRecord(await post('/v1/keys/whole/index', '{"index": 0}'));
      expect(part.meta).toEqual({ ...meta, accessed_at: expect.stringMatching(TIME) });
      const later = expectRecord(await put(url, 'whole', '[1]'));
      expect(later.meta.accessed_at).toBe(part.meta.accessed_at);
    });

    test.each([
      ['past the end', '[1, 2]', 2, 'INDEX_OUT_OF_RANGE'],
      ['that no list reaches', '[1, 2]', '9007199254740993', 'INDEX_OUT_OF_RANGE'],
      ['of an empty list', '[]', 0, 'INDEX_OUT_OF_RANGE'],
      ['of a dict', '{"0": 1}', 0, 'WRONG_TYPE'],
      ['of a string', '"ab"', 0, 'WRONG_TYPE'],
      ['of a number', '7', 0, 'WRONG_TYPE'],
      ['of null', 'null', 0, 'WRONG_TYPE'],
    ])('an index %s is 409', async (_, value, index, code) => {
      await put(url, 'indexed', value);
      expectProblem(await post('/v1/keys/indexed/index', `{"index": ${index}}`), 409, code);
      expectProblem(await send('GET', `/v1/keys/indexed/index?index=${index}`), 409, code);
    });

    test.each(['{"index": -1}', '{"index": 1.5}', '{"index": "1"}', '{"index": null}', '{}'])(
      'the index %s is 400',
      async (body) => {
        await put(url, 'indexed', '[1, 2]');
        expectProblem(await post('/v1/keys/indexed/index', body), 400, 'INVALID_INDEX');
      },
    );

    test.each<[string, string, string, number, string]>([
      ['that the dict does not have', '{"a": 1}', '{"item": "b"}', 404, 'ITEM_NOT_FOUND'],
      ['of a list', '["a"]', '{"item": "a"}', 409, 'WRONG_TYPE'],
      ['of null', 'null', '{"item": "a"}', 409, 'WRONG_TYPE'],
      ['that is no string', '{"1": 1}', '{"item": 1}', 400, 'INVALID_ITEM'],
      ['that is missing', '{"1": 1}', '{}', 400, 'INVALID_ITEM'],
    ])('an item %s is refused', async (_, value, body, status, code) => {
      await put(url, 'items', value);
      expectProblem(await post('/v1/keys/items/item', body), status, code);
    });

    test.each([
      ['GET', ''],
      ['POST', '/index?index=0'],
      ['POST', '/item?item=a'],
    ])('a missing key is 404 with the text of the original: %s %s', async (method, part) => {
      const answer = await send(method, `/v1/keys/nope${part}`);
      expectProblem(answer, 404, 'KEY_NOT_FOUND');
      expect(answer.json).toMatchObject({
        text: expect.stringMatching(/^unable to (load|index|item) nope key, nope does not exist$/),
      });
    });

    test.each([
      ['malformed', '{"data": [1}'],
      ['empty', ''],
      ['no object', '[1]'],
      ['without data', '{"expire_time": "1s"}'],
      ['followed by text', '{"data": 1} x'],
      ['invalid UTF-8', Buffer.from('{"data": "\xff"}', 'latin1')],
      ['truncated', '{"data": "abc'],
    ])('a body that is %s is 400', async (_, body) => {
      await put(url, 'kept', '"as it was"');
      const answer = await send('PUT', '/v1/keys/kept', { headers: JSON_TYPE, body });
      expectProblem(answer, 400, 'MALFORMED_BODY');
      expect(dataOf(await get(url, 'kept'))).toBe('"as it was"');
    });

    test.each(['"10x"', '10', '""', '"-1s"', '"10"', 'null', '"9223372036854775808ns"', '"0.5ns"'])(
      'the expire_time %s is 400',
      async (expireTime) => {
        const body = `{"data": 1, "expire_time": ${expireTime}}`;
        const answer = await send('PUT', '/v1/keys/unexpiring', { headers: JSON_TYPE, body });
        expectProblem(answer, 400, 'INVALID_EXPIRE_TIME');
        expectProblem(await get(url, 'unexpiring'), 404, 'KEY_NOT_FOUND');
      },
    );

    test.each([
      ['90s', '1m30s'],
      ['1500ms', '1.5s'],
      ['100h', '100h0m0s'],
      ['0s', '0s'],
      ['0', '0s'],
      ['-0s', '0s'],
      [undefined, '0s'],
      ['10s', '10s'],
      ['9223372036854775807ns', '2562047h47m16.854775807s'],
    ])('the expire_time %s is shown as %s', async (expireTime, shown) => {
      const stored = await put(url, 'shown', '1', expireTime === undefined ? {} : { expireTime });
      expect(expectRecord(stored).meta.expire_time).toBe(shown);
      expect(expectRecord(await get(url, 'shown')).meta.expire_time).toBe(shown);
    });

    test('an expire_time below a millisecond is shown in microseconds', async () => {
      const stored = await put(url, 'brief', '1', { expireTime: '1.5us' });
      expect(expectRecord(stored).meta.expire_time).toBe('1.5µs');
    });

    test.each([
      'application/x-www-form-urlencoded',
      'text/plain',
      'multipart/form-data; boundary=x',
    ])('the Content-Type %s is 415', async (type) => {
      for (const [method, target] of [
        ['PUT', '/v1/keys/typed'],
        ['POST', '/v1/keys/typed/index'],
      ] as const) {
        const question = { headers: { 'Content-Type': type }, body: '{"data": 1}' };
        expectProblem(await send(method, target, question), 415, 'UNSUPPORTED_MEDIA_TYPE');
      }
    });

    test.each(['application/json; charset=utf-8', '*/*', 'APPLICATION/JSON', undefined])(
      'the Content-Type %s is understood',
      async (type) => {
        const headers = type === undefined ? {} : { 'Content-Type': type };
        expectRecord(await send('PUT', '/v1/keys/typed', { headers, body: '{"data": 1}' }));
      },
    );

    test('a compressed body is 415', async () => {
      const headers = { ...JSON_TYPE, 'Content-Encoding': 'gzip' };
      const answer = await send('PUT', '/v1/keys/typed', { headers, body: '{"data": 1}' });
      expectProblem(answer, 415, 'UNSUPPORTED_MEDIA_TYPE');
    });

    test.each([
      'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
      'application/*',
      'text/plain, application/json;q=0.1',
    ])('Accept: %s is served', async (accept) => {
      expect(await send('GET', '/v1/keys', { headers: { Accept: accept } })).toMatchObject({
        status: 200,
      });
    });

    test.each(['text/html', 'application/json;q=0, */*', '*/*;q=0'])(
      'Accept: %s is 406',
      async (accept) => {
        const answer = await send('GET', '/v1/keys', { headers: { Accept: accept } });
        expectProblem(answer, 406, 'NOT_ACCEPTABLE');
      },
    );

    test.each(['/', '/v1', '/v1/key', '/v1/keys/a/b', '/v1/keys/a/', '/v2/keys'])(
      'the unknown path %s is 404',
      async (target) => {
        expectProblem(await send('GET', target), 404, 'ROUTE_NOT_FOUND');
      },
    );

    test.each([
      ['POST', '/v1/keys', 'GET, HEAD, OPTIONS'],
      ['DELETE', '/v1/keys', 'GET, HEAD, OPTIONS'],
      ['POST', '/v1/keys/a', 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS'],
      ['GET', '/v1/keys/a/increment', 'POST, OPTIONS'],
      ['PUT', '/v1/keys/a/append', 'POST, OPTIONS'],
      ['DELETE', '/v1/keys/a/expire', 'POST, OPTIONS'],
      ['PUT', '/v1/keys/a/index', 'GET, HEAD, POST, OPTIONS'],
      ['DELETE', '/v1/keys/a/item', 'GET, HEAD, POST, OPTIONS'],
      ['PUT', '/v1/nodes', 'GET, HEAD, OPTIONS'],
      ['GET', '/v1/batch', 'POST, OPTIONS'],
    ])('%s %s is 405 and allows %s', async (method, target, allow) => {
      const answer = await send(method, target);
      expectProblem(answer, 405, 'METHOD_NOT_ALLOWED');
      expect(answer.headers.allow).toBe(allow);
      const options = await send('OPTIONS', target);
      expect(options).toMatchObject({ status: 204, text: '', headers: { allow } });
    });

    test.each([
      ['a b', '/v1/keys/a%20b'],
      ['a/b', '/v1/keys/a%2Fb'],
      ['50%', '/v1/keys/50%25'],
      ['%2F', '/v1/keys/%252F'],
      ['a+b', '/v1/keys/a+b'],
      ['.', '/v1/keys/.'],
      ['..', '/v1/keys/..'],
      ['..', '/v1/keys/%2E%2E'],
      ['../nodes', '/v1/keys/..%2Fnodes'],
      ['😀é', '/v1/keys/%F0%9F%98%80%C3%A9'],
      ['__proto__', '/v1/keys/__proto__'],
      ['constructor', '/v1/keys/constructor'],
      ['index', '/v1/keys/index'],
      ['item', '/v1/keys/item'],
      ['{tag}a', '/v1/keys/{tag}a'],
      ['a?b#c', '/v1/keys/a%3Fb%23c'],
      ['\0\n"\\', '/v1/keys/%00%0A%22%5C'],
      ['k'.repeat(4096), `/v1/keys/${'k'.repeat(4096)}`],
      ['é'.repeat(2048), `/v1/keys/${'%C3%A9'.repeat(2048)}`],
    ])('%j is a key', async (key, target) => {
      const value = JSON.stringify([key]);
      const body = `{"data":${value}}`;
      expectRecord(await send('PUT', target, { headers: JSON_TYPE, body }));
      expect(dataOf(await send('GET', target))).toBe(value);
      expect(dataOf(await get(url, key))).toBe(value);
      expect(expectRecord(await send('GET', `${target}/index?index=0`)).data).toBe(key);
      expect(await list()).toContain(key);
      expectRecord(await send('DELETE', target));
      expect(await list()).not.toContain(key);
    });

    test.each([
      ['empty', ''],
      ['one byte too long', 'k'.repeat(4097)],
      ['invalid UTF-8', '%ff'],
      ['half a character', '%C3'],
      ['badly escaped', 'a%2'],
    ])('a key that is %s is 400', async (_, segment) => {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const question = { headers: JSON_TYPE, body: '{"data": 1}' };
        expectProblem(await send(method, `/v1/keys/${segment}`, question), 400, 'INVALID_KEY');
      }
    });

    test.each([
      '12345678901234567890',
      '-0.0',
      '1.0',
      '1e400',
      '1E+2',
      '{"b":1,"a":2}',
      '{"a":1,"a":2}',
      '{ "a" :\t[ 1 ,\r\n2 ] }',
      '"\\u00e9\\/\\ud83d\\ude00"',
      '"\\ud800"',
      '"é😀\u2028"',
      '{"__proto__":{"constructor":1}}',
      '[]',
      '{}',
      '""',
      'null',
      'false',
    ])('the value %s comes back byte for byte', async (value) => {
      expect(dataOf(await put(url, 'exact', value))).toBe(value);
      expect(dataOf(await get(url, 'exact'))).toBe(value);
      await put(url, 'exact', `[0, ${value} ,1]`);
      expect(dataOf(await send('GET', '/v1/keys/exact/index?index=1'))).toBe(value);
    });

    test('a body nests 512 arrays and objects, and no more', async () => {
      expect(dataOf(await put(url, 'deep', nestedLists(511)))).toBe(nestedLists(511));
      for (const depth of [512, 200_000]) {
        const answer = await put(url, 'deep', nestedLists(depth));
        expectProblem(answer, 400, 'NESTED_TOO_DEEPLY');
      }
      expect(dataOf(await get(url, 'deep'))).toBe(nestedLists(511));
    });

    test('GET /v1/nodes lists the members, id and addr first', async () => {
      const answer = await send('GET', '/v1/nodes');
      expect(answer.status).toBe(200);
      const nodes = answer.json as object[];
      expect(nodes).toContainEqual(expect.objectContaining(NODE));
      for (const node of nodes) expect(Object.keys(node).slice(0, 2)).toEqual(['id', 'addr']);
    });

    // The defects of the original that a client can see.

    test('defect 1: a key stored again lives by its last store, not by its first deadline', async () => {
      await put(url, 'short', '0', { expireTime: '1ms' });
      await put(url, 'longer', '1', { expireTime: '200ms' });
      await put(url, 'longer', '2', { expireTime: '1h' });
      await put(url, 'forever', '1', { expireTime: '200ms' });
      await put(url, 'forever', '2');
      await put(url, 'witness', '1', { expireTime: '200ms' });
      // Stored last, the witness outlives the first deadlines of the others.
      await eventually(async () => expect((await get(url, 'witness')).status).toBe(404));
      expect(dataOf(await get(url, 'longer'))).toBe('2');
      expect(dataOf(await get(url, 'forever'))).toBe('2');
      expectProblem(await get(url, 'short'), 404, 'KEY_NOT_FOUND');
    });

    test('defect 2: a key is listed once however often it was stored, an expired one never', async () => {
      for (let n = 0; n < 3; n++) await put(url, 'thrice', `${n}`);
      await put(url, 'gone', '1', { expireTime: '1ns' });
      await put(url, 'gone', '1', { expireTime: '1ns' });
      await eventually(async () => expect((await get(url, 'gone')).status).toBe(404));
      const keys = await list();
      expect(keys.filter((key) => key === 'thrice')).toEqual(['thrice']);
      expect(keys).not.toContain('gone');
    });

    // Conditional requests (RFC 9110 §13).

    test('every store gives a new entity tag, also after a delete', async () => {
      const tags: (string | undefined)[] = [];
      for (let round = 0; round < 2; round++) {
        for (let n = 0; n < 2; n++) tags.push((await put(url, 'tagged', '1')).headers.etag);
        expect((await get(url, 'tagged')).headers.etag).toBe(tags.at(-1));
        await send('DELETE', '/v1/keys/tagged');
      }
      expect(new Set(tags).size).toBe(4);
      for (const tag of tags) expect(tag).toMatch(/^"[!#-~]+"$/);
    });

    test('a load with the current tag is 304, without a body', async () => {
      const { etag = '' } = (await put(url, 'cached', '1')).headers;
      for (const condition of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
        const answer = await get(url, 'cached', { 'If-None-Match': condition });
        expect(answer).toMatchObject({ status: 304, text: '', headers: { etag } });
      }
      expectRecord(await get(url, 'cached', { 'If-None-Match': '"x"' }));
      expectRecord(await get(url, 'cached', { 'If-Match': etag }));
      expectProblem(await get(url, 'cached', { 'If-Match': '"x"' }), 412, 'PRECONDITION_FAILED');
      expectProblem(await get(url, 'uncached', { 'If-None-Match': '*' }), 404, 'KEY_NOT_FOUND');
    });

    test('a store or a delete whose condition does not hold is 412 and changes nothing', async () => {
      const { etag = '' } = (await put(url, 'guarded', '1')).headers;
      for (const headers of [
        { 'If-Match': '"x"' },
        { 'If-Match': `W/${etag}` },
        { 'If-None-Match': '*' },
        { 'If-None-Match': etag },
        { 'If-None-Match': `"x", W/${etag}` },
        { 'If-Match': '"x"', 'If-None-Match': '"y"' },
      ]) {
        expectProblem(await put(url, 'guarded', '2', { headers }), 412, 'PRECONDITION_FAILED');
        const deleted = await send('DELETE', '/v1/keys/guarded', { headers });
        expectProblem(deleted, 412, 'PRECONDITION_FAILED');
      }
      expect((await get(url, 'guarded')).headers.etag).toBe(etag);
    });

    test('a store or a delete whose condition holds is done', async () => {
      const create = await put(url, 'made', '1', { headers: { 'If-None-Match': '*' } });
      const { etag = '' } = create.headers;
      const update = await put(url, 'made', '2', { headers: { 'If-Match': `"x", ${etag}` } });
      expect(expectRecord(update).meta.index).toBe(2);
      expectRecord(await send('DELETE', '/v1/keys/made', { headers: { 'If-Match': '*' } }));
      const onMissing = await send('DELETE', '/v1/keys/made', { headers: { 'If-Match': '*' } });
      expectProblem(onMissing, 412, 'PRECONDITION_FAILED');
    });

    test.each(['x', '"x', '*, "x"', '"a" "b"'])('the condition %s is 400', async (condition) => {
      for (const header of ['If-Match', 'If-None-Match']) {
        const answer = await put(url, 'guarded', '2', { headers: { [header]: condition } });
        expectProblem(answer, 400, 'INVALID_CONDITION');
      }
    });

    test('compare and set: of 50 clients that count together no count is lost', async () => {
      await put(url, 'counter', '0');
      const statuses: number[] = [];
      const count = async (): Promise<void> => {
        for (let round = 0; round < 10; round++) {
          const before = await get(url, 'counter');
          const next = Number(dataOf(before)) + 1;
          const headers = { 'If-Match': before.headers.etag ?? '' };
          const { status } = await put(url, 'counter', `${next}`, { headers });
          statuses.push(status);
        }
      };
      await Promise.all(Array.from({ length: 50 }, count));
      const acknowledged = statuses.filter((status) => status === 200).length;
      expect([200, 412]).toEqual(expect.arrayContaining(statuses));
      const end = expectRecord(await get(url, 'counter'));
      expect(end.data).toBe(acknowledged);
      expect(end.meta.index).toBe(acknowledged + 1);
    });

    // Batches.

    const batch = (operations: object[], query = '') =>
      post(`/v1/batch${query}`, JSON.stringify(operations));

    test('a batch does its operations in order, whoever owns the keys', async () => {
      const keys = Array.from({ length: 300 }, (_, n) => `batch:${n}`);
      const stored = await batch(keys.map((key, n) => ({ store: key, data: { n } })));
      expect(stored.json).toMatchObject({ failed: 0, results: keys.map(() => ({ status: 200 })) });
      const [first] = (stored.json as { results: { etag: string }[] }).results;
      expect((await get(url, 'batch:0')).headers.etag).toBe(`"${first?.etag}"`);
      const loaded = await batch(keys.map((load) => ({ load })));
      expect(loaded.json).toMatchObject({
        results: keys.map((_, n) => ({ status: 200, data: { n } })),
        failed: 0,
      });
      const deleted = await batch(keys.flatMap((key) => [{ delete: key }, { load: key }]));
      expect(deleted.json).toMatchObject({
        results: keys.flatMap(() => [{ status: 200 }, { status: 404, code: 'KEY_NOT_FOUND' }]),
        failed: 0,
      });
    });

    test('in a batch a value comes back byte for byte, and with meta as elsewhere', async () => {
      const value = '{ "a":\t1.0, "a": 12345678901234567890 }';
      await post('/v1/batch', `[{"store":"exact batch","data": ${value} ,"expire_time":"90s"}]`);
      expect(dataOf(await get(url, 'exact batch'))).toBe(value);
      const loaded = await batch([{ load: 'exact batch' }], '?meta=true');
      expect(loaded.text).toContain(`"data":${value}}`);
      const { meta, node } = expectRecord(
        await put(url, 'exact batch', '1', { expireTime: '90s' }),
      );
      expect(loaded.json).toMatchObject({
        results: [{ meta: { expire_time: '1m30s', created_at: meta.created_at }, node }],
      });
    });

    test('in a batch one operation that fails is told, and the others are done', async () => {
      const answer = await batch([
        { store: 'neighbour', data: 1, if_match: '*' },
        { store: 'neighbour', data: 2, if_none_match: '*' },
        { store: 'neighbour', data: 3, expire_time: 'soon' },
        { delete: 'no neighbour' },
        { load: 'neighbour' },
      ]);
      expect(answer.json).toMatchObject({
        results: [
          { status: 412, code: 'PRECONDITION_FAILED' },
          { status: 200 },
          { status: 400, code: 'INVALID_EXPIRE_TIME' },
          { status: 404, code: 'KEY_NOT_FOUND' },
          { status: 200, data: 2 },
        ],
        failed: 2,
      });
      await batch([{ delete: 'neighbour' }]);
    });

    test.each(['{}', '[{"load":"a"}', '[{"load":"a"},7]', '[{"load":"a","x":1}]'])(
      'the batch %s is 400',
      async (body) => {
        expectProblem(await post('/v1/batch', body), 400, 'MALFORMED_BODY');
      },
    );

    // HEAD (RFC 9110 §9.3.2).

    test.each(['', '/index?index=0', '/item?item=a', '/index?index=x'])(
      'HEAD /v1/keys/{key}%s has the headers of GET and no body',
      async (part) => {
        await put(url, 'headed', '["a"]');
        const { date: _, ...expected } = (await send('GET', `/v1/keys/headed${part}`)).headers;
        const head = await send('HEAD', `/v1/keys/headed${part}`);
        expect(head.text).toBe('');
        expect(head.headers).toMatchObject(expected);
      },
    );

    test('HEAD of a missing key is 404, of the nodes and keys 200', async () => {
      expect(await send('HEAD', '/v1/keys/nope')).toMatchObject({ status: 404, text: '' });
      expect(await send('HEAD', '/v1/nodes')).toMatchObject({ status: 200, text: '' });
      expect(await send('HEAD', '/v1/keys')).toMatchObject({ status: 200, text: '' });
    });

    test('a parameter that does not belong there is 400', async () => {
      const answers = [
        await put(url, 'a', '1').then(() => send('GET', '/v1/keys/a?b')),
        await send('PUT', '/v1/keys/a?b', { headers: JSON_TYPE, body: '{"data": 2}' }),
        await send('DELETE', '/v1/keys/a?b'),
        await send('GET', '/v1/keys/a/index?item=0'),
        await send('GET', '/v1/keys/a/index?index=0&index=0'),
        await send('GET', '/v1/keys?prefx=a'),
        await send('GET', '/v1/nodes?x=1'),
      ];
      for (const answer of answers) expectProblem(answer, 400, 'INVALID_PARAMETER');
      expect(dataOf(await get(url, 'a'))).toBe('1');
    });
  });
}
