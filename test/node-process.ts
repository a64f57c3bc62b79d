/** The built program as a process of its own, ended with the test that started it. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const CLI = join(import.meta.dirname, '../dist/bin/memhashd.js');

/** What a process left behind. */
export interface Outcome {
  /** Null if a signal ended the process. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface NodeProcess extends AsyncDisposable {
  /** Where its clients reach it: `http://127.0.0.1:` and the port that the system chose. */
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** What it has printed up to now. */
  stdout(): string;
  stderr(): string;
  /** Resolves when it has ended. */
  ended(): Promise<Outcome>;
}

/** Starts a node on ports of the system's choice; resolves when it serves. */
export async function startNode(
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<NodeProcess> {
  const addresses = ['-client-addr', '127.0.0.1:0', '-server-addr', '127.0.0.1:0'];
  const run = spawnCli([...addresses, ...flags], env);
  const client = await Promise.race([
    run.printed('stderr', /"client":"([^"]+)".*"msg":"serving"/),
    run.ended().then(({ exitCode, stderr }) => {
      throw new Error(`the node ended with ${exitCode} before it served:\n${stderr}`);
    }),
  ]);
  const port = Number(client.slice(client.lastIndexOf(':') + 1));
  return { ...run, url: `http://127.0.0.1:${port}`, port };
}

/** Runs the program to its end. */
export async function runCli(
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  await using run = spawnCli(flags, env);
  return await run.ended();
}

type Run = Omit<NodeProcess, 'url' | 'port'> & {
  /** Resolves with the first group of `pattern` once it has been printed. */
  printed(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string>;
};

/** Starts the program; its environment has no settings but `env`. */
function spawnCli(flags: readonly string[], env: Readonly<Record<string, string>>): Run {
  const child = spawn(process.execPath, [CLI, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  });
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (piece: string) => (text[stream] += piece));
  }
  const closed = once(child, 'close');
  return {
    process: child,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    async printed(stream, pattern) {
      for (;;) {
        const match = pattern.exec(text[stream]);
        if (match !== null) return match[1] ?? '';
        await once(child[stream], 'data');
      }
    },
    async ended() {
      await closed;
      return { exitCode: child.exitCode, ...text };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
