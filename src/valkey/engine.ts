/** The engine on Valkey or Redis: each request is one script at the primary that has the key. */

import { randomFillSync } from 'node:crypto';

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyText, type Key } from '../base/key.ts';
import { VALKEY_START_TIMEOUT_MS } from '../base/limits.ts';
import type { Scheduler } from '../base/scheduler.ts';
import { brokenCondition, preconditionFailed } from '../record/condition.ts';
import type { Engine, Listing, ListQuery, Member } from '../record/engine.ts';
import { select } from '../record/part.ts';
import { asKept, NO_META, type KeptBytes, type KeptReply, type NodeRef } from '../record/reply.ts';
import {
  ACTIONS,
  isEdit,
  type Condition,
  type DeleteRequest,
  type ExpireRequest,
  type ReadRequest,
  type Request,
  type StoreRequest,
  type Versions,
} from '../record/request.ts';
import { isForGood } from './faults.ts';
import { Fleet, NOT_READY, type Answered, type Call, type FleetOptions } from './fleet.ts';
import { decodeMeta, encodeTtl, encodeVersion, SALT_BYTES, valueStart } from './header.ts';
import { KeySpace } from './keys.ts';
import { listKeys } from './listing.ts';
import { LOAD, LOAD_IF } from './scripts/load.ts';
import type { Script } from './scripts/script.ts';
import { DELETE_IF, EXPIRE, STORE } from './scripts/store.ts';
import type { Argument } from './server.ts';
import type { Peer, SlotRange } from './topology.ts';

/** How old the noted time of the last access may be: it is exact, or costs a write once a minute. */
const ACCESSED_AGE_US = { exact: '0', lazy: '60000000' };

export interface ValkeyOptions extends FleetOptions {
  readonly accessed: 'exact' | 'lazy';
  /** For looking into large values. */
  readonly scheduler: Scheduler;
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

  serve(request: Request): KeptReply | Promise<KeptReply> {
    if (isEdit(request)) {
      return failure('NOT_SUPPORTED', `${request.action} of this kind is not served from servers`);
    }
    switch (request.action) {
      case 'expire':
        return this.#expire(request);
      case 'store':
        return this.#store(request);
      case 'delete':
        return this.#delete(request);
      case 'load':
      case 'index':
      case 'item':
        return this.#read(request);
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

  async #read(request: ReadRequest): Promise<KeptReply> {
    const condition = request.action === 'load' ? request.condition : undefined;
    const answered = await (condition === undefined
      ? this.#run(LOAD, request, [this.#accessedAge])
      : this.#run(LOAD_IF, request, [this.#accessedAge, ...conditionArguments(condition)]));
    if (isFailure(answered)) return answered;
    if (answered.answer === null) return missing(request);
    const [accessed, bytes] = answered.answer as [Buffer, Buffer];
    const node = nodeOf(answered);
    const before = decodeMeta(bytes);
    const broken = brokenCondition(condition, before);
    if (broken === 'ifMatch') return preconditionFailed(request, before);
    const meta = decodeMeta(bytes, accessed);
    if (broken === 'ifNoneMatch') return { status: 'unchanged', node, meta };
    const whole = { bytes, start: valueStart(bytes), end: bytes.length };
    const value =
      request.action === 'load'
        ? whole
        : await this.#options.scheduler.run('client', select(request, whole));
    return 'status' in value ? value : { status: 'ok', node, meta, value: asKept(value) };
  }

  async #store(request: StoreRequest): Promise<KeptReply> {
    const { bytes, start, end } = request.value;
    const answered = await this.#run(STORE, request, [
      bytes.subarray(start, end),
      encodeTtl(request.ttlNs),
      randomFillSync(Buffer.allocUnsafe(SALT_BYTES)),
      ...conditionArguments(request.condition),
    ]);
    return this.#written(request, answered, asKept(request.value));
  }

  async #delete(request: DeleteRequest): Promise<KeptReply> {
    const args = conditionArguments(request.condition);
    return this.#written(request, await this.#run(DELETE_IF, request, args), undefined);
  }

  async #expire(request: ExpireRequest): Promise<KeptReply> {
    const args = [encodeTtl(request.ttlNs), ...conditionArguments(request.condition)];
    const answered = await this.#run(EXPIRE, request, args);
    if (!isFailure(answered) && answered.answer === null) return missing(request);
    return this.#written(request, answered, undefined);
  }

  #written(
    request: StoreRequest | DeleteRequest | ExpireRequest,
    answered: Answered | Failure,
    value: KeptBytes | undefined,
  ): KeptReply {
    if (isFailure(answered)) return answered;
    const [isDone, header] = answered.answer as [number, Buffer];
    const meta = header.length === 0 ? undefined : decodeMeta(header);
    if (isDone === 0) return preconditionFailed(request, meta);
    const { replicas = 0 } = request;
    if (answered.acknowledged < replicas) return notReplicated(answered, replicas);
    return { status: 'ok', node: nodeOf(answered), meta: meta ?? NO_META, value };
  }

  #run(script: Script, request: Request, args: readonly Argument[]): Promise<Answered | Failure> {
    const name = this.#space.nameOf(request.key);
    const call: Call = {
      slot: this.#space.slotOf(request.key),
      isWrite: ACTIONS[request.action].writes,
      replicas: 'replicas' in request ? (request.replicas ?? 0) : 0,
      send: (server, asks) => server.run(script, [name], args, asks),
    };
    return this.#fleet.ask(call);
  }
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

function missing({ action, key }: Request): Failure {
  const text = keyText(key);
  return failure('KEY_NOT_FOUND', `unable to ${action} ${text} key, ${text} does not exist`);
}
