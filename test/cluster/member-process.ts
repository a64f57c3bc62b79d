/** Nodes as processes of the built program, for tests of the cluster. */

import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { eventually } from '../eventually.ts';

const CLI = join(import.meta.dirname, '../../dist/bin/memhashd.js');

/** One line of a node's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [fact: string]: unknown;
}

/**
 * A loopback address that no other test uses. The nodes of a cluster need to know each other's ports
 * before they start; on an address of its own a cluster can have the ports that it likes.
 */
export function freshHost(): string {
  return `127.${randomInt(1, 255)}.${randomInt(0, 255)}.${randomInt(1, 255)}`;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class MemberProcess implements AsyncDisposable {
  readonly exit: Promise<Exit>;
  readonly #child: ChildProcess;
  #stderr = '';

  /** Starts a process; `command` goes before it, such as `['ip', 'netns', 'exec', 'name']`. */
  constructor(flags: readonly string[], command: readonly string[] = []) {
    const [program, ...args] = [...command, process.execPath, CLI, ...flags];
    this.#child = spawn(program!, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      // The nodes verify their own memory all the while, and die if it is damaged.
      env: { PATH: process.env['PATH'], MEMHASHD_CHECK: '1' },
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.exit = once(this.#child, 'close').then(([code, signal]): Exit => ({ code, signal }));
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** All that the process has written to standard error. */
  get stderr(): string {
    return this.#stderr;
  }

  /** The lines of the log so far. */
  log(): LogLine[] {
    return this.#stderr
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as LogLine);
  }

  /** Waits for a line of the log with this text, and with these facts among its facts. */
  logged(msg: string, facts: Record<string, unknown> = {}): Promise<LogLine> {
    return eventually(() => {
      const line = this.log().find(
        (found) =>
          found.msg === msg &&
          Object.entries(facts).every(([name, value]) => matches(found[name], value)),
      );
      if (line === undefined) {
        throw new Error(`no line "${msg}" ${JSON.stringify(facts)} in\n${this.#stderr}`);
      }
      return line;
    });
  }

  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the process at once, as a crash does. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exit;
  }

  /** Files and sockets that the process has open. */
  openFiles(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.signal('SIGCONT');
    await this.kill();
  }
}

function matches(found: unknown, expected: unknown): boolean {
  return expected instanceof RegExp ? expected.test(String(found)) : found === expected;
}
