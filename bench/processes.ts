/** Processes of the bench: starting them, talking to them, and the processor time they use. */

import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { on, once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const START_TIMEOUT_MS = 10_000;
const START_POLL_MS = 50;

/** One of the modules in `workers/` as a process of its own; it is ended on disposal. */
export class Worker implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #messages: AsyncIterator<unknown>;

  /** Starts `workers/<name>`, which finds `parameters` by {@link workerParameters}. */
  constructor(name: string, parameters: object = {}, nodeFlags: readonly string[] = []) {
    const path = fileURLToPath(new URL(`./workers/${name}.js`, import.meta.url));
    this.#child = fork(path, [JSON.stringify(parameters)], { execArgv: [...nodeFlags] });
    this.#messages = on(this.#child, 'message', { close: ['disconnect'] });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Sends what the process waits for with {@link nextCommand}. */
  tell(command: string): void {
    this.#child.send(command);
  }

  /** Waits until the process has ended by itself; throws if it failed. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
    if (this.#child.exitCode !== 0) throw new Error('a process of the bench failed');
  }

  /** Halts the process, so that it disturbs no other, until {@link wake}. */
  halt(): void {
    this.#child.kill('SIGSTOP');
  }

  wake(): void {
    this.#child.kill('SIGCONT');
  }

  /** The next message of the process; throws if it ends without one. */
  async next<Message>(): Promise<Message> {
    const { value, done } = await this.#messages.next();
    if (done) throw new Error('a process of the bench ended early');
    return (value as [Message])[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
  }
}

/** Runs a worker to its one message. */
export async function runWorker<Result>(
  name: string,
  parameters: object,
  nodeFlags: readonly string[] = [],
): Promise<Result> {
  await using worker = new Worker(name, parameters, nodeFlags);
  return await worker.next<Result>();
}

/** What the process that started this worker gave it. */
export function workerParameters(): unknown {
  return JSON.parse(process.argv[2] ?? '{}');
}

/** Sends a message to the process that started this worker. */
export function report(message: object): void {
  process.send?.(message);
}

/** What the process that started this worker says next. */
export async function nextCommand(): Promise<unknown> {
  const [command] = await once(process, 'message');
  return command;
}

/** Starts a server that is not ours and waits until it takes connections on `port`. */
export async function startServer(
  command: string,
  args: readonly string[],
  port: number,
): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: 'ignore' });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await takesConnections(port))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await end(child);
      throw new Error(`${command} does not take connections on port ${port}`);
    }
    await delay(START_POLL_MS);
  }
  return child;
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Ends a child process and waits until it is gone. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  child.kill('SIGCONT');
  const patience = setTimeout(() => child.kill('SIGKILL'), 5000);
  await exit;
  clearTimeout(patience);
}

/** A port that nothing listens on, for servers that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Whether a command can be found. */
export function isInstalled(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
}

/** Whether {@link processorTimeUs} works here. */
export const canMeasureProcessorTime = process.platform === 'linux';

/**
 * The processor time that processes have used up to now, user and system, all threads, in
 * microseconds; from the scheduler, which counts nanoseconds where `/proc/<pid>/stat` counts ticks.
 */
export function processorTimeUs(pids: readonly number[]): number {
  let ns = 0;
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    }
  }
  return ns / 1000;
}
