/** The built program as a process of its own, ended with the test that started it. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { eventually } from './eventually.ts';

/** The command, for tests that start it in a way of their own. */
export const CLI = join(import.meta.dirname, '../../dist/bin/memhashd.js');

/** How a process ended; exactly one of the two is not null. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a process left behind. */
export interface Outcome extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** One line of a node's log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [fact: string]: unknown;
}

interface Surroundings {
  /** Settings, as environment variables; the process has no others, but for `PATH`. */
  readonly env?: Readonly<Record<string, string>>;
  /** What goes before the program, such as `['ip', 'netns', 'exec', 'name']`. */
  readonly command?: readonly string[];
}

export class NodeProcess implements AsyncDisposable {
  /** Resolves when the process has ended and all that it printed is there. */
  readonly exit: Promise<Exit>;
  readonly child: ChildProcess;
  readonly #printed = { stdout: '', stderr: '' };
  #port = 0;

  /** Starts a process; `flags` is all that its command line says. */
  constructor(flags: readonly string[], { env = {}, command = [] }: Surroundings = {}) {
    const [program, ...args] = [...command, process.execPath, CLI, ...flags];
    this.child = spawn(program!, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nodes verify their own memory all the while, and die if it is damaged.
      env: { PATH: process.env['PATH'], MEMHASHD_CHECK: '1', ...env },
    });
    for (const stream of ['stdout', 'stderr'] as const) {
      this.child[stream]?.setEncoding('utf8').on('data', (text: string) => {
        this.#printed[stream] += text;
      });
    }
    this.exit = once(this.child, 'close').then(([code, signal]): Exit => ({ code, signal }));
  }

  /** Starts a node on ports of the system's choice; resolves when it serves. */
  static async start(
    flags: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<NodeProcess> {
    const addresses = ['-client-addr', '127.0.0.1:0', '-server-addr', '127.0.0.1:0'];
    const node = new NodeProcess([...addresses, ...flags], { env });
    const ended = node.exit.then(({ code }) => {
      throw new Error(`the node ended with ${code} before it served:\n${node.stderr}`);
    });
    const { client } = await Promise.race([node.logged('serving'), ended]);
    node.#port = Number(String(client).slice(String(client).lastIndexOf(':') + 1));
    return node;
  }

  /** Runs the program to its end. */
  static async run(
    flags: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> {
    await using run = new NodeProcess(flags, { env });
    return await run.ended();
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Where clients reach a node of {@link start}. */
  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** All that the process has written to standard output. */
  get stdout(): string {
    return this.#printed.stdout;
  }

  /** All that the process has written to standard error. */
  get stderr(): string {
    return this.#printed.stderr;
  }

  /** The lines of the log so far. */
  log(): LogLine[] {
    return this.stderr
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
        throw new Error(`no line "${msg}" ${JSON.stringify(facts)} in\n${this.stderr}`);
      }
      return line;
    });
  }

  /** Sends a signal. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends the process at once, as a crash does. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exit;
  }

  /** Resolves when it has ended, by itself or on a signal. */
  async ended(): Promise<Outcome> {
    return { ...(await this.exit), ...this.#printed };
  }

  /** Files and sockets that the process has open. */
  openFiles(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** Memory that the process has in the machine. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.signal('SIGCONT');
    await this.kill();
  }
}

function matches(found: unknown, expected: unknown): boolean {
  return expected instanceof RegExp ? expected.test(String(found)) : found === expected;
}
