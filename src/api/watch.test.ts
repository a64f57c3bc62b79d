import { expect, test } from 'vitest';

import { apiOver } from '../../test/support/api.ts';
import { get, put, type Send } from '../../test/support/client.ts';
import { sendTo, TestExchange } from '../../test/support/exchange.ts';
import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import { StoreEngine } from '../../test/support/store-engine.ts';
import type { Key } from '../base/key.ts';
import { Access, makeToken, parseTokens } from './access.ts';
import type { Api } from './api.ts';

/** A node on timers that the test steps. */
function setUp() {
  const timers = new SteppedTimers();
  let now = 1_700_000_000_000_000;
  const engine = new StoreEngine(() => now + timers.nowMs() * 1000, timers);
  const api = apiOver(engine, { timers });
  return { timers, engine, api, send: sendTo(api), skipMs: (ms: number) => (now += ms * 1000) };
}

/** Begins to watch. */
function watch(api: Api, query: string, headers: Record<string, string> = {}): TestExchange {
  const exchange = new TestExchange('GET', `/v1/watch${query}`, { headers });
  api.handle(exchange);
  return exchange;
}

/** An event as a browser would give it to a page. */
interface StreamEvent {
  readonly event: string;
  readonly data: string;
  readonly id?: string;
}

/** The events of a stream, read as browsers do. */
function eventsOf(text: string): StreamEvent[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('event:'))
    .map((block) => {
      const fields = new Map<string, string>();
      for (const line of block.split('\n')) {
        const [, name = '', value = ''] = /^(\w+): (.*)$/.exec(line) ?? [];
        const before = fields.get(name);
        fields.set(name, before === undefined ? value : `${before}\n${value}`);
      }
      return Object.fromEntries(fields) as unknown as StreamEvent;
    });
}

/** What events say, without their positions. */
const said = (events: StreamEvent[]) =>
  events.map(({ event, data }) => [event, JSON.parse(data) as unknown]);

const lastId = (exchange: TestExchange) => eventsOf(exchange.written).findLast(({ id }) => id)!.id!;

async function pull(send: Send, query: string) {
  const answer = await send('GET', `/v1/watch${query}`, {
    headers: { Accept: 'application/json' },
  });
  return { answer, ...(answer.json as { events: object[]; next: string }) };
}

