import { expect, test } from 'vitest';

import { apiOver } from '../../test/support/api.ts';
import { type Answer, type Question } from '../../test/support/client.ts';
import { sendTo } from '../../test/support/exchange.ts';
import { StoreEngine } from '../../test/support/store-engine.ts';
import { failure } from '../base/errors.ts';
import type { Failure } from '../base/errors.ts';
import type { ByteRange } from '../record/reply.ts';
import type { Request } from '../record/request.ts';

/** Takes note of what it is asked, byte ranges as text. */
class NotingEngine extends StoreEngine {
  asked: unknown;

  override serve(request: Request): Failure {
    this.asked = Object.fromEntries(
      Object.entries(request).map(([name, value]) => [
        name,
        isRange(value) ? textOf(value) : value,
      ]),
    );
    return failure('KEY_NOT_FOUND', 'noted');
  }
}

function isRange(value: unknown): value is ByteRange {
  return typeof value === 'object' && value !== null && 'bytes' in value;
}

function textOf({ bytes, start, end }: ByteRange): string {
  return bytes.toString('utf8', start, end);
}

/** Sends one request; what the engine was asked, and the answer. */
async function ask(
  method: string,
  target: string,
  question?: Question,
): Promise<{ asked: unknown; answer: Answer }> {
  const engine = new NotingEngine();
  const answer = await sendTo(apiOver(engine))(method, `/v1/keys/a${target}`, question);
  return { asked: engine.asked, answer };
}

test.each([
  ['GET', { action: 'load', pointer: '/users/0/na~1me' }],
  ['DELETE', { action: 'delete', pointer: '/users/0/na~1me' }],
])('%s has a pointer', async (method, expected) => {
  const { asked } = await ask(method, '?pointer=/users/0/na~1me');
  expect(asked).toEqual({ key: 'a', condition: undefined, ...expected });
});

test.each([
  ['{"data": [1]}', undefined],
  ['{"data": [1], "expire_time": "1s"}', 1_000_000_000n],
])('a PUT of %s at a pointer leaves the time to live unless it says one', async (body, ttlNs) => {
  const { asked } = await ask('PUT', '?pointer=%2Fa', { body });
  expect(asked).toMatchObject({ action: 'store', pointer: '/a', value: '[1]', ttlNs });
});

test.each([
  ['application/merge-patch+json', 'merge'],
  ['application/json-patch+json; charset=utf-8', 'json'],
])('a PATCH of type %s is a patch, with its condition and time to live', async (type, format) => {
  const headers = { 'Content-Type': type, 'If-Match': '"x"' };
  const { asked } = await ask('PATCH', '?expire_time=1m', { headers, body: ' {"a": null}\n' });
  expect(asked).toEqual({
    action: 'patch',
    key: 'a',
    format,
    patch: '{"a": null}',
    ttlNs: 60_000_000_000n,
    condition: { ifMatch: ['x'], ifNoneMatch: undefined },
  });
});

test.each(['application/json', '*/*', 'text/plain'])('a PATCH of type %s is 415', async (type) => {
  const { answer } = await ask('PATCH', '', { headers: { 'Content-Type': type }, body: '{}' });
  const types = 'application/merge-patch+json, application/json-patch+json';
  expect(answer).toMatchObject({ status: 415, headers: { 'accept-patch': types } });
  expect((await ask('OPTIONS', '')).answer.headers['accept-patch']).toBe(types);
});

test.each(['', '{', '{"a":1} x'])('the patch %j is malformed', async (body) => {
  const headers = { 'Content-Type': 'application/merge-patch+json' };
  const { asked, answer } = await ask('PATCH', '', { headers, body });
  expect(answer).toMatchObject({ status: 400, json: { code: 'MALFORMED_BODY' } });
  expect(asked).toBeUndefined();
});

test('an increment is by 1 to 0 unless it says more', async () => {
  const { asked } = await ask('POST', '/increment', { body: '{}' });
  expect(asked).toEqual({
    action: 'increment',
    key: 'a',
    condition: undefined,
    by: '1',
    initial: '0',
    pointer: '',
    ttlNs: undefined,
    expire: 'created',
  });
});

test('an increment has its numbers as they are written', async () => {
  const body = `{"by": -1.50, "initial": 123456789012345678901234567890, "min": 1e2, "max": 0.1,
    "pointer": "/n", "expire_time": "60s", "expire": "always"}`;
  const { asked } = await ask('POST', '/increment', { body, headers: { 'If-None-Match': '*' } });
  expect(asked).toMatchObject({
    by: '-1.50',
    initial: '123456789012345678901234567890',
    min: '1e2',
    max: '0.1',
    pointer: '/n',
    ttlNs: 60_000_000_000n,
    expire: 'always',
    condition: { ifNoneMatch: '*' },
  });
});

test('an append has its values as they are written', async () => {
  const body = '{"values": [ 1.0, {"a":1} ], "pointer": "/l", "max_length": 100}';
  expect((await ask('POST', '/append', { body })).asked).toMatchObject({
    action: 'append',
    values: '[ 1.0, {"a":1} ]',
    pointer: '/l',
    maxLength: 100,
    ttlNs: undefined,
  });
});

test.each([
  ['"1h"', 3_600_000_000_000n],
  ['"0s"', 0n],
])('expire has the time to live %s', async (expireTime, ttlNs) => {
  const body = `{"expire_time": ${expireTime}}`;
  expect((await ask('POST', '/expire', { body })).asked).toEqual({
    action: 'expire',
    key: 'a',
    ttlNs,
    condition: undefined,
  });
});

test.each([
  ['GET', '?pointer=a', '', 'INVALID_POINTER'],
  ['GET', '?pointer=/~2', '', 'INVALID_POINTER'],
  ['PUT', `?pointer=/${'x'.repeat(4096)}`, '{"data":1}', 'INVALID_POINTER'],
  ['PATCH', '?expire_time=soon', '{}', 'INVALID_EXPIRE_TIME'],
  ['POST', '/increment', '{"by": "1"}', 'INVALID_NUMBER'],
  ['POST', '/increment', `{"by": ${'1'.repeat(1025)}}`, 'INVALID_NUMBER'],
  ['POST', '/increment', '{"max": null}', 'INVALID_NUMBER'],
  ['POST', '/increment', '{"expire": "never"}', 'INVALID_PARAMETER'],
  ['POST', '/increment', '{"pointer": 1}', 'INVALID_POINTER'],
  ['POST', '/increment?by=1', '{}', 'INVALID_PARAMETER'],
  ['POST', '/append', '{"values": {}}', 'MALFORMED_BODY'],
  ['POST', '/append', '{}', 'MALFORMED_BODY'],
  ['POST', '/append', '{"values": [], "max_length": 0}', 'INVALID_PARAMETER'],
  ['POST', '/append', '{"values": [], "max_length": 1.5}', 'INVALID_PARAMETER'],
  ['POST', '/append', '{"values": [], "pointer": "x"}', 'INVALID_POINTER'],
  ['POST', '/expire', '{}', 'INVALID_EXPIRE_TIME'],
  ['POST', '/expire', '{"expire_time": 60}', 'INVALID_EXPIRE_TIME'],
])('%s %s %.40s is refused: %s', async (method, target, body, code) => {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const { asked, answer } = await ask(method, target, { headers: { 'Content-Type': type }, body });
  expect(answer).toMatchObject({ status: 400, json: { code } });
  expect(asked).toBeUndefined();
});
