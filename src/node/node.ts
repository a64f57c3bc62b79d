/** A node: its store, its place in the cluster and its HTTP API, as one thing that starts and closes. */

import { randomInt, randomUUID } from 'node:crypto';

import { Access } from '../api/access.ts';
import { Api } from '../api/api.ts';
import type { ApiOptions } from '../api/visit.ts';
import type { HealthCheck } from '../api/visit.ts';
import { systemClock } from '../base/clock.ts';
import { Deferred } from '../base/deferred.ts';
import { isFailure } from '../base/errors.ts';
import { systemTimers } from '../base/timers.ts';
import { Scheduler } from '../base/scheduler.ts';
import { Cluster } from '../cluster/cluster.ts';
import type { Application } from '../http/exchange.ts';
import type { JournalStats } from '../disk/journal.ts';
import { HttpServer } from '../http/server.ts';
import { formatAddress, isLoopback, isUnspecified, type Address } from '../net/address.ts';
import { describeNetworkError } from '../net/network-error.ts';
import { Resolver, systemLookup } from '../net/resolver.ts';
import { loadSecret } from '../net/secret.ts';
import { loadTls, type TlsMaterial } from '../net/tls.ts';
import type { Credentials } from '../peer/credentials.ts';
import type { LinkStats } from '../peer/link.ts';
import { SocketTransport } from '../peer/socket-transport.ts';
import type { Engine } from '../record/engine.ts';
import { Store, type StoreStats } from '../store/store.ts';
import { Beginning } from './beginning.ts';
import { checkEngine, type Config } from './config.ts';
import { Disk } from './disk.ts';
import { UsageError } from './flags.ts';
import type { Log } from './log.ts';
import { Maintenance } from './maintenance.ts';
import { NodeMetrics } from './metrics.ts';
import { Observer } from './observer.ts';
import { readTokens } from './tokens.ts';
import { version } from './version.ts';

