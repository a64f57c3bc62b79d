/** What two nodes tell each other about themselves. */

import { ADDRESS_CHARS_MAX, MEMBERS_MAX, PARTITIONS_MAX } from '../base/limits.ts';
import { parseAddress } from '../net/address.ts';
import { ProtocolError } from './frame.ts';

/** The version of what peers say to each other. Nodes with different ones do not talk. */
export const PROTOCOL = 4;

/**
 * The number of the frame that answers a hello: whether the peer lets this node in. Who is refused gets
 * to know the peer all the same, since both sides must come to the same verdict.
 */
export const ADMITTED = 0;
export const REFUSED = 1;

/** What a node knows of the cluster; it is sent anew whenever it changes. */
export interface NodeState {
  /** Counts what this life of the node has told: of two states the one with the higher is newer. */
  readonly revision: number;
  /** What it tells, as JSON: whoever decides in the cluster reads it. */
  readonly told: unknown;
}

/** The first message of each side of a connection. */
export interface Hello {
  readonly protocol: number;
  /** A UUID that answers name; it stays where the node keeps its records on disk. */
  readonly id: string;
  /** A UUID: one life of the process. */
  readonly life: string;
  /** The advertised address: who the node is, whatever its id. */
  readonly address: string;
  /** The address for clients. */
  readonly client: string;
  readonly partitions: number;
  /** When the process started, by its own clock, in microseconds since the Unix epoch. */
  readonly startedAt: number;
  readonly state: NodeState;
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
    life: uuid(hello, 'life'),
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

/** The members of a JSON object. */
export type Fields = Readonly<Record<string, unknown>>;

function parseObject(text: string): Fields {
  try {
    return object(JSON.parse(text), 'message');
  } catch (error) {
    throw new ProtocolError('a control message that is no JSON object', { cause: error });
  }
}

export function object(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw bad(name);
}

function readState(value: unknown): NodeState {
  const state = object(value, 'state');
  return { revision: whole(state, 'revision', 0, Number.MAX_SAFE_INTEGER), told: state.told };
}

/** Reads a list of different addresses, none included; gives it sorted. */
export function addresses(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value) || value.length > MEMBERS_MAX) throw bad(name);
  const list = value.map(address);
  if (new Set(list).size !== list.length) throw bad(name);
  return list.toSorted();
}

export function address(value: unknown): string {
  if (typeof value !== 'string' || value.length > ADDRESS_CHARS_MAX) throw bad('address');
  const parsed = parseAddress(value);
  if (parsed === undefined || parsed.host === '' || parsed.port === 0) throw bad('address');
  return value;
}

export function uuid(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string' && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(value)) {
    return value;
  }
  throw bad(name);
}

export function whole(fields: Fields, name: string, min: number, max: number): number {
  const value = fields[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) {
    return value;
  }
  throw bad(name);
}

export function bad(name: string): ProtocolError {
  return new ProtocolError(`a control message with a bad ${name}`);
}
