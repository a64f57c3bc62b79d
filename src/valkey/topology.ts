/** Who serves which slots: what one server said of all at one time. */

import { formatAddress } from '../net/address.ts';

/** Slots of a key space, as Valkey and Redis Cluster divide it. */
export const SLOTS = 16_384;

/** A server, by the words of another or of its own. */
export interface Peer {
  readonly id: string;
  readonly addr: string;
  readonly role: 'primary' | 'replica';
  /** The id of the primary that a replica follows. */
  readonly of: string | null;
  /** `suspected` is what one server thinks, `down` what most have agreed on. */
  readonly state: 'up' | 'suspected' | 'down';
  /** Ranges of slots that it owns, both ends included. */
  readonly slots: readonly SlotRange[];
  /** The slots that are moving away from it, and the ids of those that they move to. */
  readonly leaving: ReadonlyMap<number, string>;
  /** Grows with each change of who owns what. */
  readonly epoch: number;
}

export interface SlotRange {
  readonly first: number;
  readonly last: number;
}

/** An immutable view; replaced as a whole. */
export class Topology {
  readonly peers: readonly Peer[];
  readonly epoch: number;
  /** How many slots have an owner. */
  readonly covered: number;
  readonly #owners: (Peer | undefined)[] = Array.from({ length: SLOTS });

  constructor(peers: readonly Peer[]) {
    this.peers = peers;
    this.epoch = Math.max(0, ...peers.map(({ epoch }) => epoch));
    for (const peer of peers) {
      for (const { first, last } of peer.slots) this.#owners.fill(peer, first, last + 1);
    }
    this.covered = this.#owners.filter((owner) => owner !== undefined).length;
  }

  ownerOf(slot: number): Peer | undefined {
    return this.#owners[slot];
  }

  byId(id: string): Peer | undefined {
    return this.peers.find((peer) => peer.id === id);
  }

  byAddr(addr: string): Peer | undefined {
    return this.peers.find((peer) => peer.addr === addr);
  }

  /** The primaries that own a slot. */
  get owners(): readonly Peer[] {
    return this.peers.filter(({ slots }) => slots.length > 0);
  }

  /** The same, but for a slot that a server has said another one owns. */
  moved(slot: number, addr: string): Topology {
    const owner = this.byAddr(addr);
    if (owner === undefined || this.#owners[slot] === owner) return this;
    const copy = new Topology(this.peers);
    for (let at = 0; at < SLOTS; at++) copy.#owners[at] = this.#owners[at];
    copy.#owners[slot] = owner;
    return copy;
  }
}

/** How the text of a server names others. */
export interface Naming {
  /** The host that the server was reached by, for what it says of itself without knowing its address. */
  readonly host: string;
  /** Whether announced host names are used, as certificates need it. */
  readonly usesNames: boolean;
}

/** Reads the lines of `CLUSTER NODES`; servers that cannot be reached, or are strangers yet, are left out. */
export function parseNodes(text: string, naming: Naming): Peer[] {
  const peers: Peer[] = [];
  for (const line of text.split('\n')) {
    const peer = parseNode(line, naming);
    if (peer !== undefined) peers.push(peer);
  }
  return peers;
}

/** `<id> <ip:port@cport[,hostname]> <flags> <primary> <ping> <pong> <epoch> <link> <slot> …` */
function parseNode(line: string, { host, usesNames }: Naming): Peer | undefined {
  const [id, place = '', flagText = '', primary, , , epoch, , ...slots] = line.trim().split(' ');
  const flags = new Set(flagText.split(','));
  const match = /^(.*):(\d+)@\d+(?:,([^,]*))?/.exec(place);
  if (id === undefined || match === null || flags.has('noaddr') || flags.has('handshake')) {
    return undefined;
  }
  const [, ip, port, name] = match;
  return {
    id,
    addr: formatAddress({ host: (usesNames && name) || ip || host, port: Number(port) }),
    role: flags.has('master') ? 'primary' : 'replica',
    of: primary === '-' ? null : (primary ?? null),
    state: flags.has('fail') ? 'down' : flags.has('fail?') ? 'suspected' : 'up',
    slots: slots.filter((slot) => !slot.startsWith('[')).map(parseRange),
    leaving: new Map(slots.flatMap(parseLeaving)),
    epoch: Number(epoch),
  };
}

function parseRange(text: string): SlotRange {
  const [first, last = first] = text.split('-').map(Number);
  return { first: first!, last: last! };
}

/** `[93->-id]` is a slot that leaves; `[93-<-id]`, one that comes, is known from its other end. */
function parseLeaving(text: string): [number, string][] {
  const [, slot, id] = /^\[(\d+)->-(\w+)\]$/.exec(text) ?? [];
  return slot === undefined ? [] : [[Number(slot), id!]];
}

/** Reads the answer to `INFO` of a server that is in no cluster: it and the replicas it has. */
export function parseInfo(text: string, addr: string): Peer[] {
  const facts = new Map(text.split(/\r?\n/).map(factOf));
  if (facts.get('role') !== 'master') return [];
  const self: Peer = {
    id: facts.get('run_id') ?? '',
    addr,
    role: 'primary',
    of: null,
    state: 'up',
    slots: [{ first: 0, last: SLOTS - 1 }],
    leaving: new Map(),
    epoch: 0,
  };
  const replicas = [...facts.keys()].filter((name) => /^slave\d+$/.test(name));
  return [self, ...replicas.map((name) => replicaOf(self, facts.get(name)!))];
}

/** `ip=127.0.0.1,port=6380,state=online,offset=14,lag=1`; such a replica says no id. */
function replicaOf(primary: Peer, text: string): Peer {
  const facts = new Map(text.split(',').map((fact) => fact.split('=') as [string, string]));
  const addr = formatAddress({ host: facts.get('ip') ?? '', port: Number(facts.get('port')) });
  const state = facts.get('state') === 'online' ? 'up' : 'suspected';
  return { ...primary, id: addr, addr, role: 'replica', of: primary.id, state, slots: [] };
}

function factOf(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1)];
}

/** Whether the answer to `INFO` is that of a member of a cluster. */
export function isMember(text: string): boolean {
  // `redis_mode` is `server_mode` in Valkey; this has one name.
  return /^cluster_enabled:1\r?$/m.test(text);
}

/** Why a server cannot be used, by its answer to `INFO`; undefined for one that can. */
export function unfitness(text: string): string | undefined {
  // Valkey gives the version of Redis that it is like, too.
  const version = /^redis_version:((\d+)\.(\d+)[^\r\n]*)/m.exec(text);
  if (version === null) return 'it does not say its version';
  const [, full, major, minor] = version;
  const isOld = Number(major) < 6 || (Number(major) === 6 && Number(minor) < 2);
  return isOld ? `its version is ${full}, and 6.2 or newer is needed` : undefined;
}
