/** The engine on Valkey or Redis: each request is one script at the primary that has the key. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import { VALKEY_EDIT_PATIENCE_MS, VALKEY_START_TIMEOUT_MS } from '../base/limits.ts';
import type { Scheduler } from '../base/scheduler.ts';
import { brokenCondition, preconditionFailed } from '../record/condition.ts';
import { edit, missing, newTtl } from '../record/edit.ts';
import type { Engine, Listing, ListQuery, Member } from '../record/engine.ts';
import { select } from '../record/part.ts';
import {
  asKept,
  NO_META,
  type ByteRange,
  type KeptBytes,
  type KeptReply,
  type NodeRef,
} from '../record/reply.ts';
import {
  isEdit,
  type Condition,
  type DeleteRequest,
  type EditRequest,
  type ExpireRequest,
  type LoadRequest,
  type ReadRequest,
  type Request,
  type StoreRequest,
  type Versions,
} from '../record/request.ts';
import { versionOf } from '../record/version.ts';
import { isForGood } from './faults.ts';
import { Fleet, NOT_READY, type Answered, type Call, type FleetOptions } from './fleet.ts';
import {
  decodeMeta,
  hasHeader,
  encodeTtl,
  encodeVersion,
  readTime,
  TIME_BYTES,
  valueStart,
} from './header.ts';
import { KeySpace } from './keys.ts';
import { listKeys } from './listing.ts';
import { Salts } from './salt.ts';
import { LOAD, LOAD_IF } from './scripts/load.ts';
import type { Script } from './scripts/script.ts';
import { DELETE_IF, EXPIRE, STORE, STORE_IF } from './scripts/store.ts';
import type { Argument } from './server.ts';
import type { Peer, SlotRange } from './topology.ts';
import { Turns } from './turns.ts';

/** How old the noted time of the last access may be: it is exact, or costs a write once a minute. */
const ACCESSED_AGE_US = { exact: '', lazy: '60000000' };

/** Values up to this length travel as text. */
const SHORT_VALUE_BYTES = 1024;

/** The time to live of a record that stays, which is all zeros. */
const FOR_GOOD = encodeTtl(0n).toString('latin1');

/** An age that no record has: reading it for a change is no access. */
const NEVER_NOTED = '1e18';

export interface ValkeyOptions extends FleetOptions {
  readonly accessed: 'exact' | 'lazy';
  /** For looking into large values. */
  readonly scheduler: Scheduler;
  /** Largest value that a change may come to. */
  readonly valueBytesMax: number;
  /** Stands before every key. */
  readonly prefix: Key;
}

/** A server as `GET /v1/nodes` shows it. */
interface ServerView extends Member {
  readonly role: 'primary' | 'replica';
  /** The id of the primary that a replica follows. */
  readonly of: string | null;
  readonly state: 'up' | 'suspected' | 'down' | 'unreachable';
  /** What it owns, such as `0-5460`. */
  readonly slots: readonly string[];
}

export class ValkeyEngine implements Engine {
  readonly hasReplicas = true;
  readonly #options: ValkeyOptions;
  readonly #fleet: Fleet;
  readonly #space: KeySpace;
  readonly #accessedAge: string;
  readonly #turns = new Turns();
  readonly #salts = new Salts();

  constructor(options: ValkeyOptions) {
    this.#options = options;
    this.#fleet = new Fleet(options);
    this.#space = new KeySpace(options.prefix);
    this.#accessedAge = ACCESSED_AGE_US[options.accessed];
  }

  /** Waits until the servers are known, for a bounded time; refused access ends the wait at once. */
  async start(): Promise<void> {
    const deadline = performance.now() + VALKEY_START_TIMEOUT_MS;
    await this.#fleet.start();
    while (this.#fleet.topology.covered === 0) {
      const reasons = this.#fleet.reasons();
      const reason = reasons.find(isForGood) ?? reasons[0];
      if ((reason && isForGood(reason)) || performance.now() >= deadline) {
        const text = reason?.message ?? 'none of them says what it serves';
        throw new Error(`-valkey-addr ${this.#options.seeds.join(', ')}: ${text}`);
      }
      await this.#fleet.start();
    }
  }

  close(): void {
    this.#fleet.close();
  }

  serve(request: Request, isGone?: () => boolean): Promise<KeptReply> {
    if (isEdit(request)) {
      const sinceMs = performance.now();
      return this.#turns.take(request.key, () => this.#edit(request, sinceMs, isGone));
    }
    switch (request.action) {
      case 'store':
        return this.#store(request);
      case 'delete':
        return this.#delete(request);
      case 'expire':
        return this.#expire(request);
      case 'load':
      case 'index':
      case 'item':
        return this.#read(request, isGone);
    }
  }

