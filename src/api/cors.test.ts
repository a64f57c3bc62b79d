import { expect, test } from 'vitest';

import { apiOver } from '../../test/support/api.ts';
import { sendTo } from '../../test/support/exchange.ts';
import { StoreEngine } from '../../test/support/store-engine.ts';

const PAGE = 'https://app.example.com';

function sendWith(...corsOrigins: string[]) {
  return sendTo(apiOver(new StoreEngine(), { corsOrigins }));
}

const from = (origin: string) => ({ headers: { Origin: origin } });

test('without an allowed origin no answer mentions any', async () => {
  const { headers } = await sendWith()('GET', '/v1/keys', from(PAGE));
  expect(Object.keys(headers)).toEqual(['content-type', 'content-length']);
});

test('a page of an allowed origin may read answers, failures too, and their headers', async () => {
  const send = sendWith('https://other.example.com', PAGE);
  for (const target of ['/v1/keys', '/v1/keys/nope']) {
    expect((await send('GET', target, from(PAGE))).headers).toMatchObject({
      'access-control-allow-origin': PAGE,
      'access-control-expose-headers': 'ETag, Link, Location, Retry-After',
      vary: 'Origin',
    });
  }
});

test.each(['https://app.example.com.evil.com', 'http://app.example.com', 'null'])(
  'the page of %s may not, and caches are told that others may',
  async (origin) => {
    const { headers } = await sendWith(PAGE)('GET', '/v1/keys', from(origin));
    expect(headers).toMatchObject({ vary: 'Origin' });
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  },
);

test('* lets all pages read, and the answer does not depend on who asks', async () => {
  const { headers } = await sendWith('*')('GET', '/v1/keys', from(PAGE));
  expect(headers).toMatchObject({ 'access-control-allow-origin': '*' });
  expect(headers).not.toHaveProperty('vary');
});

test('a preflight is told the methods and the headers', async () => {
  const preflight = { Origin: PAGE, 'Access-Control-Request-Method': 'PUT' };
  const answer = await sendWith(PAGE)('OPTIONS', '/v1/keys/a', { headers: preflight });
  expect(answer).toMatchObject({ status: 204, text: '' });
  const methods = answer.headers.allow;
  expect(answer.headers).toMatchObject({
    'access-control-allow-origin': PAGE,
    'access-control-allow-methods': methods,
    'access-control-allow-headers': expect.stringContaining('If-Match'),
    'access-control-max-age': '600',
  });
});

test.each([PAGE, 'null', 'http://127.0.0.1:3000'])(
  'a page of a foreign origin changes nothing: %s',
  async (origin) => {
    const send = sendWith('https://other.example.com');
    const headers = { Origin: origin, Host: '127.0.0.1:8001' };
    // What a browser sends without asking: a POST with a body that has no type.
    const batch = { headers, body: '[{"store":"a","data":1}]' };
    expect(await send('POST', '/v1/batch', batch)).toMatchObject({ status: 403 });
    expect(await send('POST', '/v1/keys/a/increment', { headers })).toMatchObject({ status: 403 });
    expect(await send('GET', '/v1/keys/a', { headers })).toMatchObject({ status: 404 });
  },
);

test.each([
  ['an allowed origin', PAGE],
  ['the node itself', 'http://127.0.0.1:8001'],
])('a page of %s may change something', async (_, origin) => {
  const headers = { Origin: origin, Host: '127.0.0.1:8001' };
  const answer = await sendWith(PAGE)('PUT', '/v1/keys/a', { headers, body: '{"data":1}' });
  expect(answer.status).toBe(200);
});
