/** What two nodes tell each other about themselves, and whether they may be of one cluster. */

import { ADDRESS_CHARS_MAX, MEMBERS_MAX, PARTITIONS_MAX } from '../base/limits.ts';
import { parseAddress } from '../net/address.ts';
import { ProtocolError } from './frame.ts';

/** The version of what peers say to each other. Nodes with different ones do not talk. */
export const PROTOCOL = 1;

/**
 * The number of the frame that answers a hello: whether the peer lets this node in. Who is refused gets
 * to know the peer all the same, since both sides must come to the same verdict.
 */
export const ADMITTED = 0;
export const REFUSED = 1;

/** What a topology is made from, and how it travels. */
export interface TopologyFacts {
  /** Made when the cluster forms; two clusters never have the same. */
  readonly clusterId: string;
  /** The number of the topology, from 1; of two topologies of a cluster the higher one is valid. */
  readonly epoch: number;
  /** The addresses of all members. */
  readonly members: readonly string[];
}

/** What a node knows of the cluster; it is sent anew whenever it changes. */
export interface NodeState {
  /** Counts what this life of the node has told: of two states the one with the higher is newer. */
  readonly revision: number;
  /** While the cluster is forming: every address that this node has heard of, sorted. */
  readonly known: readonly string[];
  /** Whether each address of `-join` has been reached and so stands in `known` under its own name. */
  readonly hasReachedAll: boolean;
  /** Null while the cluster is forming. */
  readonly topology: TopologyFacts | null;
}

/** The first message of each side of a connection. */
export interface Hello {
  readonly protocol: number;
  /** A UUID: one life of the process. */
  readonly id: string;
  /** The advertised address: who the node is, whatever its id. */
  readonly address: string;
  /** The address for clients. */
  readonly client: string;
  readonly partitions: number;
  /** When the process started, by its own clock, in microseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly state: NodeState;
}

/** What follows from a hello. */
export type Verdict =
  | { readonly kind: 'welcome' }
  /** The node has dialled itself. */
  | { readonly kind: 'self' }
  /** The two cannot be of one cluster; `givesWay` says whether it is this node that must go. */
  | { readonly kind: 'refused'; readonly reason: string; readonly givesWay: boolean };

/**
 * Judges the hello of another node. Both sides judge by the same facts, so both name the same
 * reason, and at most one gives way: the one that is no member yet, of two such the younger.
 */
export function judge(ours: Hello, theirs: Hello): Verdict {
  if (ours.id === theirs.id) return { kind: 'self' };
  const reason = mismatch(ours, theirs);
  if (reason === undefined) return { kind: 'welcome' };
  return { kind: 'refused', reason, givesWay: givesWay(ours, theirs) };
}

function mismatch(ours: Hello, theirs: Hello): string | undefined {
  if (ours.protocol !== theirs.protocol) {
    return differ('protocol version', ours.protocol, theirs.protocol);
  }
  if (ours.partitions !== theirs.partitions) {
    return differ('-num-partitions', ours.partitions, theirs.partitions);
  }
  if (ours.address === theirs.address) return `both nodes say that they are ${ours.address}`;
  const cluster = ours.state.topology;
  const other = theirs.state.topology;
  if (cluster === null) return other === null ? undefined : notMember(ours, other);
  if (other === null) return notMember(theirs, cluster);
  if (cluster.clusterId !== other.clusterId) {
    return differ('cluster id', cluster.clusterId, other.clusterId);
  }
  return undefined;
}

function differ(what: string, here: string | number, there: string | number): string {
  return `the ${what} is ${here} here and ${there} there`;
}

function notMember(node: Hello, { clusterId, members }: TopologyFacts): string | undefined {
  if (members.includes(node.address)) return undefined;
  return (
    `joining a formed cluster is not supported yet: ${node.address} is no member of cluster ` +
    `${clusterId} of ${members.join(', ')}; start the nodes with -join of each other`
  );
}

function givesWay(ours: Hello, theirs: Hello): boolean {
  if (ours.state.topology !== null) return false;
  if (theirs.state.topology !== null || ours.startedAt !== theirs.startedAt) {
    return theirs.state.topology !== null || ours.startedAt > theirs.startedAt;
  }
  return ours.address > theirs.address;
}

/**
 * Reads a hello.
 *
 * @throws ProtocolError if a field is missing or not what it must be.
 */
export function parseHello(text: string): Hello {
  const hello = parseObject(text);
  return {
    protocol: whole(hello, 'protocol', 1, 2 ** 31),
    id: uuid(hello, 'id'),
    address: address(hello.address),
    client: address(hello.client),
    partitions: whole(hello, 'partitions', 1, PARTITIONS_MAX),
    startedAt: whole(hello, 'startedAt', 0, Number.MAX_SAFE_INTEGER),
    state: readState(hello.state),
  };
}

/** Reads a state, as {@link parseHello} does. */
export function parseState(text: string): NodeState {
  return readState(parseObject(text));
}

/** Reads a topology, as {@link parseHello} does. */
export function parseTopology(text: string): TopologyFacts {
  return readTopology(parseObject(text));
}

type Fields = Readonly<Record<string, unknown>>;

function parseObject(text: string): Fields {
  try {
    return object(JSON.parse(text), 'message');
  } catch (error) {
    throw new ProtocolError('a control message that is no JSON object', { cause: error });
  }
}

function object(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw bad(name);
}

function readState(value: unknown): NodeState {
  const state = object(value, 'state');
  if (typeof state.hasReachedAll !== 'boolean') throw bad('hasReachedAll');
  return {
    revision: whole(state, 'revision', 0, Number.MAX_SAFE_INTEGER),
    known: addresses(state.known, 'known'),
    hasReachedAll: state.hasReachedAll,
    topology: state.topology === null ? null : readTopology(object(state.topology, 'topology')),
  };
}

function readTopology(facts: Fields): TopologyFacts {
  return {
    clusterId: uuid(facts, 'clusterId'),
    epoch: whole(facts, 'epoch', 1, 2 ** 32 - 1),
    members: addresses(facts.members, 'members'),
  };
}

function addresses(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MEMBERS_MAX) throw bad(name);
  const list = value.map(address);
  if (new Set(list).size !== list.length) throw bad(name);
  return list.toSorted();
}

function address(value: unknown): string {
  if (typeof value !== 'string' || value.length > ADDRESS_CHARS_MAX) throw bad('address');
  const parsed = parseAddress(value);
  if (parsed === undefined || parsed.host === '' || parsed.port === 0) throw bad('address');
  return value;
}

function uuid(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(value)) {
    return value;
  }
  throw bad(name);
}

function whole(fields: Fields, name: string, min: number, max: number): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) {
    return value;
  }
  throw bad(name);
}

function bad(name: string): ProtocolError {
  return new ProtocolError(`a control message with a bad ${name}`);
}