  list(query: ListQuery): Listing {
    if (this.#fleet.topology.covered === 0) return [NOT_READY];
    return listKeys(this.#fleet, this.#space, query);
  }

  members(): ServerView[] {
    const peers = [...this.#fleet.topology.peers];
    return peers
      .toSorted((a, b) => (a.addr < b.addr ? -1 : 1))
      .map((peer) => ({
        id: peer.id,
        addr: peer.addr,
        role: peer.role,
        of: peer.of,
        state: this.#stateOf(peer),
        slots: peer.slots.map(rangeText),
      }));
  }

  /** What keeps this node from serving anything; what is missing in part the members' states say. */
  problem(): string | undefined {
    const { owners } = this.#fleet.topology;
    if (owners.length === 0) return 'no server is known that owns slots';
    if (owners.some((peer) => this.#fleet.isReachable(peer))) return undefined;
    return `there is no connection to ${owners.map(({ addr }) => addr).join(', ')}`;
  }

  #stateOf(peer: Peer): ServerView['state'] {
    const isNeeded = peer.slots.length > 0 && peer.state !== 'down';
    return isNeeded && !this.#fleet.isReachable(peer) ? 'unreachable' : peer.state;
  }

  async #read(request: ReadRequest, isGone: (() => boolean) | undefined): Promise<KeptReply> {
    const condition = request.action === 'load' ? request.condition : undefined;
    const answered = await (condition === undefined
      ? this.#look(LOAD, request, [this.#accessedAge])
      : this.#look(LOAD_IF, request, [this.#accessedAge, ...conditionArguments(condition)]));
    if (isFailure(answered)) return answered;
    if (answered.answer === null) return missing(request);
    const loaded = loadedFrom(answered);
    if (loaded === undefined) return NO_RECORD;
    const { accessedAt, bytes } = loaded;
    const node = nodeOf(answered);
    const meta = decodeMeta(bytes, accessedAt);
    const broken = brokenCondition(condition, meta);
    if (broken === 'ifMatch') return preconditionFailed(request, meta);
    if (broken === 'ifNoneMatch') return { status: 'unchanged', node, meta };
    const whole = { bytes, start: valueStart(bytes), end: bytes.length };
    const value = isWhole(request)
      ? whole
      : await this.#options.scheduler.run('client', select(request, whole), isGone);
    return 'status' in value ? value : { status: 'ok', node, meta, value: asKept(value) };
  }

  /**
   * Reads the value, makes another of it and stores that if the record is still the one that was read; else
   * it begins anew, for a bounded time since `sinceMs`.
   */
  async #edit(
    request: EditRequest,
    sinceMs: number,
    isGone: (() => boolean) | undefined,
  ): Promise<KeptReply> {
    const { scheduler, valueBytesMax } = this.#options;
    while (performance.now() - sinceMs < VALKEY_EDIT_PATIENCE_MS) {
      const read = await this.#look(LOAD, request, [NEVER_NOTED]);
      if (isFailure(read)) return read;
      const loaded = read.answer === null ? undefined : loadedFrom(read);
      if (read.answer !== null && loaded === undefined) return NO_RECORD;
      const bytes = loaded?.bytes;
      const before = bytes && decodeMeta(bytes);
      if (brokenCondition(request.condition, before)) return preconditionFailed(request, before);
      const value = bytes && { bytes, start: valueStart(bytes), end: bytes.length };
      const edited = await scheduler.run('client', edit(request, value, valueBytesMax), isGone);
      if ('status' in edited) return edited;
      const condition: Condition =
        before === undefined ? { ifNoneMatch: '*' } : { ifMatch: [versionOf(before)] };
      const ttlNs = newTtl(request, before === undefined);
      const stored = await this.#put(request, { value: edited.value, ttlNs, condition });
      if (isFailure(stored) || isDone(stored)) return this.#written(request, stored, edited.shown);
    }
    return failure('OVERLOADED', 'others change the record faster than it can be worked on');
  }

  async #store(request: StoreRequest): Promise<KeptReply> {
    return this.#written(request, await this.#put(request, request), asKept(request.value));
  }

  #put(
    request: StoreRequest | EditRequest,
    { value, ttlNs, condition }: Put,
  ): Promise<Answered | Failure> {
    const life = ttlNs === undefined ? '' : ttlNs === 0n ? FOR_GOOD : encodeTtl(ttlNs);
    const args = [valueArgument(value), life, this.#salts.next()];
    if (condition === undefined) return this.#write(STORE, request, args);
    return this.#write(STORE_IF, request, [...args, ...conditionArguments(condition)]);
  }

  async #delete(request: DeleteRequest): Promise<KeptReply> {
    const args = conditionArguments(request.condition);
    return this.#written(request, await this.#write(DELETE_IF, request, args), undefined);
  }

  async #expire(request: ExpireRequest): Promise<KeptReply> {
    const args = [encodeTtl(request.ttlNs), ...conditionArguments(request.condition)];
    const answered = await this.#write(EXPIRE, request, args);
    if (!isFailure(answered) && answered.answer === null) return missing(request);
    return this.#written(request, answered, undefined);
  }

