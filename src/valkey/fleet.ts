/** All servers of a cluster, or the single one: who serves a slot, the way to it, and what to do if it has moved. */

import { isFailure, failure, type Failure } from '../base/errors.ts';
import {
  VALKEY_CONNECT_TIMEOUT_MS,
  VALKEY_HOPS_MAX,
  VALKEY_REFRESH_MS,
  VALKEY_REFRESH_SERVERS_MAX,
  VALKEY_REFRESH_SOON_MS,
  VALKEY_REFRESH_TIMEOUT_MS,
} from '../base/limits.ts';
import { parseAddress, formatAddress } from '../net/address.ts';
import { faultOf, Unfit, type Redirect } from './faults.ts';
import { GroupCommit } from './group-commit.ts';
import { Server, type Access } from './server.ts';
import {
  isMember,
  parseInfo,
  parseNodes,
  SLOTS,
  Topology,
  unfitness,
  type Peer,
} from './topology.ts';

/** Which servers, and how to reach them. */
export interface FleetOptions {
  /** The addresses of `-valkey-addr`. */
  readonly seeds: readonly string[];
  readonly access: Access;
  readonly log: FleetLog;
}

/** Where the fleet says what changed. */
interface FleetLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** What is asked of the owner of a slot. */
export interface Call {
  readonly slot: number;
  readonly isWrite: boolean;
  /** How many replicas should have what it writes before it is answered. */
  readonly replicas?: number;
  /** Sends it once over a connection; `asks` is for a slot that is moving to that server. */
  send(server: Server, asks: boolean): Promise<unknown>;
}

/** The answer of the owner of a slot. */
export interface Answered {
  readonly status: 'answered';
  readonly answer: unknown;
  /** How many replicas have said that they have it; 0 where nobody asked them. */
  readonly acknowledged: number;
  readonly from: Peer;
}

const UNKNOWN = new Topology([]);

export class Fleet {
  readonly #options: FleetOptions;
  readonly #servers = new Map<string, Server>();
  readonly #groupCommits = new Map<string, GroupCommit>();
  #topology = UNKNOWN;
  #isCluster = false;
  #isStarted = false;
  #isClosed = false;
  #isSoon = false;
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  /** How many servers have been asked for the map of slots. */
  #asked = 0;
  #said = '';

  constructor(options: FleetOptions) {
    this.#options = options;
    for (const addr of options.seeds) this.#serverAt(addr);
  }

  get topology(): Topology {
    return this.#topology;
  }

  get isCluster(): boolean {
    return this.#isCluster;
  }

  /** Learns of the servers from now on, again and again; resolves when it has tried once. */
  async start(): Promise<void> {
    const waits = this.#options.seeds.map((addr) =>
      this.#serverAt(addr).whenReady(VALKEY_CONNECT_TIMEOUT_MS),
    );
    await Promise.race(waits);
    await this.refresh();
    const { owners } = this.#topology;
    const ready = owners.map(({ addr }) => this.#serverAt(addr));
    await Promise.all(ready.map((server) => server.whenReady(VALKEY_CONNECT_TIMEOUT_MS)));
    this.#isStarted = true;
    this.#tell();
  }

  /** Why the servers of `-valkey-addr` cannot be reached, as far as that is known. */
  reasons(): Error[] {
    const errors = this.#options.seeds.map((addr) => this.#servers.get(addr)?.lastError);
    return errors.filter((error) => error !== undefined);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const server of this.#servers.values()) server.destroy();
    for (const commits of this.#groupCommits.values()) commits.close();
  }

  /** Whether a peer can be sent requests. */
  isReachable(peer: Peer): boolean {
    return this.#servers.get(peer.addr)?.isReady ?? false;
  }

  /** Asks the owner of a slot, and whomever it points to. */
  async ask(call: Call): Promise<Answered | Failure> {
    let peer = this.#topology.ownerOf(call.slot);
    if (peer === undefined) return this.#unserved(call.slot);
    let server = this.#serverAt(peer.addr);
    let asks = false;
    for (let hop = 0; hop < VALKEY_HOPS_MAX; hop++) {
      const outcome = await this.#send(call, server, peer, asks);
      if (outcome.status === 'answered' || isFailure(outcome)) return outcome;
      asks = outcome.status === 'ask';
      const addr = completed(outcome.addr, server.addr);
      if (!asks) this.#noteMoved(outcome.slot, addr);
      server = this.#serverAt(addr);
      peer = this.#topology.byAddr(addr) ?? { ...peer, id: '', addr };
      await server.whenReady(VALKEY_CONNECT_TIMEOUT_MS);
    }
    return failure('OWNER_UNAVAILABLE', `the servers do not agree on who serves slot ${call.slot}`);
  }

  /** Asks a peer that need not own anything. */
  async askPeer(peer: Peer, call: Call, asks = false): Promise<Answered | Failure | Redirect> {
    const server = this.#serverAt(peer.addr);
    await server.whenReady(VALKEY_CONNECT_TIMEOUT_MS);
    return this.#send(call, server, peer, asks);
  }

  /** Reads the map of slots; calls that come meanwhile share one reading. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
      this.#isSoon = false;
      if (this.#isStarted) this.#tell();
      this.#schedule(this.#isWhole() ? VALKEY_REFRESH_MS : VALKEY_REFRESH_SOON_MS);
    });
    return this.#refreshing;
  }

  async #send(
    call: Call,
    server: Server,
    peer: Peer,
    asks: boolean,
  ): Promise<Answered | Failure | Redirect> {
    const { replicas = 0 } = call;
    try {
      if (replicas > 0) {
        const commits = this.#groupCommitAt(server.addr);
        const committed = await commits.run((own) => call.send(own, asks), replicas);
        return { status: 'answered', ...committed, from: peer };
      }
      const answer = await call.send(server, asks);
      return { status: 'answered', answer, acknowledged: 0, from: peer };
    } catch (error) {
      const fault = faultOf(error, server.addr, call.isWrite);
      if (isFailure(fault)) this.#refreshSoon();
      return fault;
    }
  }

  #unserved(slot: number): Failure {
    this.#refreshSoon();
    if (this.#topology === UNKNOWN) return NOT_READY;
    return failure('OWNER_UNAVAILABLE', `slot ${slot} is served by nobody`);
  }

  #noteMoved(slot: number, addr: string): void {
    this.#topology = this.#topology.moved(slot, addr);
    this.#refreshSoon();
  }

  #serverAt(addr: string): Server {
    let server = this.#servers.get(addr);
    if (server === undefined) {
      server = new Server(addr, this.#options.access, () => this.#refreshSoon());
      this.#servers.set(addr, server);
    }
    return server;
  }

  #groupCommitAt(addr: string): GroupCommit {
    let commits = this.#groupCommits.get(addr);
    if (commits === undefined) {
      commits = new GroupCommit(new Server(addr, this.#options.access, () => {}));
      this.#groupCommits.set(addr, commits);
    }
    return commits;
  }

  /** Brings the next reading forward; however often this is called, it puts none off. */
  #refreshSoon(): void {
    if (this.#isSoon || this.#refreshing !== undefined) return;
    this.#isSoon = true;
    this.#schedule(VALKEY_REFRESH_SOON_MS);
  }

  #schedule(inMs: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), inMs);
  }

