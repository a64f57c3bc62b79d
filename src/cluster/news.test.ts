import type { Logger } from 'pino';
import { expect, test } from 'vitest';

import { News } from './news.ts';

test('what was just said of a peer is not said again, and what is new is', () => {
  const lines: unknown[] = [];
  const log = { warn: (facts: object, text: string) => lines.push({ ...facts, text }) };
  const news = new News(log as unknown as Logger);
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
