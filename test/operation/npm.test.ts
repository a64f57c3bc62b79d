// `npm start`, as the README says it: signals arrive once, and a clone that is not built says so.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { Wire } from '../support/wire.ts';

const root = join(import.meta.dirname, '../..');
const SHELLS = ['/bin/sh', '/bin/bash'];

/** Where npm writes its logs. */
const home = mkdtempSync(join(tmpdir(), 'memhashd-npm-'));
afterAll(() => rmSync(home, { recursive: true }));

/** `npm start` in a process group of its own, as a terminal starts it. */
class NpmStart implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #ended: Promise<unknown>;
  output = '';

  constructor(directory: string, shell: string) {
    const addresses = ['-client-addr', '127.0.0.1:0', '-server-addr', '127.0.0.1:0'];
    this.child = spawn('npm', ['start', '--', ...addresses], {
      cwd: directory,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: home,
        npm_config_script_shell: shell,
        npm_config_update_notifier: 'false',
      },
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    // The pipe ends when the last of the group has ended.
    this.#ended = once(this.child, 'close');
  }

  logged(pattern: RegExp): Promise<RegExpExecArray> {
    return eventually(() => {
      const found = pattern.exec(this.output);
      if (found === null) throw new Error(`not printed yet: ${this.output}`);
      return found;
    });
  }

  /** Signals npm alone, or all of the group as Ctrl-C does. */
  signal(whom: 'npm' | 'group', signal: NodeJS.Signals): void {
    const pid = this.child.pid!;
    process.kill(whom === 'npm' ? pid : -pid, signal);
  }

  ended(): Promise<unknown> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.signal('group', 'SIGKILL');
    } catch {
      // All of it has ended.
    }
    await this.#ended;
  }
}

describe.each(SHELLS)('under %s', (shell) => {
  test.each([
    ['npm', 'SIGTERM'],
    ['group', 'SIGINT'],
    ['group', 'SIGTERM'],
  ] as const)('a signal to %s (%s) lets the node finish what runs', async (whom, signal) => {
    await using npm = new NpmStart(root, shell);
    const [, port] = await npm.logged(/"client":"127\.0\.0\.1:(\d+)".*"msg":"serving"/);
    using running = await Wire.open(Number(port));
    running.send('PUT /v1/keys/b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n');
    await running.send('Content-Length: 11\r\n\r\n').receives(/100 Continue\r\n\r\n/);
    npm.signal(whom, signal);
    await npm.logged(/"msg":"stopping"/);
    expect(await running.send('{"data": 1}').ends()).toContain('HTTP/1.1 200 OK\r\n');
    await npm.ended();
    expect(npm.output).toContain('"msg":"stopped"');
  });
});

test('a clone that is not built says so', async () => {
  const directory = join(home, 'clone');
  mkdirSync(join(directory, 'scripts'), { recursive: true });
  copyFileSync(join(root, 'scripts/start.js'), join(directory, 'scripts/start.js'));
  copyFileSync(join(root, 'package.json'), join(directory, 'package.json'));
  await using npm = new NpmStart(directory, '/bin/sh');
  await npm.ended();
  expect(npm.output).toContain('memhashd: it is not built.');
  expect(npm.child.exitCode).toBe(1);
});
