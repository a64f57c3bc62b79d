/** A node: its store behind its HTTP API, as one thing that starts and closes. */

import { randomInt, randomUUID } from 'node:crypto';

import { formatAddress, type Address } from './address.ts';
import { systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { Api } from './http/api.ts';
import { HttpServer } from './http/server.ts';
import type { Log } from './log.ts';
import { Maintenance } from './maintenance.ts';
import { Store } from './store/store.ts';

export class Node {
  /** Where clients reach the node, with the port that the system chose for port 0. */
  readonly clientAddr: Address;
  readonly #http: HttpServer;
  readonly #maintenance: Maintenance;

  private constructor(clientAddr: Address, http: HttpServer, maintenance: Maintenance) {
    this.clientAddr = clientAddr;
    this.#http = http;
    this.#maintenance = maintenance;
  }

  /**
   * Starts a node; it serves requests when this resolves. `checks` lets it verify its memory again and
   * again, and die if that is damaged.
   */
  static async start(config: Config, log: Log, checks: boolean): Promise<Node> {
    for (const name of ['join', 'tls-key', 'tls-cert'] as const) {
      if (config[name] !== undefined) throw new Error(`-${name} cannot be used yet`);
    }
    const self = { id: randomUUID(), addr: formatAddress(config['server-addr']) };
    const store = new Store({
      node: self,
      clock: systemClock,
      partitions: config['num-partitions'],
      maxMemoryBytes: config['max-memory'],
      eviction: config.eviction,
      random: () => randomInt(2 ** 32) / 2 ** 32,
    });
    const backend = {
      serve: store.serve.bind(store),
      list: store.list.bind(store),
      nodes: () => [self],
    };
    const api = new Api({
      backend,
      valueBytesMax: config['max-value-size'],
      onDefect: (error) => log.error({ err: error }, 'a request failed by a defect'),
    });
    const http = new HttpServer(api);
    const clientAddr = await http.listen(config['client-addr']).catch((error: unknown) => {
      throw new Error(`-client-addr ${formatAddress(config['client-addr'])}: ${reasonOf(error)}`, {
        cause: error,
      });
    });
    log.info({ id: self.id, client: formatAddress(clientAddr), server: self.addr }, 'serving');
    return new Node(clientAddr, http, new Maintenance(store, checks));
  }

  /** Stops accepting requests, finishes those that run, in bounded time, and stops. */
  async close(): Promise<void> {
    await this.#http.close();
    this.#maintenance.stop();
  }

  /** Stops now. */
  destroy(): void {
    this.#http.destroy();
    this.#maintenance.stop();
  }
}

/** Why the system refused an address, in words where it gives only a code. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  switch ('code' in error && error.code) {
    case 'EADDRINUSE':
      return 'the address is in use';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have the address';
    case 'EACCES':
      return 'the port needs a privilege';
    default:
      return error.message;
  }
}
