// What users of HTTP in front of Redis complain of, each as a test of what happens here instead.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ask, dataOf, get, put } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { leaseHost } from '../support/lease.ts';
import { needs } from '../support/needs.ts';
import { NodeProcess } from '../support/node-process.ts';
import { ValkeyServer } from '../support/valkey.ts';

/** A node in front of a server. */
function startNode(server: ValkeyServer, flags: string[] = [], env: Record<string, string> = {}) {
  return NodeProcess.start(['-engine', 'valkey', '-valkey-addr', server.addr, ...flags], env);
}

/** A node that is expected to end by itself. */
function runNode(
  server: Pick<ValkeyServer, 'addr'>,
  flags: string[] = [],
  env: Record<string, string> = {},
) {
  const all = ['-client-addr', '127.0.0.1:0', '-engine', 'valkey', '-valkey-addr', server.addr];
  return NodeProcess.run([...all, ...flags], env);
}

/** A server that says which version it is, and answers every script so. */
async function fakeServer(version: string, answer: () => string): Promise<[Server, string]> {
  const info = `# Server\r\nredis_version:${version}\r\nrole:master\r\n`;
  const fake = createServer((socket) => {
    socket
      .on('error', () => {})
      .on('data', (bytes) => {
        for (const command of bytes.toString().split(/^\*/m).slice(1)) {
          if (/\binfo\b/i.test(command)) socket.write(`$${info.length}\r\n${info}\r\n`);
          else socket.write(/\bevalsha\b/i.test(command) ? answer() : '+OK\r\n');
        }
      });
  });
  fake.listen(0, '127.0.0.1');
  await once(fake, 'listening');
  return [fake, `127.0.0.1:${(fake.address() as AddressInfo).port}`];
}

/** Answers to a script that no server should give: wrong types, too short, an error, no protocol at all. */
const ODD_ANSWERS = [
  '-ERR unknown command\r\n',
  '-\r\n',
  '+OK\r\n',
  ':1\r\n',
  '$0\r\n\r\n',
  '$3\r\nabc\r\n',
  '*0\r\n',
  '*-1\r\n',
  '*2\r\n$1\r\na\r\n:1\r\n',
  '?what is this\r\n',
];

