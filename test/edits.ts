/** What the HTTP API promises of parts of a value, as a suite that runs over any way to set up memhashd. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { expectProblem, type SetUp } from './contract.ts';
import { ask, dataOf, get, pathOf, put, type Answer, type Server } from './support/client.ts';
import { documented } from './support/documented.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const MERGE_TYPE = { 'Content-Type': 'application/merge-patch+json' };
const PATCH_TYPE = { 'Content-Type': 'application/json-patch+json' };

/** Longer than what is served in one piece. */
const LONG = `[${'"x", '.repeat(40_000)}{"n": 1.0}]`;

/** The target of the part of a value at a pointer. */
function at(key: string, pointer: string): string {
  return `${pathOf(key)}?pointer=${encodeURIComponent(pointer)}`;
}

/** Runs the suite over what `start` sets up, empty, for it alone. */
export function describeEdits(name: string, start: () => Promise<SetUp>): void {
  describe(`parts of a value over ${name}`, () => {
    let setUp: SetUp;
    let url: Server;
    beforeAll(async () => {
      setUp = await start();
      url = await documented(setUp.url);
    });
    afterAll(() => setUp[Symbol.asyncDispose]());

    const patch = (key: string, type: Record<string, string>, body: string) =>
      ask(url, 'PATCH', pathOf(key), { headers: type, body });
    const post = (key: string, action: string, body: string) =>
      ask(url, 'POST', `${pathOf(key)}/${action}`, { headers: JSON_TYPE, body });
    const valueOf = async (key: string) => dataOf(await get(url, key));

    test.each([
      ['/a/1', '2.50'],
      ['', '{"a": [1, 2.50], "": {"b/c": 12345678901234567890}}'],
      ['//b~1c', '12345678901234567890'],
    ])(
      'the part at %j is loaded byte for byte, with the meta of its record',
      async (pointer, part) => {
        await put(url, 'part', '{"a": [1, 2.50], "": {"b/c": 12345678901234567890}}');
        const answer = await ask(url, 'GET', at('part', pointer));
        expect(answer.status).toBe(200);
        expect(dataOf(answer)).toBe(part);
        expect(answer.headers.etag).toBe((await get(url, 'part')).headers.etag);
      },
    );

    test.each<[string, string, number, string]>([
      ['GET', '/a/2', 404, 'PART_NOT_FOUND'],
      ['GET', 'a', 400, 'INVALID_POINTER'],
      ['GET', '/~', 400, 'INVALID_POINTER'],
      ['DELETE', '/b', 404, 'PART_NOT_FOUND'],
    ])('%s of %j is refused: %i', async (method, pointer, status, code) => {
      await put(url, 'refused', '{"a": [1, 2]}');
      expectProblem(await ask(url, method, at('refused', pointer)), status, code);
      expectProblem(await ask(url, 'GET', at('none', '/a')), 404, 'KEY_NOT_FOUND');
      expect(await valueOf('refused')).toBe('{"a": [1, 2]}');
    });

    test('a part is stored and removed, and what is not touched stays byte for byte', async () => {
      await put(url, 'edited', '{ "a" : 1.0, "b":[ ] }');
      const body = '{"data": {"x": 1e2}}';
      const stored = await ask(url, 'PUT', at('edited', '/b/-'), { headers: JSON_TYPE, body });
      expect(dataOf(stored)).toBe('{"x": 1e2}');
      expect(stored.body.meta?.index).toBe(2);
      expect(await valueOf('edited')).toBe('{ "a" : 1.0, "b":[{"x": 1e2} ] }');
      const removed = await ask(url, 'DELETE', at('edited', '/a'));
      expect(removed.body).toMatchObject({ action: 'delete', meta: { index: 3 } });
      expect(removed.body.data).toBeUndefined();
      expect(await valueOf('edited')).toBe('{ "b":[{"x": 1e2} ] }');
      expect(removed.headers.etag).toBe((await get(url, 'edited')).headers.etag);
    });

    test('patches of both kinds change a value, and answer it', async () => {
      await put(url, 'patched', '{"a": 1.0, "b": {"c": 2}}');
      const merged = await patch('patched', MERGE_TYPE, '{"b": {"c": null, "d": 3}}');
      expect(dataOf(merged)).toBe('{"a": 1.0, "b": {"d":3}}');
      const operations =
        '[{"op":"test","path":"/a","value":1},{"op":"move","from":"/b/d","path":"/a"}]';
      expect(dataOf(await patch('patched', PATCH_TYPE, operations))).toBe('{"a": 3, "b": {}}');
      expect(await valueOf('patched')).toBe('{"a": 3, "b": {}}');
    });

    test.each<[Record<string, string>, string, number, string]>([
      [PATCH_TYPE, '[{"op":"test","path":"/a","value":2}]', 409, 'TEST_FAILED'],
      [PATCH_TYPE, '[{"op":"remove","path":"/b"}]', 409, 'TARGET_NOT_FOUND'],
      [PATCH_TYPE, '[{"op":"none","path":"/b"}]', 400, 'INVALID_PATCH'],
      [PATCH_TYPE, '{}', 400, 'INVALID_PATCH'],
      [PATCH_TYPE, '[', 400, 'MALFORMED_BODY'],
      [MERGE_TYPE, '{', 400, 'MALFORMED_BODY'],
      [JSON_TYPE, '{}', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ])('the patch %j %s is refused: %i', async (type, body, status, code) => {
      await put(url, 'unpatched', '{"a": 1}');
      expectProblem(await patch('unpatched', type, body), status, code);
      expect(await valueOf('unpatched')).toBe('{"a": 1}');
    });

    test('a condition is judged with the edit', async () => {
      const first = await put(url, 'conditional', '{"n":1}');
      const headers = { ...MERGE_TYPE, 'If-Match': first.headers.etag as string };
      const ask2 = (): Promise<Answer> =>
        ask(url, 'PATCH', pathOf('conditional'), { headers, body: '{"n":2}' });
      expect((await ask2()).status).toBe(200);
      expectProblem(await ask2(), 412, 'PRECONDITION_FAILED');
      const creating = { headers: { ...MERGE_TYPE, 'If-None-Match': '*' }, body: '{"n":null}' };
      expect(dataOf(await ask(url, 'PATCH', pathOf('created'), creating))).toBe('{}');
      expectProblem(
        await ask(url, 'PATCH', pathOf('created'), creating),
        412,
        'PRECONDITION_FAILED',
      );
      expectProblem(await patch('absent', MERGE_TYPE, '{}'), 404, 'KEY_NOT_FOUND');
    });

    test('a counter counts exactly, whoever asks, and keeps to its bounds', async () => {
      const big = '9007199254740993';
      expect(dataOf(await post('counter', 'increment', `{"by":${big}}`))).toBe(big);
      const all = Array.from({ length: 40 }, () => post('counter', 'increment', '{}'));
      const seen = (await Promise.all(all)).map(dataOf);
      expect(new Set(seen).size).toBe(40);
      expect(await valueOf('counter')).toBe('9007199254741033');
      expectProblem(
        await post('counter', 'increment', '{"by":1,"max":9007199254741033}'),
        422,
        'NUMBER_OUT_OF_RANGE',
      );
      expectProblem(await post('counter', 'increment', '{"by":"1"}'), 400, 'INVALID_NUMBER');
      expectProblem(await post('counter', 'append', '{"values":[1]}'), 409, 'WRONG_TYPE');
    });

    test('a list is added to, by all that ask at the same time, and keeps its last elements', async () => {
      const all = Array.from({ length: 20 }, (_, n) => post('log', 'append', `{"values":[${n}]}`));
      const lengths = (await Promise.all(all)).map(dataOf);
      expect(lengths.map(Number).toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: 20 }, (_, n) => n + 1),
      );
      const limited = await post('log', 'append', '{"values":["a", "b"],"max_length":3}');
      expect(dataOf(limited)).toBe('3');
      expect(((await get(url, 'log')).body.data as unknown[]).slice(1)).toEqual(['a', 'b']);
    });

    test('a time to live is given alone, and kept by edits', async () => {
      const stored = await put(url, 'mortal', '{"a": 1}');
      const expiring = await post('mortal', 'expire', '{"expire_time":"1h"}');
      expect(expiring.body).toMatchObject({ meta: { index: 1, expire_time: '1h0m0s' } });
      expect(expiring.headers.etag).toBe(stored.headers.etag);
      const edited = await patch('mortal', MERGE_TYPE, '{"b": 2}');
      expect(edited.body).toMatchObject({ meta: { index: 2, expire_time: '1h0m0s' } });
      expectProblem(await post('nobody', 'expire', '{"expire_time":"1h"}'), 404, 'KEY_NOT_FOUND');
    });

    test('a long value is searched and edited as a short one is', async () => {
      await put(url, 'long', LONG);
      expect(dataOf(await ask(url, 'GET', at('long', '/40000/n')))).toBe('1.0');
      expect(dataOf(await ask(url, 'GET', `${pathOf('long')}/index?index=40000`))).toBe(
        '{"n": 1.0}',
      );
      const all = Array.from({ length: 5 }, () =>
        post('long', 'increment', '{"by":0.5,"pointer":"/40000/n"}'),
      );
      const seen = (await Promise.all(all)).map(dataOf);
      expect(seen.toSorted()).toEqual(['1.5', '2.0', '2.5', '3.0', '3.5']);
      expect(await valueOf('long')).toBe(LONG.replace('1.0', '3.5'));
    });
  });
}
