// Who may do what: every route with every right, at the owner of a key and through another node.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RIGHTS, type Right } from '../../src/api/access.ts';
import { ROWS } from '../../src/api/rows.ts';
import { ask, get, pathOf, put, type Answer } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { NodeProcess } from '../support/node-process.ts';
import { TestCluster } from '../support/test-cluster.ts';

const directory = mkdtempSync(join(tmpdir(), 'memhashd-tokens-'));
const file = join(directory, 'tokens');
afterAll(() => rmSync(directory, { recursive: true }));

/** Makes a token by the command, and gives what a client sends to use it. */
async function bearing(to: string, ...flags: string[]): Promise<{ Authorization: string }> {
  const { code, stdout } = await NodeProcess.run(['token', '-auth-file', to, ...flags]);
  expect(code).toBe(0);
  return { Authorization: `Bearer ${stdout.trim()}` };
}

describe('memhashd token', () => {
  test('prints a token and its line, which has the hash only', async () => {
    const { code, stdout } = await NodeProcess.run([
      'token',
      '-name',
      'ci',
      '-rights=read,write',
      '-prefix',
      'a',
      '-prefix',
      'b',
    ]);
    expect(code).toBe(0);
    const [token, line, end] = stdout.split('\n');
    expect(token).toMatch(/^mhd_[\w-]{43}$/);
    expect(JSON.parse(line!)).toEqual({
      name: 'ci',
      rights: ['read', 'write'],
      prefixes: ['a', 'b'],
      sha256: expect.stringMatching(/^[\da-f]{64}$/) as string,
    });
    expect(end).toBe('');
  });

  test('adds the line to a file, which only its owner may read', async () => {
    const own = join(directory, 'own');
    await bearing(own, '-name', 'one');
    await bearing(own, '-name', 'two');
    const lines = readFileSync(own, 'utf8').trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { name: string }).name)).toEqual([
      'one',
      'two',
    ]);
    expect(statSync(own).mode & 0o777).toBe(0o600);
  });

  test.each([
    [['token'], '-name'],
    [['token', '-name', 'a b'], '-name'],
    [['token', '-name', 'a', '-rights', 'all'], '-rights'],
    [['token', '-name', 'a', '-prefix', ''], '-prefix'],
    [['token', 'more'], 'more'],
    [['tokens'], 'tokens'],
  ])('%j exits 2 with one line that names %s', async (argv, name) => {
    const { code, stdout, stderr } = await NodeProcess.run(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^memhashd: .+\n$/);
    expect(stderr).toContain(name);
  });

  test('-help says what it does', async () => {
    const { code, stdout } = await NodeProcess.run(['token', '-help']);
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: memhashd token');
  });
});

/** A request that `{method} {path}` of a row stands for. */
function request(method: string, path: string, key: string): [string, string, string] {
  const target = path.replace('/v1/keys/{key}', pathOf(key));
  return [method, target, method === 'GET' ? '' : '{"data":[1],"index":0,"item":"a"}'];
}

/** What somebody who holds this right, or nothing, is refused for where `right` is needed. */
function expected(held: string, right: Right | undefined): string {
  if (right === undefined || held === right) return 'no';
  if (held === 'nothing' || held === 'nonsense') return '401 Bearer realm="memhashd"';
  return `403 the token ${held} has no right to ${right}`;
}