/** What is behind the API of a node. */
export interface Backend {
  readonly engine: Engine;
  /** What the store of this node holds, if it has one. */
  readonly stats?: () => StoreStats;
  /** What the links to its peers do, if it has peers. */
  readonly linkStats?: () => readonly LinkStats[];
  /** What waits to be written to its disk, if it has one. */
  readonly diskStats?: (() => JournalStats) | undefined;
  /** What the log says of it. */
  readonly facts: object;
  /** Where others reach this node, when its address for clients is every interface. */
  readonly host: string;
  /** What else must hold for requests to go to this node. */
  readonly checks?: () => readonly HealthCheck[];
  /**
   * Resolves when this node is no member any more: to nothing if it has left, and to the reason if it
   * was put out.
   */
  readonly gone?: Promise<string | undefined>;
  /** Begins to hand over all keys to the other members. */
  readonly leave?: () => void;
  /** Reads again what members prove themselves with, given the certificates that are in use now. */
  reload(tls: TlsMaterial | undefined): void;
  /** Gets ready for the engine to start, while requests are answered that it is not ready yet. */
  prepare?(): Promise<void>;
  /** Does what had to wait until the engine had started. */
  complete?(): Promise<void>;
  /** Writes all records of this node into a file. */
  readonly snapshot?: ApiOptions['snapshot'];
  /** Answers what other nodes have asked, and lets them ask nothing more; in bounded time. */
  finish?(): Promise<void>;
  close(): void;
  /** Saves what must outlive the process; after {@link close}. */
  save?(): Promise<void>;
}

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
    const plan = { config, log, access, backend, scheduler, closing: closing.signal };
    const http = new HttpServer(assemble(plan), { tls });
    const parts = { access, backend, http, closing };
    try {
      const client = await listen(parts.http, 'client-addr', config);
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

interface Plan {
  readonly config: Config;
  readonly log: Log;
  readonly access: Access;
  readonly backend: Backend;
  readonly scheduler: Scheduler;
  readonly closing: AbortSignal;
}

/** The API over a backend, and what sees its requests. */
function assemble({ config, log, access, backend, scheduler, closing }: Plan): Application {
  const { engine, stats, linkStats, diskStats } = backend;
  const members = () => {
    const found = engine.members();
    return isFailure(found) ? [] : found;
  };
  const metrics = new NodeMetrics(members, version());
  if (stats !== undefined) metrics.addStore(stats, config['max-memory']);
  if (linkStats !== undefined) metrics.addLinks(linkStats);
  if (diskStats !== undefined) metrics.addDisk(diskStats);
  const api = new Api({
    engine,
    scheduler,
    access,
    metrics,
    snapshot: backend.snapshot,
    checks: () => [checkMembership(engine), ...(backend.checks?.() ?? [])],
    valueBytesMax: config['max-value-size'],
    corsOrigins: config['cors-origin'],
    closing,
    onDefect: (error) => log.error({ err: error }, 'a request failed by a defect'),
  });
  return new Observer(api, metrics, config['log-requests'] ? log : undefined);
}

/** A node serves once it knows who serves what. */
function checkMembership(engine: Engine): HealthCheck {
  const members = engine.members();
  return { name: 'member', problem: isFailure(members) ? members.detail : undefined };
}

/** What a backend is made from. */
export interface Setting {
  readonly config: Config;
  readonly log: Log;
  readonly checks: boolean;
  readonly tls: TlsMaterial | undefined;
  readonly scheduler: Scheduler;
}

/** The engine that is not used is not even loaded. */
async function open(setting: Setting): Promise<Backend> {
  if (setting.config.engine === 'memory') return openMemory(setting);
  const { openValkey } = await import('./valkey.ts');
  return openValkey(setting);
}

/** A random number from 0 to less than 1. */
const random = (): number => randomInt(2 ** 32) / 2 ** 32;

async function openMemory({ config, log, checks, tls, scheduler }: Setting): Promise<Backend> {
  const disk = await Disk.open(config, log);
  const transport = new SocketTransport(readCredentials(config, tls), systemTimers);
  const server = await listen(transport, 'server-addr', config).catch(async (error: unknown) => {
    await disk?.close();
    throw error;
  });
  const advertised = config['advertise-addr'] ?? server;
  const self = { id: disk?.identity.id ?? randomUUID(), addr: formatAddress(advertised) };
  const store = new Store({
    node: self,
    clock: systemClock,
    scheduler,
    partitions: config['num-partitions'],
    maxMemoryBytes: config['max-memory'],
    eviction: config.eviction,
    valueBytesMax: config['max-value-size'],
    hashKey: disk?.identity.hashKey,
    random,
  });
  const gone = new Deferred<string | undefined>();
  const cluster = new Cluster({
    self,
    life: randomUUID(),
    partitions: config['num-partitions'],
    join: await expandJoins(config.join ?? []),
    joinRetries: config['join-retries'],
    migrationBytesPerSecond: config['migration-rate'],
    clock: systemClock,
    scheduler,
    store,
    transport,
    timers: systemTimers,
    random,
    log,
    onGone: (reason) => gone.resolve(reason),
  });
  const maintenance = new Maintenance(store, scheduler, checks);
  const beginning = new Beginning({ config, disk, store, engine: cluster, log });
  return {
    engine: cluster,
    stats: () => store.stats(),
    linkStats: () => cluster.linkStats(),
    diskStats: disk && (() => disk.stats()),
    gone: gone.promise,
    leave: () => cluster.leave(),
    facts: { id: self.id, server: self.addr },
    host: advertised.host,
    reload: (material) => transport.reload(readCredentials(config, material)),
    prepare: () => beginning.prepare(),
    complete: () => beginning.complete(),
    ...(disk && { snapshot: () => disk.snapshot(config.snapshots) }),
    save: async () => disk?.close(),
    finish: () => cluster.finish(),
    close() {
      cluster.close();
      transport.close();
      maintenance.stop();
    },
  };
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

/** The addresses of `-join`, each name that leads to several hosts replaced by all of them. */
async function expandJoins(joins: readonly Address[]): Promise<string[]> {
  const resolver = new Resolver(systemLookup, systemTimers);
  const expanded = joins.map(async (join) => {
    const hosts = await resolver.addressesOf(join.host);
    return hosts.length < 2 ? [join] : hosts.map((host) => ({ ...join, host }));
  });
  return [...new Set((await Promise.all(expanded)).flat().map(formatAddress))];
}

/** By what members prove themselves: a secret goes before certificates, which clients may need, too. */
function readCredentials(config: Config, tls: TlsMaterial | undefined): Credentials {
  const file = config['cluster-secret-file'];
  if (file !== undefined) return { kind: 'secret', key: loadSecret(file) };
  return tls === undefined ? { kind: 'none' } : { kind: 'certificate', material: tls };
}

/** Refuses to trust whoever reaches the port for peers, unless it was told to. */
function checkPeersProveThemselves(config: Config): void {
  const server = config['server-addr'];
  const hasProof = config['cluster-secret-file'] !== undefined || config['tls-cert'] !== undefined;
  if (config.engine !== 'memory' || hasProof || isLoopback(server)) return;
  if (config['insecure-peers']) return;
  const addr = formatAddress(server);
  throw new UsageError(
    `other machines reach -server-addr ${addr}, and nothing proves who a peer is: give all nodes ` +
      'the same -cluster-secret-file (memhashd secret makes one), or -tls-cert, or -insecure-peers',
  );
}

/** Refuses to tell peers an address that means nothing to them. */
function checkReachable(config: Config): void {
  const server = config['server-addr'];
  if (config.join === undefined || config['advertise-addr'] || !isUnspecified(server)) return;
  const addr = formatAddress(server);
  throw new UsageError(`peers cannot reach -server-addr ${addr}: -advertise-addr must say where`);
}

/** Says it once where strangers may reach the data. */
function warnIfExposed(client: Address, config: Config, log: Log): void {
  if (isLoopback(client)) return;
  const facts = { client: formatAddress(client) };
  if (config['auth-file'] === undefined) {
    log.warn(facts, 'whoever reaches this address may read and change everything: see -auth-file');
  }
  if (config['tls-cert'] === undefined) {
    log.warn(facts, 'what clients send and get can be read and changed on the way: see -tls-cert');
  }
}

/** Takes the address of a flag. */
async function listen(
  listener: { listen(address: Address): Promise<Address> },
  flag: 'server-addr' | 'client-addr',
  config: Config,
): Promise<Address> {
  try {
    return await listener.listen(config[flag]);
  } catch (error) {
    const addr = formatAddress(config[flag]);
    throw new Error(`-${flag} ${addr}: ${describeNetworkError(error)}`, { cause: error });
  }
}