needs('redis-server', 'openssl')('in front of Redis', () => {
  let server: ValkeyServer;
  let node: NodeProcess;
  const directory = mkdtempSync(join(tmpdir(), 'memhashd-valkey-test-'));
  beforeAll(async () => {
    server = await ValkeyServer.start();
    node = await startNode(server);
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  test.each([
    ['GET', '/v1/watch'],
    ['GET', '/v1/topology'],
    ['DELETE', '/v1/nodes/x'],
    ['POST', '/v1/snapshot'],
  ])('what this engine does not do is said: %s %s', async (method, target) => {
    const answer = await ask(node.url, method, target);
    expect(answer.json).toMatchObject({ code: 'NOT_SUPPORTED', status: 501 });
  });

  test('after a restart of the server requests are answered at once, and served soon', async () => {
    await server.kill();
    expect((await get(node.url, 'a')).json).toMatchObject({ code: 'OWNER_UNAVAILABLE' });
    expect((await ask(node.url, 'GET', '/readyz')).status).toBe(503);
    await eventually(() => expect(node.stderr).toMatch(/"level":"warn".*"away":\["[^"]+"\]/));
    await server.start();
    await eventually(async () => expect((await put(node.url, 'a', '1')).status).toBe(200));
    expect((await ask(node.url, 'GET', '/readyz')).status).toBe(200);
  });

  test('connections that were reset while they were idle are made again', async () => {
    await server.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await eventually(async () => expect((await get(node.url, 'a')).status).toBe(200));
  });

  test('a large PUT with Connection: close is answered', async () => {
    const value = `"${'x'.repeat(5_000_000)}"`;
    const answer = await put(node.url, 'large', value, { headers: { Connection: 'close' } });
    expect(answer.status).toBe(200);
    expect(dataOf(await get(node.url, 'large'))).toBe(value);
  });

  test.each(['a.json', 'a.txt', 'a.b.c', '.raw'])(
    'the dot in %s is part of the key',
    async (key) => {
      await put(node.url, key, `"${key}"`);
      const answer = await get(node.url, key);
      expect(dataOf(answer)).toBe(`"${key}"`);
      expect(answer.headers['content-type']).toBe('application/json');
    },
  );

  test.each(['12345678901234567890', '"{\\"a\\": 1}"', '"123"', '"é😀\\u0000"', '"a\\"=&%20"'])(
    'the value %s stays what it is',
    async (value) => {
      await put(node.url, 'é=&😀', value);
      expect(dataOf(await get(node.url, 'é=&😀'))).toBe(value);
    },
  );

  test('no answer of a server ends the node: neither a command that fails nor bytes that mean nothing', async () => {
    let answer = '';
    const [odd, addr] = await fakeServer('7.0.15', () => answer);
    await using beside = await NodeProcess.start(['-engine', 'valkey', '-valkey-addr', addr]);
    for (answer of ODD_ANSWERS) {
      for (const request of [() => get(beside.url, 'k'), () => put(beside.url, 'k', '1')]) {
        await eventually(async () => {
          expect((await ask(beside.url, 'GET', '/readyz')).status).toBe(200);
        });
        const { status, json } = await request();
        expect({ answer, isFailed: status >= 404 }).toEqual({ answer, isFailed: true });
        const isDefect = (json as { code: string }).code === 'INTERNAL_ERROR';
        expect({ answer, isDefect: isDefect && !answer.startsWith('-') }).toEqual({
          answer,
          isDefect: false,
        });
      }
    }
    expect((await ask(beside.url, 'GET', '/livez')).status).toBe(200);
    expect(beside.child.exitCode).toBeNull();
    odd.close();
  });

  test('a user and a password with = and : log in, from the environment or from a file', async () => {
    const password = 'a=b:c "d"';
    const acl = [
      'on',
      `>${password}`,
      '~app:*',
      '+@read',
      '+@write',
      '+@scripting',
      '+@connection',
    ];
    const more = ['+info', '+cluster', '+time', '+wait'];
    await server.client.call('ACL', 'SETUSER', 'app=1', 'reset', ...acl, ...more);
    const flags = ['-valkey-user', 'app=1', '-valkey-prefix', 'app:'];
    const file = join(directory, 'password');
    writeFileSync(file, `${password}\n`);
    await using byFile = await startNode(server, [...flags, '-valkey-password-file', file]);
    await using byEnv = await startNode(server, flags, { MEMHASHD_VALKEY_PASSWORD: password });
    expect((await put(byFile.url, 'k', '1')).status).toBe(200);
    expect(dataOf(await get(byEnv.url, 'k'))).toBe('1');
    expect((await ask(byEnv.url, 'GET', '/v1/keys')).json).toEqual(['k']);
    const shown = readFileSync(`/proc/${byEnv.pid}/cmdline`, 'utf8');
    expect(shown).not.toContain(password);
  });

  test('a wrong password ends the start at once and is said to be one', async () => {
    const flags = ['-valkey-user', 'nobody'];
    const ended = await runNode(server, flags, { MEMHASHD_VALKEY_PASSWORD: 'wrong' });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(`-valkey-addr ${server.addr}: WRONGPASS`);
    expect(ended.stderr).not.toContain('wrong"');
  });

  test('a server that wants a password and gets none ends the start, too', async () => {
    await using locked = new ValkeyServer(server.host, 7002, ['--requirepass', 'x'], {
      options: { password: 'x' },
    });
    await locked.start();
    const ended = await runNode(locked);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('NOAUTH');
  });

  test('a server older than 6.2 ends the start at once and is said to be one', async () => {
    const [old, addr] = await fakeServer('6.0.16', () => '+OK\r\n');
    const ended = await runNode({ addr });
    expect(ended.code).toBe(1);
    old.close();
    expect(ended.stderr).toContain(`-valkey-addr ${addr}: its version is 6.0.16, and 6.2 or newer`);
  });

  test('a user that may not write is told so, a right at a time', async () => {
    await server.client.call(
      'ACL',
      'SETUSER',
      'reader',
      'reset',
      'on',
      '>x',
      '~*',
      '+@all',
      '-set',
    );
    await using reader = await startNode(server, ['-valkey-user', 'reader'], {
      MEMHASHD_VALKEY_PASSWORD: 'x',
    });
    const answer = await put(reader.url, 'k', '1');
    expect(answer.json).toMatchObject({ code: 'OWNER_UNAVAILABLE' });
    expect((await get(reader.url, 'k')).status).toBe(404);
  });

  test('with TLS the servers must prove who they are; a failure is none that looks like success', async () => {
    const host = await leaseHost();
    const ours = certificateIn(directory, 'server', host);
    const other = certificateIn(directory, 'other', host);
    const client = certificateIn(directory, 'client', '127.0.0.1');
    const flags = ['--port', '0', '--tls-port', '7001', '--tls-cert-file', ours.cert];
    const more = ['--tls-key-file', ours.key, '--tls-ca-cert-file', client.cert];
    const tls = { ca: readFileSync(ours.cert), ...readPair(client) };
    await using secure = new ValkeyServer(host, 7001, [...flags, ...more], { options: { tls } });
    await secure.start();

    const shown = ['-valkey-tls-cert', client.cert, '-valkey-tls-key', client.key];
    await using good = await startNode(secure, ['-valkey-tls-ca', ours.cert, ...shown]);
    expect((await put(good.url, 'k', '1')).status).toBe(200);
    const refused = await Promise.all([
      runNode(secure, ['-valkey-tls-ca', other.cert, ...shown]),
      runNode(secure, ['-valkey-tls-ca', ours.cert]),
    ]);
    for (const { code, stderr } of refused) {
      expect(code).toBe(1);
      expect(stderr).toMatch(/-valkey-addr .*: .*(certificate|self-signed)/i);
    }
  });
});

function readPair({ cert, key }: { cert: string; key: string }) {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

/** A self-signed certificate for an IP address. */
function certificateIn(directory: string, name: string, address: string) {
  const [cert, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const names = ['-nodes', '-days', '2', '-subj', `/CN=${name}`];
  const san = ['-addext', `subjectAltName=IP:${address}`, '-keyout', key, '-out', cert];
  execFileSync('openssl', [...args, ...names, ...san], { stdio: 'ignore' });
  return { cert, key };
}