describe('every route with every right', () => {
  const tokens = new Map<Right, { Authorization: string }>();
  let cluster: TestCluster;
  let keys: string[];
  beforeAll(async () => {
    for (const right of RIGHTS)
      tokens.set(right, await bearing(file, '-name', right, '-rights', right));
    cluster = await TestCluster.of(['-auth-file', file]);
    for (const n of [1, 2]) cluster.start(n, cluster.peers(2));
    for (const n of [1, 2]) await cluster.node(n).logged('serving');
    keys = await ownedKeys();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  /** A key of each node. */
  async function ownedKeys(): Promise<string[]> {
    const found: string[] = [];
    for (let n = 0; found[0] === undefined || found[1] === undefined; n++) {
      const answer = await put(cluster.url(1), `key ${n}`, '[1]', {
        headers: tokens.get('write')!,
      });
      found[cluster.peers(2).indexOf(answer.body.node!.addr)] ??= `key ${n}`;
    }
    return found;
  }

  const offers = ROWS.flatMap(({ path, methods }) =>
    Object.entries(methods).map(([method, { right }]) => [method, path, right] as const),
  );

  test.each(offers)('%s %s takes %s', async (method, path, right) => {
    const holders: [string, Record<string, string>][] = [
      ['nothing', {}],
      ['nonsense', { Authorization: 'Bearer wrong' }],
      ...tokens,
    ];
    // One key is this node's, the other goes on to its owner.
    for (const key of keys) {
      const [, target, body] = request(method, path, key);
      const table: string[] = [];
      for (const [held, headers] of holders) {
        // A watch would go on for ever, but for those who want JSON.
        const all = path === '/v1/watch' ? { ...headers, Accept: 'application/json' } : headers;
        const answer = await ask(cluster.url(1), method, target, { headers: all, body });
        table.push(`${held}: ${refusalOf(answer)}`);
      }
      expect(table).toEqual(holders.map(([held]) => `${held}: ${expected(held, right)}`));
    }
  });
});

/** For what access was refused, in a line. */
function refusalOf({ status, headers, text }: Answer): string {
  if (status === 401) return `401 ${headers['www-authenticate']}`;
  return status === 403 ? `403 ${(JSON.parse(text) as { detail: string }).detail}` : 'no';
}

test('SIGHUP: new tokens are used, a bad file is not, and no token is in the log', async () => {
  const own = join(directory, 'reloaded');
  const first = await bearing(own, '-name', 'first');
  await using node = await NodeProcess.start(['-auth-file', own]);
  const second = await bearing(own, '-name', 'second');
  expect((await get(node.url, 'a', second)).status).toBe(401);
  node.signal('SIGHUP');
  await node.logged('new tokens are in use');
  expect((await get(node.url, 'a', second)).status).toBe(404);

  writeFileSync(own, `${first.Authorization}\n`);
  node.signal('SIGHUP');
  const { reason } = await node.logged('the old tokens stay in use');
  expect(reason).toBe(`-auth-file ${own}: line 1: it is not a JSON object`);
  expect((await get(node.url, 'a', first)).status).toBe(404);
  for (const { Authorization } of [first, second]) {
    expect(node.stderr).not.toContain(Authorization.slice('Bearer '.length));
  }
});

test.each([
  ['missing', undefined, /-auth-file .*missing cannot be read \(ENOENT\)/],
  ['empty', '', /-auth-file .*empty: it has no token/],
])('a file that is %s stops the start', async (name, text, message) => {
  const own = join(directory, name);
  if (text !== undefined) writeFileSync(own, text);
  const { code, stderr } = await NodeProcess.run(['-auth-file', own]);
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
});

test('a node that strangers may reach says so at the start, and one on loopback does not', async () => {
  const exposed = ['-client-addr', ':0'];
  await using open = await NodeProcess.start(exposed);
  await open.logged('whoever reaches this address may read and change everything: see -auth-file', {
    level: 'warn',
  });
  await open.logged('what clients send and get can be read and changed on the way: see -tls-cert');
  await bearing(file, '-name', 'exposed');
  await using guarded = await NodeProcess.start([...exposed, '-auth-file', file]);
  const warnings = guarded.log().filter(({ level }) => level === 'warn');
  expect(warnings).toHaveLength(1);
  await using local = await NodeProcess.start();
  await eventually(() => expect(local.log().at(-1)?.msg).toBe('serving'));
  expect(local.log().filter(({ level }) => level === 'warn')).toEqual([]);
});

test('in a batch each operation takes its own right', async () => {
  const own = join(directory, 'batch');
  const headers = await bearing(own, '-name', 'reader', '-rights', 'read', '-prefix', 'mine');
  await using node = await NodeProcess.start(['-auth-file', own]);
  const body = '[{"load":"mine"},{"load":"yours"},{"store":"mine","data":1},{"delete":"mine"}]';
  const answer = await ask(node.url, 'POST', '/v1/batch', { headers, body });
  expect(answer.json).toMatchObject({
    results: [
      { status: 404, code: 'KEY_NOT_FOUND' },
      { status: 403, code: 'FORBIDDEN' },
      { status: 403, code: 'FORBIDDEN' },
      { status: 403, code: 'FORBIDDEN' },
    ],
  });
});
