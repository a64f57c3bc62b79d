/** A link: this node's own connection to one peer, over which it sends requests there. */

import type { Socket } from 'node:net';

import { failure, isFailure, type Failure } from '../base/errors.ts';
import {
  KEY_BYTES_MAX,
  PEER_REQUESTS_MAX,
  PEER_UNSENT_BYTES_MAX,
  REQUEST_BEATS_MAX,
} from '../base/limits.ts';
import type { KeptReply, NodeRef } from '../record/reply.ts';
import { ACTIONS, type Action, type Request } from '../record/request.ts';
import { Connection, type ConnectionUser } from './connection.ts';
import { FieldReader } from './fields.ts';
import { ProtocolError, type Frame } from './frame.ts';
import {
  parseHello,
  parseState,
  parseTopology,
  type Hello,
  type NodeState,
  type TopologyFacts,
} from './messages.ts';
import { readPage, writePageQuery, type KeyPage, type PageQuery } from './page.ts';
import type { Transport } from './transport.ts';
import { readReply, requestBytesMax, writeRequest } from './wire.ts';

/** How a link is. */
export type Status =
  /** Not up, and why; being dialled, or waiting to be dialled again. */
  | { readonly kind: 'down'; readonly reason: string }
  | { readonly kind: 'up'; readonly connection: Connection; readonly peer: Hello }
  | { readonly kind: 'closed' };

/** The answer of a node that is not the owner of the key: the topology that it goes by. */
export interface NotMine {
  readonly status: 'not-mine';
  readonly topology: TopologyFacts;
}

/** Whoever has links. */
export interface LinkOwner {
  /** What this node says first. */
  hello(): Hello;
  /** Decides on what the node at the other end said first; a text refuses it. */
  welcome(link: Link, hello: Hello): string | undefined;
  onUp(link: Link, peer: Hello): void;
  /** A link that was up is down, or an attempt to get it up, the `attempt`th in a row, has failed. */
  onDown(link: Link, reason: string, attempt: number): void;
  onPeerState(peer: Hello, state: NodeState): void;
  /** How long to wait before dialling again, after `attempt` attempts in a row that failed. */
  redialDelayMs(attempt: number): number;
}

interface Waiting {
  /** Takes the answer. */
  readonly answer: (frame: Frame, peer: NodeRef) => void;
  /** Takes the failure where there is none. */
  readonly fail: (reason: string) => void;
  readonly beat: number;
}

export class Link {
  /** The address that is dialled. */
  readonly address: string;
  readonly #owner: LinkOwner;
  readonly #transport: Transport;
  #status: Status = { kind: 'down', reason: 'not dialled yet' };
  #dialling: Socket | Connection | undefined;
  #redial: NodeJS.Timeout | undefined;
  #attempt = 0;
  /** By number, and so in the order in which they were sent. */
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #beat = 0;

  constructor(address: string, owner: LinkOwner, transport: Transport) {
    this.address = address;
    this.#owner = owner;
    this.#transport = transport;
  }

  get status(): Status {
    return this.#status;
  }

  /** Dials now, unless the link is up, being dialled, or closed. */
  dial(): void {
    if (this.#status.kind !== 'down' || this.#dialling !== undefined) return;
    clearTimeout(this.#redial);
    this.#dialling = this.#transport.dial(this.address, {
      onSocket: (socket) => this.#greet(socket),
      onFailure: (_, reason) => this.#onDown(reason),
    });
  }

