import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { expectProblem } from '../../test/contract.ts';
import { ask, put, type Answer } from '../../test/support/client.ts';
import { sendTo } from '../../test/support/exchange.ts';
import { StoreEngine } from '../../test/support/store-engine.ts';
import type { Key } from '../base/key.ts';
import { Scheduler } from '../base/scheduler.ts';
import { Access, Grant, makeToken, parseTokens, RIGHTS } from './access.ts';
import { Api } from './api.ts';

const HASH = 'a'.repeat(64);
const line = (over: object = {}) =>
  JSON.stringify({ name: 'ci', rights: ['read'], sha256: HASH, ...over });

test('without tokens everybody may do everything', () => {
  const grant = new Access().grantOf(undefined);
  expect(grant).toBeInstanceOf(Grant);
  for (const right of RIGHTS) expect((grant as Grant).refusal(right)).toBeUndefined();
  expect((grant as Grant).keyRefusal('any' as Key)).toBeUndefined();
});

describe('a token', () => {
  const made = makeToken({ name: 'ci', rights: ['read'], prefixes: ['user:' as Key, 'a' as Key] });
  const access = new Access(parseTokens(`# tokens\n\n${made.entry}\n`));

  test('has 256 random bits, and its entry has its hash only', () => {
    expect(made.token).toMatch(/^mhd_[\w-]{43}$/);
    expect(made.entry).not.toContain(made.token.slice(4));
    expect(makeToken({ name: 'ci', rights: ['read'], prefixes: undefined }).token).not.toBe(
      made.token,
    );
  });

  test.each(['Bearer', 'bearer', 'BEARER'])('is known as %s', (scheme) => {
    const grant = access.grantOf(`${scheme} ${made.token}`) as Grant;
    expect(grant.name).toBe('ci');
    expect(grant.refusal('read')).toBeUndefined();
    expect(grant.refusal('write')).toMatchObject({
      code: 'FORBIDDEN',
      detail: 'the token ci has no right to write',
    });
    expect(grant.refusal('admin')).toMatchObject({ code: 'FORBIDDEN' });
  });

  test('is for keys with its prefixes', () => {
    const grant = access.grantOf(`Bearer ${made.token}`) as Grant;
    for (const key of ['user:', 'user:1', 'a', 'ab']) expect(grant.covers(key as Key)).toBe(true);
    for (const key of ['user', 'User:1', 'b']) {
      expect(grant.keyRefusal(key as Key)).toMatchObject({ code: 'FORBIDDEN' });
    }
  });

  test.each([
    undefined,
    '',
    made.token,
    'Bearer',
    'Bearer ',
    `Basic ${made.token}`,
    `Bearer ${made.token} ${made.token}`,
    `Bearer ${made.token}x`,
    `Bearer ${made.token.slice(0, -1)}`,
    `Bearer ${HASH}`,
  ])('is not %j', (authorization) => {
    const refusal = access.grantOf(authorization);
    expect(refusal).toMatchObject({ status: 'failed', code: 'UNAUTHENTICATED' });
    // What was sent may be a token with a slip: it is told to nobody.
    expect(JSON.stringify(refusal)).not.toContain(made.token.slice(4, 20));
  });

  test('is known again, among more of them than are remembered', () => {
    const many = Array.from({ length: 12 }, (_, n) =>
      makeToken({ name: `n${n}`, rights: ['read'], prefixes: undefined }),
    );
    const crowd = new Access(parseTokens(many.map(({ entry }) => entry).join('\n')));
    for (let round = 0; round < 3; round++) {
      for (const [n, { token }] of many.entries()) {
        expect((crowd.grantOf(`Bearer ${token}`) as Grant).name).toBe(`n${n}`);
        const wrong = `Bearer ${token.slice(0, -1)}${token.endsWith('A') ? 'B' : 'A'}`;
        expect(crowd.grantOf(wrong)).toMatchObject({ code: 'UNAUTHENTICATED' });
      }
    }
  });

  test('is not known any more when others have replaced it', () => {
    const other = new Access(parseTokens(made.entry));
    expect(other.grantOf(`Bearer ${made.token}`)).toBeInstanceOf(Grant);
    other.replace(parseTokens(line()));
    expect(other.grantOf(`Bearer ${made.token}`)).toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

/** Why a file of tokens is refused, empty if it is not. */
function refusalOf(text: string): string {
  try {
    parseTokens(text);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('a file of tokens', () => {
  test.each([
    ['', /no token/],
    ['# nobody\n', /no token/],
    ['nonsense', /line 1: it is not a JSON object/],
    [`${line()}\n[]`, /line 2: it is not a JSON object/],
    [line({ name: 'a b' }), /line 1: a name has/],
    [line({ name: undefined }), /a name has/],
    [line({ rights: [] }), /rights are read, write, admin/],
    [line({ rights: ['all'] }), /rights are/],
    [line({ rights: 'read' }), /rights are/],
    [line({ prefixes: [] }), /prefixes is a list/],
    [line({ prefixes: [''] }), /a prefix is/],
    [line({ prefixes: ['\ud800'] }), /a prefix is/],
    [line({ sha256: 'A'.repeat(64) }), /sha256 is/],
    [line({ token: 'x' }), /there is no "token"/],
    [`${line()}\n${line({ name: 'other' })}`, /same sha256/],
    [`${line()}\n${line({ sha256: 'b'.repeat(64) })}`, /same name/],
    [
      Array.from({ length: 1025 }, (_, n) =>
        line({ name: `n${n}`, sha256: n.toString(16).padStart(64, '0') }),
      ).join('\n'),
      /more than 1024/,
    ],
  ])('%j is refused, saying why', (text, reason) => {
    expect(() => parseTokens(text)).toThrow(reason);
  });

  test('property: whatever it holds, it is read or refused by a line that quotes nothing of it', () => {
    const secret = 'mhd_secret';
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(refusalOf(`${text}${secret}`)).not.toContain(secret);
      }),
    );
  });
});

const bearing = ({ token }: { token: string }) => ({ Authorization: `Bearer ${token}` });

describe('the routes', () => {
  const made = makeToken({ name: 'ci', rights: ['read'], prefixes: ['a' as Key] });
  const writer = makeToken({ name: 'all', rights: ['write', 'read'], prefixes: undefined });
  const access = new Access(parseTokens(`${made.entry}\n${writer.entry}`));
  const engine = new StoreEngine();
  const send = sendTo(
    new Api({
      engine,
      access,
      scheduler: new Scheduler(),
      valueBytesMax: 1000,
      onDefect: (error) => {
        throw error;
      },
    }),
  );

  test('ask for a token, and say how', async () => {
    const answer = await ask(send, 'GET', '/v1/keys/a');
    expectProblem(answer, 401, 'UNAUTHENTICATED');
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="memhashd"');
  });

  test('say which right is missing', async () => {
    const answer = await ask(send, 'DELETE', '/v1/keys/a', { headers: bearing(made) });
    expectProblem(answer, 403, 'FORBIDDEN');
    expect(answer.body.detail).toBe('the token ci has no right to write');
  });

  test('refuse keys with other prefixes, and list only those with the right ones', async () => {
    for (const key of ['a1', 'b1', 'a2', 'b2', 'a3']) {
      await put(send, key, '1', { headers: bearing(writer) });
    }
    const headers = bearing(made);
    expectProblem(await ask(send, 'GET', '/v1/keys/b1', { headers }), 403, 'FORBIDDEN');
    expect((await ask(send, 'GET', '/v1/keys/a1', { headers })).status).toBe(200);
    const whole = await ask(send, 'GET', '/v1/keys', { headers });
    expect((whole.json as string[]).toSorted()).toEqual(['a1', 'a2', 'a3']);
    const pages: string[] = [];
    for (let next: string | undefined = '/v1/keys?limit=1'; next !== undefined; ) {
      const page: Answer = await ask(send, 'GET', next, { headers });
      pages.push(...(page.json as string[]));
      next = /<(.*)>/.exec(String(page.headers['link'] ?? ''))?.[1];
    }
    expect(pages.toSorted()).toEqual(['a1', 'a2', 'a3']);
    const all = await ask(send, 'GET', '/v1/keys', { headers: bearing(writer) });
    expect(all.json).toHaveLength(5);
  });
});
