/** Ways between members that can be cut, in one direction or both, and healed: what was sent meanwhile comes late. */

import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

import { parseAddress } from '../../src/net/address.ts';
import type { NodeProcess } from './node-process.ts';
import type { TestCluster } from './test-cluster.ts';

/** One direction of a connection. */
interface Flow {
  readonly way: string;
  readonly from: Socket;
  readonly to: Socket;
}

export class CuttableWays implements AsyncDisposable {
  readonly #cluster: TestCluster;
  readonly #servers: Server[] = [];
  readonly #flows = new Set<Flow>();
  readonly #cut = new Set<string>();

  private constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  /** Ways to the nodes 1 to `count`, which are still to be started. */
  static async to(cluster: TestCluster, count: number): Promise<CuttableWays> {
    const ways = new CuttableWays(cluster);
    for (const address of cluster.peers(count)) {
      const server = createServer((near) => ways.#join(near, address));
      server.listen(parseAddress(address)!);
      await once(server, 'listening');
      ways.#servers.push(server);
    }
    return ways;
  }

  /** Starts node `n` behind its way. */
  start(n: number, join: readonly string[], flags: readonly string[] = []): NodeProcess {
    const address = this.#cluster.peer(n);
    const way = ['-server-addr', hidden(address), '-advertise-addr', address];
    return this.#cluster.start(n, join, [...way, ...flags]);
  }

  /** Lets nothing more through from one node to another. */
  cut(from: number, to: number): void {
    this.#cut.add(wayOf(this.#cluster.peer(from), this.#cluster.peer(to)));
    for (const { way, from: source } of this.#flows) if (this.#cut.has(way)) source.pause();
  }

  heal(): void {
    this.#cut.clear();
    for (const { from, to } of this.#flows) {
      if (from.destroyed) to.destroy();
      else from.resume();
    }
  }

  /** A connection to `address`: its first bytes tell whose it is. */
  #join(near: Socket, address: string): void {
    const far = connect(parseAddress(hidden(address))!);
    let first = '';
    const learn = (chunk: Buffer): void => {
      far.write(chunk);
      first += chunk.toString('latin1');
      const [, dialler] = /"address":"([^"]+)"/.exec(first) ?? [];
      if (dialler === undefined) return;
      near.off('data', learn);
      this.#flow({ way: wayOf(dialler, address), from: near, to: far });
      this.#flow({ way: wayOf(address, dialler), from: far, to: near });
    };
    near.on('data', learn);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => {
        const isCut = [...this.#flows].some(({ way, from }) => from === one && this.#cut.has(way));
        if (!isCut) other.destroy();
      });
    }
  }

  #flow(flow: Flow): void {
    const { way, from, to } = flow;
    this.#flows.add(flow);
    from.on('data', (chunk: Buffer) => void to.write(chunk));
    if (this.#cut.has(way)) from.pause();
    to.on('close', () => this.#flows.delete(flow));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.close();
    for (const { from, to } of this.#flows) {
      from.destroy();
      to.destroy();
    }
    await this.#cluster[Symbol.asyncDispose]();
  }
}

function wayOf(from: string, to: string): string {
  return `${from}>${to}`;
}

/** Where the node itself listens that is reached at an address. */
function hidden(address: string): string {
  const { host, port } = parseAddress(address)!;
  return `${host}:${10_000 + port}`;
}
