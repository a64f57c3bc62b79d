// What a browser makes of the API: a page of another origin watches, and asks for keys.
import { expect, test } from 'vitest';

import { Page } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { needs } from '../support/needs.ts';
import { Relay } from '../support/relay.ts';
import { TestCluster } from '../support/test-cluster.ts';

/** Reports what comes of a store, then each event of a watch, and when its connection has gone. */
const scriptFor = (url: string, watched: string): string => `
  const headers = { 'Content-Type': 'application/json', 'If-None-Match': '*' };
  try {
    const options = { method: 'PUT', headers, body: '{"data":1}' };
    const stored = await fetch('${url}/v1/keys/a', options);
    report(['stored', { status: stored.status, etag: stored.headers.get('ETag') }]);
  } catch (error) {
    report([error.name]);
  }
  const source = new EventSource('${url}/v1/watch${watched}');
  for (const name of ['ready', 'store', 'delete', 'expire', 'lost']) {
    source.addEventListener(name, ({ data }) => report([name, JSON.parse(data)]));
  }
  source.onerror = () => report(['error', { isOver: source.readyState === EventSource.CLOSED }]);
`;

/** A browser takes a while to start where much else runs. */
const START_MS = 60_000;

needs('chromium')('a page in a browser', () => {
  test('sees events through EventSource, and goes on at the same or another node where it was', async () => {
    await using page = await Page.open();
    await using cluster = await TestCluster.form(2, ['-cors-origin', page.origin]);
    using relay = await Relay.to(cluster.client(1));
    await page.run(scriptFor(relay.url, '?scope=cluster&prefix=b:&values=true'));
    const seen = (name: string, data: object) =>
      eventually(
        () => expect(page.reports).toContainEqual([name, expect.objectContaining(data)]),
        START_MS,
      );
    const store = (key: string, data: unknown) => cluster.ask(1, 'PUT', key, data);

    await seen('stored', { status: 200, etag: expect.stringMatching(/^".+"$/) as string });
    await seen('ready', { members: 2 });
    await store('b:1', { text: 'a\nb', name: 'é' });
    await seen('store', { key: 'b:1', data: { text: 'a\nb', name: 'é' } });
    await cluster.ask(2, 'DELETE', 'b:1');
    await seen('delete', { key: 'b:1' });

    relay.cut();
    await store('b:2', 2);
    await seen('store', { key: 'b:2' });
    relay.target = cluster.client(2);
    relay.cut();
    await store('b:3', 3);
    await seen('store', { key: 'b:3' });
    expect(page.reports.filter(([name]) => name === 'lost')).toEqual([]);

    relay.target = cluster.client(1);
    cluster.node(2).signal('SIGTERM');
    await cluster.node(2).exit;
    await seen('lost', { member: cluster.peer(2), reason: 'unreachable' });
    for (let n = 0; (await store(`b:last ${n}`, 'last')).status !== 200; n++);
    await seen('store', { data: 'last' });
    const watches = relay.said.filter((text) => text.startsWith('GET /v1/watch'));
    const areResumed = watches.map((text) => /^last-event-id: \S+/im.test(text));
    expect(areResumed).toEqual([false, true, true, true]);
    expect(page.reports).not.toContainEqual(['error', { isOver: true }]);
  });

  test('of a foreign origin changes nothing and sees nothing', async () => {
    await using page = await Page.open();
    await using cluster = await TestCluster.form(1, ['-cors-origin', 'http://127.0.0.1:1']);
    await page.run(scriptFor(cluster.url(1), ''));
    await eventually(
      () => expect(page.reports).toEqual([['TypeError'], ['error', { isOver: true }]]),
      START_MS,
    );
    expect((await cluster.ask(1, 'GET', 'a')).status).toBe(404);
  });
});
