// Requests in which somebody else may see another request: one is never seen as two, and after the
// refusal nothing of the connection is served.
import { expect, test } from 'vitest';

import { TestHost } from '../support/memory-socket.ts';
import { SMUGGLING } from './requests.ts';

test.each(SMUGGLING)('$name', async ({ bytes }) => {
  const next = bytes.lastIndexOf('GET /a');
  for (const cut of [0, 1, next - 1, next, next + 1]) {
    const targets: string[] = [];
    const host = new TestHost({
      handle(exchange) {
        targets.push(`${exchange.method} ${exchange.target}`);
        exchange.receive(1000, () => exchange.send(200, '', 'ok'));
      },
      describe: ({ code }) => ({ headers: '', body: code }),
    });
    const socket = await host.connect();
    await socket.feedPieces(
      [bytes.slice(0, cut), bytes.slice(cut)].filter((piece) => piece !== ''),
    );
    await socket.feedPieces([`GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`]);
    expect(targets.length).toBeLessThanOrEqual(1);
    expect(targets).not.toContain('GET /smuggled');
    expect(socket.received).toMatch(/^HTTP\/1\.1 (400|501) /);
    expect(socket.received.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect(socket.isEnded).toBe(true);
  }
});
