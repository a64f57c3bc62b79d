// The log of a process: requests as lines, and nobody who reads it.
import { expect, test } from 'vitest';

import { ask, put } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { NodeProcess } from '../support/node-process.ts';
import { TestCluster } from '../support/test-cluster.ts';

test('-log-requests: a line a request, with an id that the client is told', async () => {
  await using node = await NodeProcess.start(['-log-requests']);
  const answer = await put(node.url, 'a', '1');
  const line = await node.logged('request', { method: 'PUT', target: '/v1/keys/a', status: 200 });
  expect(line['request']).toBe(answer.headers['x-request-id']);
  await ask(node.url, 'GET', '/nowhere', { headers: { 'X-Request-Id': 'mine' } });
  await node.logged('request', { request: 'mine', status: 404 });
});

test('-log-requests: id and trace of a request stand in the log of the owner, too', async () => {
  await using cluster = await TestCluster.form(2, ['-log-requests']);
  const owner = cluster.peer(2);
  let key = 'a';
  while ((await put(cluster.url(1), key, '1')).body.node?.addr !== owner) key += 'a';
  const load = (id: string, traceparent: string) =>
    ask(cluster.url(1), 'GET', `/v1/keys/${key}`, {
      headers: { 'X-Request-Id': id, traceparent },
    });
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const span = 'b7ad6b7169203331';
  await load('good', `00-${trace}-${span}-01`);
  const facts = { request: 'good', trace, span, action: 'load', key, outcome: 'ok' };
  await cluster.node(2).logged('forwarded request', facts);
  await load('bad', `00-${trace}-${span}`);
  const line = await cluster.node(2).logged('forwarded request', { request: 'bad' });
  expect(line).not.toHaveProperty('trace');
  expect(
    cluster
      .node(1)
      .log()
      .some(({ msg }) => msg === 'forwarded request'),
  ).toBe(false);
});

test('-log-format text is for people, -log-level leaves lines out', async () => {
  const addresses = ['-client-addr', '127.0.0.1:0', '-server-addr', '127.0.0.1:0'];
  await using text = new NodeProcess([...addresses, '-log-format', 'text']);
  await eventually(() =>
    expect(text.stderr).toMatch(/^[\d:.]{12} INFO {2}serving .*client=127\.0\.0\.1:\d+$/m),
  );
  const exposed = ['-client-addr', ':0', '-server-addr', '127.0.0.1:0'];
  await using quiet = new NodeProcess([...exposed, '-log-level', 'warn']);
  await quiet.logged('what clients send and get can be read and changed on the way: see -tls-cert');
  quiet.signal('SIGTERM');
  await quiet.exit;
  expect([...new Set(quiet.log().map(({ level }) => level))]).toEqual(['warn']);
});

test('a log that nobody reads holds up no request', async () => {
  await using node = await NodeProcess.start(['-log-requests']);
  // What is not read fills the pipe, then the bound of the node.
  node.child.stderr?.pause();
  const target = `/${'x'.repeat(500)}`;
  const requests = 6000;
  for (let sent = 0; sent < requests; sent += 100) {
    const answers = Array.from({ length: 100 }, () => ask(node.url, 'GET', target));
    for (const { status } of await Promise.all(answers)) expect(status).toBe(404);
  }
  node.child.stderr?.resume();
  const { lines } = await node.logged('nobody read the log: lines were dropped');
  const written = node.log().filter(({ msg }) => msg === 'request').length;
  expect(Number(lines) + written).toBe(requests);
});