test('a stream says that it is ready, then tells of each change', async () => {
  const { timers, api, send } = setUp();
  const stream = watch(api, '');
  await timers.settle();
  expect(stream.headers).toEqual({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  expect(stream.written).toMatch(
    /^retry: 1000\n\nevent: ready\ndata: \{"members":1\}\nid: \S+\n\n$/,
  );
  const stored = await put(send, 'a "é"', '1', { expireTime: '10s' });
  await send('PUT', '/v1/keys/b', { body: '{"data": 2}' });
  await send('DELETE', '/v1/keys/b');
  await timers.settle();
  const etag = stored.headers.etag!.slice(1, -1);
  expect(said(eventsOf(stream.written)).slice(1)).toEqual([
    ['store', { key: 'a "é"', etag, expire_time: '10s' }],
    ['delete', { key: 'b' }],
  ]);
});

test('a client watches keys and prefixes, and nothing else', async () => {
  const { timers, api, send } = setUp();
  const stream = watch(api, '?prefix=user:&key=lock&prefix=x');
  await timers.settle();
  for (const key of ['user:1', 'use', 'lock', 'lock2', 'x']) await put(send, key, '1');
  await timers.settle();
  const keys = said(eventsOf(stream.written)).map(([, data]) => (data as { key?: string }).key);
  expect(keys.slice(1)).toEqual(['user:1', 'lock', 'x']);
});

test('with values a stream has the state when it is told, with other line ends', async () => {
  const { timers, api, send } = setUp();
  const stream = watch(api, '?values=true');
  await timers.settle();
  await put(send, 'a', '{"n": 1}');
  await put(send, 'a', '{"n":\r\n2,\n"m":\r3.0}');
  await timers.settle();
  const [, event] = eventsOf(stream.written);
  expect(event!.data).toContain('"data":{"n":\n2,\n"m":\n3.0}}');
  expect(eventsOf(stream.written)).toHaveLength(2);
});

test.each([
  ['on one line', ' '],
  ['on many lines', '\r\n'],
])('a large value %s is an event like any other, between others', async (_, space) => {
  const { timers, api, send } = setUp();
  const stream = watch(api, '?values=true');
  await timers.settle();
  const list = `[${`1,${space}`.repeat(100_000)}1]`;
  for (const [key, value] of [
    ['a', '1'],
    ['b', list],
    ['c', '3'],
  ] as const) {
    await put(send, key, value);
  }
  await timers.settle();
  const told = eventsOf(stream.written).map(({ data }) => data);
  expect(told.map((data) => (JSON.parse(data) as { key?: string }).key)).toEqual([
    undefined,
    'a',
    'b',
    'c',
  ]);
  expect(told[2]).toContain(`"data":${list.replaceAll('\r\n', '\n')}}`);
  expect(lastId(stream)).toBe((await pull(send, '')).next);
});

test('initial tells first of what is there', async () => {
  const { timers, api, send } = setUp();
  await put(send, 'a1', '1');
  await put(send, 'b', '1');
  const stream = watch(api, '?prefix=a&key=b&key=none&initial=true&values=true');
  await timers.settle();
  await put(send, 'a2', '2');
  await timers.settle();
  expect(said(eventsOf(stream.written))).toMatchObject([
    ['store', { key: 'b', data: 1 }],
    ['store', { key: 'a1', data: 1 }],
    ['ready', { members: 1 }],
    ['store', { key: 'a2', data: 2 }],
  ]);
});

test('a record that expires or is evicted is told as such', async () => {
  const { timers, api, engine, send, skipMs } = setUp();
  const stream = watch(api, '');
  await put(send, 'brief', '1', { expireTime: '1s' });
  await timers.settle();
  skipMs(1100);
  engine.store.maintain(1000);
  await timers.settle();
  expect(said(eventsOf(stream.written)).at(-1)).toEqual(['expire', { key: 'brief' }]);
});

test('a quiet stream has a ping every 15 s, whose position advances with what others watch', async () => {
  const { timers, api, send } = setUp();
  const stream = watch(api, '?prefix=a');
  watch(api, '?prefix=b');
  await timers.settle();
  const before = lastId(stream);
  await put(send, 'b', '1');
  await timers.step(15_000);
  const ping = eventsOf(stream.written).at(-1)!;
  expect(ping).toMatchObject({ event: 'ping', data: '{}' });
  expect(ping.id).not.toBe(before);
});

test.each(['Last-Event-ID', 'since'])('a stream goes on where %s says', async (where) => {
  const { timers, api, send } = setUp();
  const first = watch(api, '');
  await put(send, 'a', '1');
  await timers.settle();
  const id = lastId(first);
  first.leave();
  await timers.step(15_000);
  await put(send, 'b', '1');
  await timers.settle();
  const again =
    where === 'since' ? watch(api, `?since=${id}`) : watch(api, '', { 'Last-Event-ID': id });
  await timers.settle();
  expect(said(eventsOf(again.written))).toMatchObject([
    ['ready', {}],
    ['store', { key: 'b' }],
  ]);
});

test('who comes back too late has lost changes, and hears of those from then on', async () => {
  const { timers, api, engine, send } = setUp();
  const first = watch(api, '');
  await timers.settle();
  const id = lastId(first);
  first.leave();
  await timers.step(15_000 + 61_000);
  await put(send, 'missed', '1');
  const again = watch(api, '', { 'Last-Event-ID': id });
  await timers.settle();
  await put(send, 'seen', '1');
  await timers.settle();
  expect(said(eventsOf(again.written))).toMatchObject([
    ['ready', {}],
    ['lost', { member: engine.node.addr, reason: 'behind' }],
    ['store', { key: 'seen' }],
  ]);
});

test('a position of another life is lost as restarted', async () => {
  const one = setUp();
  const stream = watch(one.api, '');
  await one.timers.settle();
  const other = setUp();
  const again = watch(other.api, '', { 'Last-Event-ID': lastId(stream) });
  await other.timers.settle();
  expect(said(eventsOf(again.written)).at(-1)).toMatchObject(['lost', { reason: 'restarted' }]);
});

test('a client that does not read holds a piece of text, and is let go in the end', async () => {
  const { timers, api, send } = setUp();
  const stream = watch(api, '?values=true');
  await timers.settle();
  stream.isFull = true;
  const value = `"${'x'.repeat(10_000)}"`;
  for (let n = 0; n < 100; n++) await put(send, `k${n}`, value);
  await timers.settle();
  expect(stream.written.length).toBeLessThan(100_000);
  await timers.step(59_000);
  expect(stream.isGone).toBe(false);
  stream.drain();
  await timers.settle();
  expect(eventsOf(stream.written)).toHaveLength(101);
  stream.isFull = true;
  await put(send, 'more', '1');
  await timers.step(60_000);
  expect(stream.isGone).toBe(true);
});

test('JSON: the first answer says where to begin, the next what has happened since', async () => {
  const { timers, send } = setUp();
  const start = await pull(send, '?prefix=a');
  expect(start.events).toEqual([]);
  const waiting = pull(send, `?prefix=a&wait=30s&since=${start.next}`);
  await timers.settle();
  await put(send, 'b', '1');
  await timers.settle();
  await put(send, 'a', '1');
  await timers.settle();
  const { events, next } = await waiting;
  expect(events).toMatchObject([{ event: 'store', key: 'a' }]);
  const later = pull(send, `?prefix=a&wait=30s&since=${next}`);
  await timers.step(30_000);
  expect((await later).events).toEqual([]);
  expect((await pull(send, `?prefix=a&since=${next}`)).events).toEqual([]);
});

test('a node that closes ends its streams, also those that are not read, and answers who waits', async () => {
  const { timers, engine } = setUp();
  const closing = new AbortController();
  const api = apiOver(engine, { timers, closing: closing.signal });
  const { next } = await pull(sendTo(api), '');
  const stream = watch(api, '');
  const [slow, slowStart] = [watch(api, ''), watch(api, '?initial=true')];
  slow.isFull = slowStart.isFull = true;
  const waiting = pull(sendTo(api), `?prefix=b&wait=30s&since=${next}`);
  await put(sendTo(api), 'a', '1');
  await timers.settle();
  closing.abort();
  await timers.settle();
  expect(slow.isGone && slowStart.isGone).toBe(true);
  expect((await waiting).events).toEqual([]);
  expect((await stream.answer).text).toContain('event: ready');
  const late = watch(api, '');
  await timers.settle();
  expect((await late.answer).status).toBe(200);
});

test('JSON: what is forgotten is 410', async () => {
  const { timers, send } = setUp();
  const { next } = await pull(send, '');
  await timers.step(61_000);
  const { answer } = await pull(send, `?since=${next}`);
  expect(answer).toMatchObject({ status: 410, json: { code: 'HISTORY_GONE' } });
});

test.each([
  '?scope=all',
  '?values=1',
  '?initial=yes',
  '?wait=2m',
  '?wait=-1s',
  '?since=x',
  '?since=a&since=b',
  '?key=',
  `?${Array(17).fill('key=a').join('&')}`,
  `?${Array(17).fill('prefix=a').join('&')}`,
  '?x=1',
])('the query %.40s is refused', async (query) => {
  const { send } = setUp();
  const answer = await send('GET', `/v1/watch${query}`);
  expect(answer).toMatchObject({ status: 400, json: { code: 'INVALID_PARAMETER' } });
});

test('a token hears of its own keys alone', async () => {
  const { timers, engine, send } = setUp();
  const { token, entry } = makeToken({
    name: 'mine',
    rights: ['read'],
    prefixes: ['mine:' as Key],
  });
  const access = new Access(parseTokens(entry));
  const stream = watch(apiOver(engine, { timers, access }), '?initial=true', {
    Authorization: `Bearer ${token}`,
  });
  await put(send, 'mine:1', '1');
  await put(send, 'other', '1');
  await timers.settle();
  const keys = said(eventsOf(stream.written)).map(([, data]) => (data as { key?: string }).key);
  expect(keys.filter(Boolean)).toEqual(['mine:1']);
});

test('watching leaves the time of the last access alone', async () => {
  const { timers, api, send } = setUp();
  watch(api, '?values=true');
  await put(send, 'a', '1');
  await timers.settle();
  const { meta } = (await get(send, 'a')).json as { meta: { accessed_at: string } };
  expect(meta.accessed_at >= '2023').toBe(true);
});
