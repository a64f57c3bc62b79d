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