  /** Closes the link for good. */
  close(): void {
    const status = this.#status;
    if (status.kind === 'closed') return;
    this.#status = { kind: 'closed' };
    clearTimeout(this.#redial);
    if (status.kind === 'up') status.connection.close('this node is closing');
    else if (this.#dialling instanceof Connection) this.#dialling.close('this node is closing');
    else this.#dialling?.destroy();
  }

  /** Tells the peer what this node knows now. */
  sendState(state: NodeState): void {
    if (this.#status.kind !== 'up') return;
    this.#status.connection.sendText('state', 0, JSON.stringify(state));
  }

  /** Has the peer serve a request. */
  serve(request: Request): Promise<KeptReply | NotMine> {
    const connection = this.#usable();
    if ('status' in connection) return Promise.resolve(connection);
    return new Promise((resolve) => {
      const id = this.#expect({
        answer: (frame, peer) => resolve(readAnswer(frame, peer)),
        fail: (reason) => resolve(lost(request.action, this.address, reason)),
        beat: this.#beat,
      });
      writeRequest(connection.beginFrame('request', id, requestBytesMax(request)), request);
      connection.endFrame();
    });
  }

  /** Has the peer list some of its keys. */
  list(query: PageQuery): Promise<KeyPage | Failure> {
    const connection = this.#usable();
    if ('status' in connection) return Promise.resolve(connection);
    return new Promise((resolve) => {
      const id = this.#expect({
        answer: (frame, peer) => resolve(readListAnswer(frame, peer)),
        fail: (reason) => resolve(unavailable(this.address, reason)),
        beat: this.#beat,
      });
      writePageQuery(connection.beginFrame('listRequest', id, 2 * KEY_BYTES_MAX + 16), query);
      connection.endFrame();
    });
  }

  /** The connection, or why no request can go over it now. */
  #usable(): Connection | Failure {
    const status = this.#status;
    if (status.kind !== 'up') {
      return unavailable(
        this.address,
        status.kind === 'down' ? status.reason : 'the link is closed',
      );
    }
    const { connection } = status;
    if (
      this.#waiting.size >= PEER_REQUESTS_MAX ||
      connection.unsentBytes >= PEER_UNSENT_BYTES_MAX
    ) {
      return failure('OVERLOADED', `too many requests wait for the owner ${this.address}`);
    }
    return connection;
  }

  #expect(waiting: Waiting): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    this.#waiting.set(this.#lastId, waiting);
    return this.#lastId;
  }

  #greet(socket: Socket): void {
    const user: ConnectionUser = {
      onFrame: (frame) => this.#onFrame(frame),
      onBeat: () => this.#onBeat(),
      onClose: (reason) => this.#onDown(reason),
    };
    // Answers are always read: if both sides waited for the other to read, both would for ever.
    const connection = new Connection(socket, user, Infinity);
    this.#dialling = connection;
    connection.sendText('hello', 0, JSON.stringify(this.#owner.hello()));
  }

  #onFrame(frame: Frame): void {
    switch (frame.kind) {
      case 'hello':
        return this.#onHello(parseHello(new FieldReader(frame).text()));
      case 'state':
        return this.#onState(parseState(new FieldReader(frame).text()));
      case 'refusal':
        return this.#closeConnection(`it refuses this node: ${new FieldReader(frame).text()}`);
      case 'reply':
      case 'notMine':
      case 'listReply':
        return this.#onAnswer(frame);
      case 'beat':
      case 'request':
      case 'listRequest':
        throw new ProtocolError(`${frame.kind} frame to the side that dialled`);
    }
  }

  #onHello(peer: Hello): void {
    const connection = this.#dialling;
    if (!(connection instanceof Connection)) throw new ProtocolError('a second hello');
    const refusal = this.#owner.welcome(this, peer);
    // Who was dialled may have turned out to be this very node, and the link is then closed.
    if (this.#status.kind === 'closed') return;
    if (refusal !== undefined) return connection.refuse(refusal);
    connection.open();
    this.#dialling = undefined;
    this.#attempt = 0;
    this.#status = { kind: 'up', connection, peer };
    this.#owner.onUp(this, peer);
  }

  #onState(state: NodeState): void {
    if (this.#status.kind === 'up') this.#owner.onPeerState(this.#status.peer, state);
  }

  #onAnswer(frame: Frame): void {
    const waiting = this.#waiting.get(frame.id);
    // An answer after its deadline: its request has failed already.
    if (waiting === undefined || this.#status.kind !== 'up') return;
    const { id, address: addr } = this.#status.peer;
    // In this order: if the answer makes no sense, the connection closes and the request fails.
    waiting.answer(frame, { id, addr });
    this.#waiting.delete(frame.id);
  }

  #closeConnection(reason: string): void {
    if (this.#status.kind === 'up') this.#status.connection.close(reason);
    else if (this.#dialling instanceof Connection) this.#dialling.close(reason);
  }

  /** Gives up the requests that have waited too long; they stand in the order of their deadlines. */
  #onBeat(): void {
    this.#beat++;
    for (const [id, { fail, beat }] of this.#waiting) {
      if (this.#beat - beat < REQUEST_BEATS_MAX) break;
      this.#waiting.delete(id);
      fail('it does not answer');
    }
  }

  #onDown(reason: string): void {
    this.#dialling = undefined;
    for (const { fail } of this.#waiting.values()) fail(reason);
    this.#waiting.clear();
    if (this.#status.kind === 'closed') return;
    this.#status = { kind: 'down', reason };
    this.#attempt++;
    this.#redial = setTimeout(() => this.dial(), this.#owner.redialDelayMs(this.#attempt));
    this.#owner.onDown(this, reason, this.#attempt);
  }
}

function readAnswer(frame: Frame, peer: NodeRef): KeptReply | NotMine {
  const from = new FieldReader(frame);
  if (frame.kind === 'reply') return readReply(from, peer);
  if (frame.kind === 'notMine') return { status: 'not-mine', topology: parseTopology(from.text()) };
  throw new ProtocolError(`${frame.kind} frame as the answer to a request`);
}

function readListAnswer(frame: Frame, peer: NodeRef): KeyPage | Failure {
  if (frame.kind !== 'reply') return readPage(frame);
  const reply = readReply(new FieldReader(frame), peer);
  if (!isFailure(reply)) throw new ProtocolError('a record as the answer to a listing');
  return reply;
}

function unavailable(address: string, reason: string): Failure {
  return failure('OWNER_UNAVAILABLE', `the owner ${address} is not reachable: ${reason}`);
}

/** The failure of a request that was sent and not answered. */
function lost(action: Action, address: string, reason: string): Failure {
  if (!ACTIONS[action].writes) return unavailable(address, reason);
  const detail = `the owner ${address} may or may not have done the ${action}: ${reason}`;
  return failure('OUTCOME_UNKNOWN', detail);
}
