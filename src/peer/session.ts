/** The peer port: what peers ask of this node, over the connections that they have made. */

import type { Socket } from 'node:net';

import { failure } from '../base/errors.ts';
import { PEER_LISTINGS_MAX, PEER_UNREAD_BYTES_MAX } from '../base/limits.ts';
import type { Lister } from '../record/lister.ts';
import type { Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import { Connection, type ConnectionUser } from './connection.ts';
import { FieldReader } from './fields.ts';
import { ProtocolError, type Frame } from './frame.ts';
import type { NotMine } from './link.ts';
import { parseHello, parseState, type Hello, type NodeState } from './messages.ts';
import { collectPage, pageBytesMax, readPageQuery, writePage, type PageQuery } from './page.ts';
import { remoteOf, type Transport } from './transport.ts';
import { readRequest, replyBytesMax, writeReply } from './wire.ts';

/** What is behind the peer port. */
export interface PeerService {
  /** What this node says first. */
  hello(): Hello;
  /** Decides on what a node that has dialled said first; a text refuses it. */
  admit(peer: Hello): string | undefined;
  /** A connection has ended on which nobody said hello. */
  onStranger(remote: string, reason: string): void;
  /** The connection has ended that a peer had made. */
  onPeerGone(address: string, reason: string): void;
  onPeerState(peer: Hello, state: NodeState): void;
  /** Serves a request here, and only here: a node never sends on what a peer has sent it. */
  serveHere(request: Request): Reply | NotMine;
  readonly lister: Lister;
}

export class PeerServer {
  readonly #transport: Transport;
  readonly #service: PeerService;
  readonly #sessions = new Set<Session>();

  constructor(transport: Transport, service: PeerService) {
    this.#transport = transport;
    this.#service = service;
  }

  /** Starts to serve those who connect. */
  start(): void {
    this.#transport.accept({
      onSocket: (socket) => void this.#open(socket),
      onStranger: (socket, reason) => this.#open(socket).refuse(reason),
      onFailure: (remote, reason) => this.#service.onStranger(remote, reason),
    });
  }

  #open(socket: Socket): Session {
    const session = new Session(socket, this.#service, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }

  /** Stops listening and closes all connections. */
  close(): void {
    this.#transport.close();
    for (const session of this.#sessions) session.close();
  }
}

/** One connection that was made to the peer port. */
class Session implements ConnectionUser {
  readonly #connection: Connection;
  readonly #service: PeerService;
  readonly #onEnd: () => void;
  readonly #remote: string;
  #peer: Hello | undefined;
  #listings = 0;

  constructor(socket: Socket, service: PeerService, onEnd: () => void) {
    this.#remote = remoteOf(socket);
    this.#service = service;
    this.#onEnd = onEnd;
    this.#connection = new Connection(socket, this, PEER_UNREAD_BYTES_MAX);
  }

  refuse(reason: string): void {
    this.#connection.refuse(reason);
  }

  close(): void {
    this.#connection.close('this node is closing');
  }

  onFrame(frame: Frame): void {
    switch (frame.kind) {
      case 'hello':
        return this.#onHello(parseHello(new FieldReader(frame).text()));
      case 'state':
        return this.#onState(parseState(new FieldReader(frame).text()));
      case 'refusal':
        return this.#connection.close(`it refuses this node: ${new FieldReader(frame).text()}`);
      case 'request':
        return this.#serve(frame);
      case 'listRequest':
        return this.#list(frame);
      case 'beat':
      case 'reply':
      case 'listReply':
      case 'notMine':
        throw new ProtocolError(`${frame.kind} frame to the side that was dialled`);
    }
  }

  onBeat(): void {}

  onClose(reason: string): void {
    this.#onEnd();
    if (this.#peer === undefined) this.#service.onStranger(this.#remote, reason);
    else this.#service.onPeerGone(this.#peer.address, reason);
  }

  #onHello(peer: Hello): void {
    if (this.#peer !== undefined) throw new ProtocolError('a second hello');
    this.#peer = peer;
    const refusal = this.#service.admit(peer);
    this.#connection.sendText('hello', 0, JSON.stringify(this.#service.hello()));
    if (refusal !== undefined) return this.#connection.refuse(refusal);
    this.#connection.open();
  }

  #onState(state: NodeState): void {
    if (this.#peer !== undefined) this.#service.onPeerState(this.#peer, state);
  }

  /** Serves without a promise: all requests that came together are answered together. */
  #serve(frame: Frame): void {
    const from = new FieldReader(frame);
    const request = readRequest(from);
    from.done();
    const reply = this.#service.serveHere(request);
    if (reply.status === 'not-mine') {
      this.#connection.sendText('notMine', frame.id, JSON.stringify(reply.topology));
    } else {
      this.#sendReply(frame.id, reply);
    }
  }

  #sendReply(id: number, reply: Reply): void {
    writeReply(this.#connection.beginFrame('reply', id, replyBytesMax(reply)), reply);
    this.#connection.endFrame();
  }

  #list(frame: Frame): void {
    const query = readPageQuery(frame);
    if (this.#listings === PEER_LISTINGS_MAX) {
      return this.#sendReply(frame.id, failure('OVERLOADED', 'too many listings are running'));
    }
    this.#listings++;
    void this.#sendPage(frame.id, query)
      .catch((error: unknown) => this.#connection.close(`a defect here: ${String(error)}`))
      .finally(() => this.#listings--);
  }

  async #sendPage(id: number, query: PageQuery): Promise<void> {
    const page = await collectPage(this.#service.lister, query);
    writePage(this.#connection.beginFrame('listReply', id, pageBytesMax(page)), page);
    this.#connection.endFrame();
  }
}
