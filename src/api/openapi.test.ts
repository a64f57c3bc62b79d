import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';

import { apiOver } from '../../test/support/api.ts';
import { ask } from '../../test/support/client.ts';
import { DocumentCheck } from '../../test/support/documented.ts';
import { sendTo } from '../../test/support/exchange.ts';
import { StoreEngine } from '../../test/support/store-engine.ts';
import { FAILURE_CODES } from '../base/errors.ts';
import { ROWS } from './rows.ts';

const send = sendTo(apiOver(new StoreEngine()));

interface Operation {
  readonly responses: Record<string, { content?: Record<string, { schema: object }> }>;
  readonly security?: object[];
}

async function description() {
  return (await ask(send, 'GET', '/openapi.json')).json as {
    paths: Record<string, Record<string, Operation>>;
  };
}

describe('/openapi.json', () => {
  test('is an OpenAPI document', async () => {
    const document = await description();
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(document));
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    expect(validator.version).toBe('3.1');
  });

  test('has every route with every method, and the right that it takes', async () => {
    const { paths } = await description();
    expect(Object.keys(paths)).toEqual(ROWS.map(({ path }) => path));
    for (const { path, methods } of ROWS) {
      const served = [...Object.keys(methods), 'OPTIONS', ...('GET' in methods ? ['HEAD'] : [])];
      const shown = Object.keys(paths[path]!).map((method) => method.toUpperCase());
      expect(shown.toSorted()).toEqual(served.toSorted());
      for (const [method, { right }] of Object.entries(methods)) {
        const { security } = paths[path]![method.toLowerCase()]!;
        expect(security).toEqual(right === undefined ? undefined : [{ token: [right] }]);
      }
    }
  });

  test('has every problem that a route can have', async () => {
    const text = JSON.stringify((await description()).paths);
    // These are of no route, or seen by no client.
    const others = new Set(['ROUTE_NOT_FOUND', 'METHOD_NOT_ALLOWED', 'CLIENT_GONE']);
    // This one is of an operation in a batch.
    others.add('ANSWER_TOO_LARGE');
    const missing = FAILURE_CODES.filter((code) => !text.includes(`"${code}"`));
    expect(missing.toSorted()).toEqual([...others].toSorted());
  });

  test('an answer that it does not describe is noticed', async () => {
    const check = new DocumentCheck(await description());
    const answer = await ask(send, 'GET', '/livez');
    expect(check.problemOf('GET', '/livez', answer)).toBeUndefined();
    expect(check.problemOf('GET', '/livez', { ...answer, status: 201 })).toBe('there is no 201');
    expect(check.problemOf('GET', '/v1/keys', answer)).toContain('must be array');
    const untyped = { ...answer, headers: { 'content-type': 'text/plain' } };
    expect(check.problemOf('GET', '/livez', untyped)).toBe('200 has no text/plain');
  });
});

test('/docs is one page that loads nothing, and shows every route', async () => {
  const { headers, text } = await ask(send, 'GET', '/docs');
  expect(headers['content-type']).toBe('text/html; charset=utf-8');
  expect(headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'sha256-/);
  expect(text).not.toMatch(/<(script|link|img|iframe)|\bon\w+=|url\(|@import/);
  for (const { path, methods } of ROWS) {
    for (const method of Object.keys(methods)) expect(text).toContain(`id="${method} ${path}"`);
  }
});
