import type { Logger } from 'pino';
import { expect, test } from 'vitest';

import { News } from './news.ts';

/** News whose lines and clock a test has. */
function newsAndLines(): { news: News; lines: Record<string, unknown>[]; clock: { ms: number } } {
  const lines: Record<string, unknown>[] = [];
  const clock = { ms: 0 };
  const log = { warn: (facts: object, text: string) => lines.push({ ...facts, text }) };
  return { news: new News(log as unknown as Logger, () => clock.ms), lines, clock };
}

test('what was just said of a peer is not said again, and what is new is', () => {
  const { news, lines } = newsAndLines();
  for (let n = 0; n < 3; n++) {
    news.tell('a:1', 'gone', 'a peer is down');
    news.tell('a:1', 'other cluster', 'a node was refused');
    news.tell('b:1', 'gone', 'a peer is down');
  }
  news.tell('b:1', 'hung', 'a peer is down');
  expect(lines).toEqual([
    { peer: 'a:1', reason: 'gone', text: 'a peer is down' },
    { peer: 'a:1', reason: 'other cluster', text: 'a node was refused' },
    { peer: 'b:1', reason: 'gone', text: 'a peer is down' },
    { peer: 'b:1', reason: 'hung', text: 'a peer is down' },
  ]);
});

test('reasons that alternate are said once each, and again as a reminder', () => {
  const { news, lines, clock } = newsAndLines();
  for (clock.ms = 0; clock.ms < 10_000; clock.ms++) {
    news.tell('a:1', `reason ${clock.ms % 2}`, 'a peer is down');
  }
  expect(lines).toHaveLength(2);
  clock.ms = 10_001;
  news.tell('a:1', 'reason 1', 'a peer is down');
  expect(lines).toHaveLength(3);
});

test('ever new peers and reasons make 20 lines in 10 s, and the next line says how many there were', () => {
  const { news, lines, clock } = newsAndLines();
  for (let n = 0; n < 5000; n++) news.tell(`${n}`, `${n}`, 'a stranger');
  news.tell('a:1', 'gone', 'a peer is down');
  expect(lines).toHaveLength(21);
  clock.ms = 10_000;
  news.tell('a:2', 'new', 'a stranger');
  expect(lines.at(-1)).toEqual({ peer: 'a:2', reason: 'new', unsaid: 4980, text: 'a stranger' });
});
