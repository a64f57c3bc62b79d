/** A node: its store, its place in the cluster and its HTTP API, as one thing that starts and closes. */

import { setMaxListeners } from 'node:events';

import { Access } from '../api/access.ts';
import { Deferred } from '../base/deferred.ts';
import { isFailure } from '../base/errors.ts';
import { Scheduler } from '../base/scheduler.ts';
import { HttpServer } from '../http/server.ts';
import { formatAddress, isUnspecified, type Address } from '../net/address.ts';
import { loadTls, type TlsMaterial } from '../net/tls.ts';
import { assemble } from './assemble.ts';
import type { Backend, Setting } from './backend.ts';
import { checkEngine, type Config } from './config.ts';
import { checkPeersProveThemselves, checkReachable, warnIfExposed } from './exposure.ts';
import { listenAt } from './listen-at.ts';
import type { Log } from './log.ts';
import { readTokens } from './tokens.ts';

/** What a node consists of. */
interface Parts {
  readonly access: Access;
  readonly backend: Backend;
  readonly http: HttpServer;
  /** Ends what would keep the node from closing. */
  readonly closing: AbortController;
}

export class Node {
  /** Where clients reach the node, with the port that the system chose for port 0. */
  readonly clientAddr: Address;
  readonly #parts: Parts;
  readonly #config: Config;
  readonly #log: Log;

  private constructor(clientAddr: Address, parts: Parts, config: Config, log: Log) {
    this.clientAddr = clientAddr;
    this.#parts = parts;
    this.#config = config;
    this.#log = log;
  }

  /**
   * Makes a node that listens, and is to {@link Node.join} its cluster. `checks` lets it verify its
   * memory again and again, and die if that is damaged.
   *
   * @throws Error that says in a line why it cannot, such as an address in use.
   */
  static async open(config: Config, log: Log, checks: boolean): Promise<Node> {
    checkEngine(config);
    checkReachable(config);
    checkPeersProveThemselves(config);
    const tls = readTls(config);
    const access = new Access(readTokens(config));
    const scheduler = new Scheduler();
    const backend = await open({ config, log, checks, tls, scheduler });
    const closing = new AbortController();
    // One for each client that watches.
    setMaxListeners(0, closing.signal);
    const plan = { config, log, access, backend, scheduler, closing: closing.signal };
    const http = new HttpServer(assemble(plan), { tls });
    const parts = { access, backend, http, closing };
    try {
      const client = await listenAt(parts.http, 'client-addr', config);
      log.info({ ...backend.facts, client: formatAddress(client) }, 'listening');
      warnIfExposed(client, config, log);
      return new Node(client, parts, config, log);
    } catch (error) {
      destroy(parts);
      await backend.save?.();
      throw error;
    }
  }

  /**
   * Reads back what it had, and becomes a member of its cluster; it serves requests when this resolves.
   *
   * @throws Error that says in a line why it cannot, such as a cluster that it must not join.
   */
  async join(): Promise<void> {
    const { backend } = this.#parts;
    const client = this.clientAddr;
    const reachable = isUnspecified(client) ? { ...client, host: backend.host } : client;
    try {
      await backend.prepare?.();
      await backend.engine.start(formatAddress(reachable));
      await backend.complete?.();
    } catch (error) {
      this.destroy();
      await backend.save?.();
      throw error;
    }
    this.#log.info({ ...backend.facts, client: formatAddress(client) }, 'serving');
    this.#warnIfAlone();
  }

  /** A name of `-join` that leads to nobody else makes a cluster of one, which nobody may have meant. */
  #warnIfAlone(): void {
    const members = this.#parts.backend.engine.members();
    if (this.#config.join === undefined || isFailure(members) || members.length > 1) return;
    const facts = { join: this.#config.join.map(formatAddress) };
    this.#log.warn(facts, 'the addresses of -join lead to nobody but this node');
  }

  /** Reads the files of flags again; those that are not in order change nothing. */
  reload(): void {
    this.#reloadTls();
    this.#reloadTokens();
  }

  #reloadTokens(): void {
    try {
      const tokens = readTokens(this.#config);
      if (tokens === undefined) return;
      this.#parts.access.replace(tokens);
      this.#log.info({ tokens: tokens.map(({ name }) => name) }, 'new tokens are in use');
    } catch (error) {
      this.#log.error({ reason: (error as Error).message }, 'the old tokens stay in use');
    }
  }

  #reloadTls(): void {
    try {
      const tls = readTls(this.#config);
      if (tls === undefined && this.#config['cluster-secret-file'] === undefined) return;
      this.#parts.backend.reload(tls);
      if (tls !== undefined) this.#parts.http.reload(tls);
      this.#log.info('new certificates are in use');
    } catch (error) {
      this.#log.error({ reason: (error as Error).message }, 'the old certificates stay in use');
    }
  }

  /**
   * Resolves when this node is no member of its cluster any more: to nothing if it has left, and to the
   * reason if it was put out.
   */
  get gone(): Promise<string | undefined> {
    return this.#parts.backend.gone ?? new Promise(() => {});
  }

  /** Hands all keys over to the other members, if that was asked for, in bounded time. */
  async leave(): Promise<void> {
    const { gone, leave } = this.#parts.backend;
    const waitMs = this.#config['leave-on-stop'];
    if (waitMs === 0 || gone === undefined || leave === undefined) return;
    leave();
    const timeout = new Deferred();
    const timer = setTimeout(timeout.resolve, waitMs);
    await Promise.race([gone, timeout.promise]);
    clearTimeout(timer);
  }

  /** Stops accepting requests, finishes those that run, in bounded time, and stops. */
  async close(): Promise<void> {
    this.#parts.closing.abort();
    await this.#parts.http.close();
    await this.#parts.backend.finish?.();
    this.destroy();
    await this.#parts.backend.save?.();
  }

  /** Stops now. */
  destroy(): void {
    destroy(this.#parts);
  }
}

/** The engine that is not used is not even loaded. */
async function open(setting: Setting): Promise<Backend> {
  if (setting.config.engine === 'memory') return (await import('./memory.ts')).openMemory(setting);
  return (await import('./valkey.ts')).openValkey(setting);
}

function destroy({ backend, http }: Parts): void {
  http.destroy();
  backend.close();
}

function readTls(config: Config): TlsMaterial | undefined {
  return loadTls({
    cert: config['tls-cert'],
    key: config['tls-key'],
    ca: config['tls-ca'],
  });
}
