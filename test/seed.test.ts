// Every command of the document that memhashd implements, run as it is printed there through curl.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

import { NodeProcess } from './support/node-process.ts';

const TIME = '"<time>"';
const ZERO_TIME = '"0001-01-01T00:00:00Z"';

/** Runs a shell command of the document against the node at `url`; returns what it prints. */
async function run(command: string, url: string): Promise<string> {
  const here = command.replace('http://127.0.0.1:8001', url);
  const { stdout } = await promisify(execFile)('sh', ['-c', here]);
  return stdout;
}

interface Printed {
  readonly head: readonly string[];
  readonly body: string;
}

/** Takes apart what `curl -i` prints, and checks the head against the body. */
function printed(output: string): Printed {
  const [head = '', body = ''] = output.split('\r\n\r\n');
  const lines = head.split('\r\n');
  expect(lines[0]).toBe('HTTP/1.1 200 OK');
  expect(lines).toContain('Content-Type: application/json');
  expect(lines).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
  expect(lines.some((line) => /^Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/.test(line))).toBe(
    true,
  );
  return { head: lines, body };
}

/** The body with the present times and the node, which differ from run to run, replaced. */
function shape(body: string): string {
  return body
    .replaceAll(/"(?!0001)\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z"/g, TIME)
    .replace(/"id":"[\da-f-]{36}"/, '"id":"<id>"')
    .replace(/"addr":"127\.0\.0\.1:\d+"/, '"addr":"<addr>"');
}

/** The answer as the document prints it, in one line. */
function expected(action: string, meta: string[], data?: string): string {
  const [index, expireTime, accessedAt, createdAt, updatedAt] = meta;
  return (
    `{"action":"${action}","meta":{"index":${index},"expire_time":"${expireTime}",` +
    `"accessed_at":${accessedAt},"created_at":${createdAt},"updated_at":${updatedAt}},` +
    `${data === undefined ? '' : `"data":${data},`}"node":{"id":"<id>","addr":"<addr>"}}\n`
  );
}

const STORE = `curl -iX PUT http://127.0.0.1:8001/v1/keys/1 \\
-H 'Content-Type: application/json' \\
-d '{"data": ["a"], "expire_time": "10s"}'`;
const STORE_LIST = `curl -X PUT http://127.0.0.1:8001/v1/keys/1 \\
-H 'Content-Type: application/json' \\
-d '{"data": ["a", "b", "c"]}'`;
const LOAD = 'curl -i http://127.0.0.1:8001/v1/keys/1';
const INDEX = `curl http://127.0.0.1:8001/v1/keys/1/index \\
-H 'Content-Type: application/json' \\
-d '{"index": 2}'`;
const ITEM = `curl http://127.0.0.1:8001/v1/keys/1/item \\
-H 'Content-Type: application/json' \\
-d '{"item": "user"}'`;

test('curl -i http://127.0.0.1:8001/v1/keys lists the keys', async () => {
  await using node = await NodeProcess.start();
  for (const key of ['1', '2', '3']) {
    await run(STORE.replace('keys/1', `keys/${key}`), node.url);
  }
  const { head, body } = printed(await run('curl -i http://127.0.0.1:8001/v1/keys', node.url));
  const keys = JSON.parse(body) as string[];
  expect(keys.toSorted()).toEqual(['1', '2', '3']);
  expect(body).toBe(`${JSON.stringify(keys)}\n`);
  expect(head).toContain('Content-Length: 14');
});

test('curl -iX PUT …/v1/keys/1 stores a key for 10 seconds', async () => {
  await using node = await NodeProcess.start();
  const first = printed(await run(STORE, node.url));
  expect(shape(first.body)).toBe(expected('store', ['1', '10s', ZERO_TIME, TIME, TIME], '["a"]'));
  const again = printed(await run(STORE, node.url));
  expect(shape(again.body)).toBe(expected('store', ['2', '10s', ZERO_TIME, TIME, TIME], '["a"]'));
});

test('curl -i …/v1/keys/1 loads a key', async () => {
  await using node = await NodeProcess.start();
  await run(STORE, node.url);
  const { body } = printed(await run(LOAD, node.url));
  expect(shape(body)).toBe(expected('load', ['1', '10s', TIME, TIME, TIME], '["a"]'));
});

test('curl -iX DELETE …/v1/keys/1 removes a key', async () => {
  await using node = await NodeProcess.start();
  await run(STORE, node.url);
  const { body } = printed(await run('curl -iX DELETE http://127.0.0.1:8001/v1/keys/1', node.url));
  expect(shape(body)).toBe(expected('delete', ['0', '0s', ZERO_TIME, ZERO_TIME, ZERO_TIME]));
  expect(await run(LOAD, node.url)).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
});

test('curl …/v1/keys/1/index loads the element of a list', async () => {
  await using node = await NodeProcess.start();
  await run(STORE, node.url);
  await run(STORE_LIST, node.url);
  // As the document prints it, and with the head that it shows, which takes curl's -i.
  expect(shape(await run(INDEX, node.url))).toBe(
    expected('index', ['2', '0s', TIME, TIME, TIME], '"c"'),
  );
  const { body } = printed(await run(INDEX.replace('curl', 'curl -i'), node.url));
  expect(shape(body)).toBe(expected('index', ['2', '0s', TIME, TIME, TIME], '"c"'));
});

test('curl …/v1/keys/1/item loads the item of a dict', async () => {
  await using node = await NodeProcess.start();
  await run(STORE_LIST.replace('["a", "b", "c"]', '{"user": "ybubnov"}'), node.url);
  expect(shape(await run(ITEM, node.url))).toBe(
    expected('item', ['1', '0s', TIME, TIME, TIME], '"ybubnov"'),
  );
  const { body } = printed(await run(ITEM.replace('curl', 'curl -i'), node.url));
  expect(shape(body)).toBe(expected('item', ['1', '0s', TIME, TIME, TIME], '"ybubnov"'));
});