  #written(
    request: WriteRequest,
    answered: Answered | Failure,
    value: KeptBytes | undefined,
  ): KeptReply {
    if (isFailure(answered)) return answered;
    const { answer } = answered;
    const header: unknown = isDone(answered) ? answer : (answer as [unknown])[0];
    const meta = hasHeader(header) ? decodeMeta(header) : undefined;
    // No bytes stand for no record.
    const mayBeNone = !isDone(answered) || isRemoval(request);
    const isNone = mayBeNone && Buffer.isBuffer(header) && header.length === 0;
    if (meta === undefined && !isNone) return NO_OUTCOME;
    if (!isDone(answered)) return preconditionFailed(request, meta);
    const { replicas = 0 } = request;
    if (answered.acknowledged < replicas) return notReplicated(answered, replicas);
    return { status: 'ok', node: nodeOf(answered), meta: meta ?? NO_META, value };
  }

  /** Runs a script that changes nothing but the time of the last access. */
  #look(script: Script, { key }: Request, args: readonly Argument[]): Promise<Answered | Failure> {
    return this.#run(script, key, args, { isWrite: false });
  }

  #write(
    script: Script,
    { key, replicas = 0 }: WriteRequest,
    args: readonly Argument[],
  ): Promise<Answered | Failure> {
    return this.#run(script, key, args, { isWrite: true, replicas });
  }

  #run(
    script: Script,
    key: Key,
    args: readonly Argument[],
    kind: Pick<Call, 'isWrite' | 'replicas'>,
  ): Promise<Answered | Failure> {
    const name = this.#space.nameOf(key);
    return this.#fleet.ask({
      slot: this.#space.slotOf(key),
      send: (server, asks) => server.run(script, [name], args, asks),
      ...kind,
    });
  }
}

/** The failures of requests that were answered by what no script of ours gives. */
const NO_RECORD = failure('OWNER_UNAVAILABLE', 'the server has answered what is no record');
const NO_OUTCOME = failure('OUTCOME_UNKNOWN', 'the server has answered what is no outcome');

/** What is stored, and when. */
interface Put {
  readonly value: ByteRange;
  /** Undefined for a record that expires when it would have. */
  readonly ttlNs: bigint | undefined;
  readonly condition?: Condition | undefined;
}

type WriteRequest = StoreRequest | DeleteRequest | ExpireRequest | EditRequest;

/** The time of an access and the record, which the script gives in one piece if it is small; undefined if it is neither. */
function loadedFrom({ answer }: Answered): { accessedAt: number; bytes: Buffer } | undefined {
  const [time, bytes]: unknown[] = Array.isArray(answer)
    ? answer
    : [answer, Buffer.isBuffer(answer) && answer.subarray(TIME_BYTES)];
  if (!Buffer.isBuffer(time) || time.length < TIME_BYTES || !hasHeader(bytes)) return undefined;
  return { accessedAt: readTime(time, 0), bytes };
}

/** Whether a request is to leave no record. */
function isRemoval(request: WriteRequest): boolean {
  return request.action === 'delete' && request.pointer === undefined;
}

/** Whether a write script has done what it was asked for; else it answers in a list what kept it from that. */
function isDone({ answer }: Answered): boolean {
  return !Array.isArray(answer);
}

/** Tells a load of the whole value from those of a part. */
function isWhole(request: ReadRequest): request is LoadRequest {
  return request.action === 'load' && request.pointer === undefined;
}

/** A value as it costs least to send: a large one would be copied once too often as text. */
function valueArgument({ bytes, start, end }: ByteRange): Argument {
  if (end - start > SHORT_VALUE_BYTES) return bytes.subarray(start, end);
  return bytes.toString('latin1', start, end);
}

/** The conditions as the scripts read them. */
function conditionArguments(condition: Condition | undefined): [Argument, Argument] {
  return [versionsArgument(condition?.ifMatch), versionsArgument(condition?.ifNoneMatch)];
}

/** Empty for no condition, `*` for any version, else `=` and the bytes of those that can be ours. */
function versionsArgument(versions: Versions | undefined): Argument {
  if (versions === undefined) return '';
  if (versions === '*') return '*';
  const known = versions.map(encodeVersion).filter((bytes) => bytes !== undefined);
  return Buffer.concat([Buffer.from('='), ...known]);
}

function notReplicated({ from, acknowledged }: Answered, replicas: number): Failure {
  const who = `acknowledged by ${acknowledged} of ${replicas} replicas`;
  return failure('NOT_REPLICATED', `it is done at ${from.addr}, ${who}`);
}

function nodeOf({ from }: Answered): NodeRef {
  return from;
}

function rangeText({ first, last }: SlotRange): string {
  return first === last ? `${first}` : `${first}-${last}`;
}
