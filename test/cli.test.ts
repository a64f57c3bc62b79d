import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { expect, test } from 'vitest';

import manifest from '../package.json' with { type: 'json' };
import { FLAGS } from '../src/node/config.ts';
import { ask, get, put } from './support/client.ts';
import { expectProblem } from './contract.ts';
import { eventually } from './support/eventually.ts';
import { CLI, NodeProcess } from './support/node-process.ts';
import { Wire } from './support/wire.ts';

test.each(['-help', '--help', '-h'])('%s prints every flag and exits 0', async (flag) => {
  const { code, stdout, stderr } = await NodeProcess.run([flag]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const name of [...Object.keys(FLAGS), 'help', 'version']) {
    expect(stdout).toMatch(new RegExp(`^  -${name}\\b`, 'm'));
  }
});

test('-version prints the version and exits 0', async () => {
  expect(await NodeProcess.run(['-version'])).toEqual({
    code: 0,
    signal: null,
    stdout: `memhashd ${manifest.version}\n`,
    stderr: '',
  });
});

test.each([
  [['-max-value-size', '5']],
  [['-max-value-size=5']],
  [['--max-value-size', '5']],
  [['--max-value-size=5']],
])('%j is one form of the same flag', async (flags) => {
  await using node = await NodeProcess.start(flags);
  expect(await put(node.url, 'a', '12345')).toMatchObject({ status: 200 });
  expectProblem(await put(node.url, 'a', '123456'), 413, 'VALUE_TOO_LARGE');
});

test.each([
  [['-nope'], {}, '-nope'],
  [['-constructor=1'], {}, '-constructor'],
  [['serve'], {}, 'serve'],
  [['-client-addr'], {}, '-client-addr'],
  [['-client-addr', 'nowhere'], {}, '-client-addr'],
  [['-server-addr=1.2.3.4'], {}, '-server-addr'],
  [['-join', 'x'], {}, '-join'],
  [['-join-retries', 'many'], {}, '-join-retries'],
  [['-num-partitions', '65537'], {}, '-num-partitions'],
  [['-max-value-size', '1tb'], {}, '-max-value-size'],
  [[], { MEMHASHD_NUM_PARTITIONS: '-5' }, 'MEMHASHD_NUM_PARTITIONS'],
])('%j with %j exits 2 with one line that names %s', async (flags, env, name) => {
  const { code, stdout, stderr } = await NodeProcess.run(flags, env);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^memhashd: .+\n$/);
  expect(stderr).toContain(name);
});

test('a flag is taken from the environment, and goes before it', async () => {
  await using node = await NodeProcess.start(['-max-value-size=10'], {
    MEMHASHD_MAX_VALUE_SIZE: '5',
    MEMHASHD_NUM_PARTITIONS: '16',
  });
  expect(await put(node.url, 'a', '"12345678"')).toMatchObject({ status: 200 });
  expect(await put(node.url, 'a', '"123456789"')).toMatchObject({ status: 413 });
  await using other = await NodeProcess.start([], { MEMHASHD_MAX_VALUE_SIZE: '5' });
  expect(await put(other.url, 'a', '"1234"')).toMatchObject({ status: 413 });
});

test('an address in use exits 1 with one line that names the flag', async () => {
  await using node = await NodeProcess.start();
  const address = `127.0.0.1:${node.port}`;
  expect(await NodeProcess.run(['-client-addr', address, '-server-addr', '127.0.0.1:0'])).toEqual({
    code: 1,
    signal: null,
    stdout: '',
    stderr: `memhashd: -client-addr ${address}: the address is in use\n`,
  });
});

test('an address of another machine exits 1 with one line that names the flag', async () => {
  const { code, stderr } = await NodeProcess.run([
    '-client-addr',
    '192.0.2.1:0',
    '-server-addr',
    '127.0.0.1:0',
  ]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^memhashd: -client-addr 192\.0\.2\.1:0: .*does not have.*\n$/);
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s finishes what is running, closes the rest, and exits 0',
  async (signal) => {
    await using node = await NodeProcess.start();
    await put(node.url, 'a', '1');
    using idle = await Wire.open(node.port);
    await idle.send('GET /v1/keys/a HTTP/1.1\r\nHost: x\r\n\r\n').receives(/\}\n$/);
    using running = await Wire.open(node.port);
    running.send('PUT /v1/keys/b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n');
    await running.send('Content-Length: 11\r\n\r\n').receives(/100 Continue\r\n\r\n/);

    node.signal(signal);
    await idle.ends();
    await eventually(() => expect(ask(node.url, 'GET', '/v1/keys')).rejects.toThrow());
    expect(node.child.exitCode).toBeNull();

    const answer = await running.send('{"data": 1').send('}').ends();
    expect(answer).toContain('HTTP/1.1 200 OK\r\n');
    expect(await node.ended()).toMatchObject({ code: 0, stdout: '' });
  },
);

test('a second signal ends it at once', async () => {
  await using node = await NodeProcess.start();
  using running = await Wire.open(node.port);
  running.send('PUT /v1/keys/b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n');
  await running.send('Content-Length: 11\r\n\r\n').receives(/100 Continue\r\n\r\n/);
  node.signal('SIGTERM');
  await eventually(() => expect(node.stderr).toContain('"msg":"stopping"'));
  node.signal('SIGTERM');
  expect(await node.ended()).toMatchObject({ code: 1 });
});

test('it serves on though nobody reads its output any more', async () => {
  await using node = await NodeProcess.start();
  node.child.stdout?.destroy();
  node.child.stderr?.destroy();
  await put(node.url, 'a', '1');
  node.signal('SIGTERM');
  const [exitCode] = await once(node.child, 'exit');
  expect(exitCode).toBe(0);
});

test.each([
  ['-help', 0],
  ['-nope', 2],
])('%s on a full disk ends without a crash', async (flag, exitCode) => {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [CLI, flag], { stdio: ['ignore', full, full] });
  closeSync(full);
  expect(await once(child, 'exit')).toEqual([exitCode, null]);
});

test('a node whose log is on a full disk serves', async () => {
  const full = openSync('/dev/full', 'w');
  // The only listener on this address is the one for clients.
  const flags = ['-client-addr', '127.0.0.2:0', '-server-addr', '127.0.0.1:0'];
  const child = spawn(process.execPath, [CLI, ...flags], { stdio: ['ignore', full, full] });
  closeSync(full);
  const exited = once(child, 'exit');
  const listener = new RegExp(`(127\\.0\\.0\\.2:\\d+) .*pid=${child.pid},`);
  const address = await eventually(() => {
    const [, found] = listener.exec(execFileSync('ss', ['-Htlnp']).toString()) ?? [];
    if (found === undefined) throw new Error('it does not listen yet');
    return found;
  });
  expect(await get(`http://${address}`, 'missing')).toMatchObject({ status: 404 });
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});