  /** Whether there is a connection to each owner. */
  #isWhole(): boolean {
    const { owners } = this.#topology;
    return owners.length > 0 && owners.every((peer) => this.isReachable(peer));
  }

  /**
   * Asks some servers at once, others each time, and believes the one that knows of the latest change, then of
   * the most slots: one that was stopped for a while, or has been taken out, answers too.
   */
  async #refresh(): Promise<void> {
    const ready = [...this.#servers.values()].filter((server) => server.isReady);
    if (ready.length === 0) {
      // Nobody is left who could say who comes next, except those that are no primaries.
      for (const { addr } of this.#topology.peers) this.#serverAt(addr);
      return;
    }
    const count = Math.min(ready.length, VALKEY_REFRESH_SERVERS_MAX);
    const asked = Array.from({ length: count }, (_, n) => ready[(this.#asked + n) % ready.length]!);
    this.#asked += count;
    const views = await Promise.all(asked.map((server) => this.#viewOf(server)));
    const best = views
      .filter((view) => view !== undefined)
      .toSorted((a, b) => b.epoch - a.epoch || b.covered - a.covered)[0];
    if (best === undefined || this.#isClosed) return;
    this.#topology = best;
    this.#retire(best);
    for (const { addr } of best.owners) this.#serverAt(addr);
  }

  /** What a server says of all; undefined if it does not say it in time. */
  async #viewOf(server: Server): Promise<Topology | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, VALKEY_REFRESH_TIMEOUT_MS, undefined);
    });
    try {
      return await Promise.race([this.#read(server).catch(() => undefined), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #read(server: Server): Promise<Topology | undefined> {
    const info = String(await server.send('info', []));
    const unfit = unfitness(info);
    if (unfit !== undefined) {
      server.refuse(new Unfit(unfit));
      return undefined;
    }
    this.#isCluster = isMember(info);
    if (!this.#isCluster) {
      const peers = parseInfo(info, server.addr);
      return peers.length === 0 ? undefined : new Topology(peers);
    }
    const host = parseAddress(server.addr)?.host ?? '';
    const usesNames = this.#options.access.tls !== undefined;
    const nodes = String(await server.send('cluster', ['nodes']));
    return new Topology(parseNodes(nodes, { host, usesNames }));
  }

  /** Closes the connections to servers that serve nothing any more. */
  #retire(topology: Topology): void {
    const wanted = new Set([...this.#options.seeds, ...topology.owners.map(({ addr }) => addr)]);
    for (const [addr, server] of this.#servers) {
      if (wanted.has(addr)) continue;
      this.#servers.delete(addr);
      server.close();
      this.#groupCommits.get(addr)?.close();
      this.#groupCommits.delete(addr);
    }
  }

  /** Says what has changed, once; with a warning, if slots are served by nobody that can be reached. */
  #tell(): void {
    const { peers, covered, owners } = this.#topology;
    if (covered === 0 || this.#isClosed) return;
    const primaries = owners.map(({ addr }) => addr);
    const away = owners.filter((peer) => !this.isReachable(peer)).map(({ addr }) => addr);
    const facts = { primaries, replicas: peers.length - primaries.length, slots: covered, away };
    const text = JSON.stringify(facts);
    if (text === this.#said) return;
    this.#said = text;
    const isWhole = covered === SLOTS && away.length === 0;
    this.#options.log[isWhole ? 'info' : 'warn'](facts, 'servers');
  }
}

/** The address of a redirect; without a host it is at the host that said it. */
function completed(addr: string, from: string): string {
  const parsed = parseAddress(addr);
  if (parsed === undefined || parsed.host !== '') return addr;
  return formatAddress({ host: parseAddress(from)?.host ?? '', port: parsed.port });
}

/** The failure of every request before the servers are known. */
export const NOT_READY = failure('NOT_READY', 'the servers of -valkey-addr are not known yet');
