/** Hosts with addresses and names of their own, for nodes of a compose file. */

import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { leaseHost } from './lease.ts';
import type { NodeProcess } from './node-process.ts';

const run = promisify(execFile);

/** A network in which each of some names is a host. */
export interface Network extends Disposable {
  /** How the machine runs a command on the host `name`. */
  command(name: string): string[];
  /** The flags of a command line, as they must be on the host `name`. */
  flags(name: string, commandLine: string): string[];
  /** Runs curl somewhere in the network; gives what it prints. */
  curl(name: string, port: number, path: string, ...args: string[]): Promise<string>;
  /** Cuts the host `name`, on which `node` runs, off; or joins it again. */
  setLink(name: string, node: NodeProcess, state: 'up' | 'down'): void;
}

/** How many this process has made: their names must differ. */
let networks = 0;

/** Network namespaces where the machine allows them, addresses of the loopback interface elsewhere. */
export async function createNetwork(names: readonly string[]): Promise<Network> {
  return createNamespaces(names, '') ?? new LoopbackNetwork(await leaseHost(), names);
}

/** A network in which the name `all` leads to every host; undefined where the machine allows none. */
export function createNamespaces(names: readonly string[], all: string): Network | undefined {
  const prefix = `memhashd-${process.pid}-${++networks}`;
  const network = new NamespaceNetwork(prefix, names, all);
  try {
    network.create();
    return network;
  } catch {
    network[Symbol.dispose]();
    return undefined;
  }
}

/** Each name has a namespace; the namespace `hub` joins them, and is where clients are. */
class NamespaceNetwork implements Network {
  readonly #prefix: string;
  readonly #names: readonly string[];
  readonly #all: string;

  constructor(prefix: string, names: readonly string[], all: string) {
    this.#prefix = prefix;
    this.#names = names;
    this.#all = all;
  }

  create(): void {
    const hub = this.#namespace('hub');
    const hosts = this.#names.map((name, at) => `10.77.0.${at + 1} ${name} ${this.#all}`);
    for (const name of ['hub', ...this.#names]) {
      const namespace = this.#namespace(name);
      // `ip netns exec` shows the files below this directory to its command in place of those in /etc.
      mkdirSync(join('/etc/netns', namespace), { recursive: true });
      writeFileSync(
        join('/etc/netns', namespace, 'hosts'),
        `127.0.0.1 localhost\n${hosts.join('\n')}\n`,
      );
      ip('netns', 'add', namespace);
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
    }
    ip('-n', hub, 'link', 'add', 'bridge0', 'type', 'bridge');
    ip('-n', hub, 'address', 'add', '10.77.0.254/24', 'dev', 'bridge0');
    ip('-n', hub, 'link', 'set', 'bridge0', 'up');
    for (const [at, name] of this.#names.entries()) {
      const namespace = this.#namespace(name);
      const port = `port${at}`;
      ip(
        '-n',
        namespace,
        'link',
        'add',
        'eth0',
        'type',
        'veth',
        'peer',
        'name',
        port,
        'netns',
        hub,
      );
      ip('-n', namespace, 'address', 'add', `10.77.0.${at + 1}/24`, 'dev', 'eth0');
      ip('-n', namespace, 'link', 'set', 'eth0', 'up');
      ip('-n', hub, 'link', 'set', port, 'master', 'bridge0', 'up');
    }
  }

  command(name: string): string[] {
    return ['ip', 'netns', 'exec', this.#namespace(name)];
  }

  flags(_name: string, commandLine: string): string[] {
    return commandLine.split(' ');
  }

  async curl(name: string, port: number, path: string, ...args: string[]): Promise<string> {
    const [program, ...command] = [...this.command('hub'), 'curl', '-sS', '-m', '10', ...args];
    const { stdout } = await run(program!, [...command, `http://${name}:${port}${path}`]);
    return stdout;
  }

  setLink(name: string, _node: NodeProcess, state: 'up' | 'down'): void {
    ip('-n', this.#namespace(name), 'link', 'set', 'eth0', state);
  }

  [Symbol.dispose](): void {
    for (const name of ['hub', ...this.#names]) {
      const namespace = this.#namespace(name);
      rmSync(join('/etc/netns', namespace), { recursive: true, force: true });
      try {
        ip('netns', 'delete', namespace);
      } catch {
        // It was never made.
      }
    }
  }

  #namespace(name: string): string {
    return `${this.#prefix}-${name}`;
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'ignore' });
}

/** Every name has the same loopback address, for their ports differ. */
class LoopbackNetwork implements Network {
  readonly #host: string;
  readonly #names: readonly string[];

  constructor(host: string, names: readonly string[]) {
    this.#host = host;
    this.#names = names;
  }

  command(): string[] {
    return [];
  }

  flags(_name: string, commandLine: string): string[] {
    const named = new RegExp(`^(${this.#names.join('|')}|):`);
    return commandLine.split(' ').map((word) => word.replace(named, `${this.#host}:`));
  }

  async curl(_name: string, port: number, path: string, ...args: string[]): Promise<string> {
    const url = `http://${this.#host}:${port}${path}`;
    return (await run('curl', ['-sS', '-m', '10', ...args, url])).stdout;
  }

  setLink(_name: string, node: NodeProcess, state: 'up' | 'down'): void {
    // Nobody can be cut off here: a process that stands still is the nearest to it.
    node.signal(state === 'up' ? 'SIGCONT' : 'SIGSTOP');
  }

  [Symbol.dispose](): void {}
}
