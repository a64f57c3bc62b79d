/** The peer port: what peers ask of this node, over the channels that they have opened. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { PAGE_TIME_MS } from '../base/limits.ts';
import { isKept, release, type KeptReply, type Reply } from '../record/reply.ts';
import type { WatchPage } from '../record/watch.ts';
import { Channel, type ChannelOptions, type ChannelUser } from './channel.ts';
import { readFence } from './fence.ts';
import { FieldReader } from './fields.ts';
import { ProtocolError, type Frame } from './frame.ts';
import type { NotMine, PeerHost } from './host.ts';
import {
  ADMITTED,
  parseHello,
  parseState,
  REFUSED,
  type Hello,
  type NodeState,
} from './messages.ts';
import { collectPage, pageBytesMax, readPageQuery, writePage, type KeyPage } from './page.ts';
import { RecordReceiver } from './record-receiver.ts';
import type { Pipe } from './transport.ts';
import { readWatchQuery, watchPageBytesMax, writeWatchPage } from './watch.ts';
import { readRequest, replyBytesMax, writeReply } from './wire.ts';

const NO_ROOM = failure('OVERLOADED', 'too many large requests are under way between the members');

export interface SessionOptions extends ChannelOptions {
  readonly host: PeerHost;
  /** The session is that of a peer now. */
  readonly onAdmitted: (session: Session) => void;
  readonly onEnd: (session: Session) => void;
}

/** One channel that was opened to the peer port. */
export class Session implements ChannelUser {
  readonly #channel: Channel;
  readonly #options: SessionOptions;
  readonly #host: PeerHost;
  readonly #remote: string;
  #peer: Hello | undefined;
  #receiver: RecordReceiver | undefined;
  /** How many pieces of a stream are applied, where that has not been told yet. */
  #appliedPieces: number | undefined;
  #isOver = false;
  /** The numbers of requests that are being served, and those of them that the peer has given up. */
  readonly #running = new Set<number>();
  readonly #cancelled = new Set<number>();
  #isAdmitted = false;

  constructor(pipe: Pipe, options: SessionOptions) {
    this.#remote = pipe.remote;
    this.#options = options;
    this.#host = options.host;
    this.#channel = new Channel(pipe, this, options, 'answers');
  }

  /** Who is at the other end; undefined before it has said so. */
  get peer(): Hello | undefined {
    return this.#peer;
  }

  /** Tells the peer what this node knows now. */
  sendState(state: NodeState): void {
    if (this.#isOver || !this.#isAdmitted) return;
    this.#channel.sendText('state', 0, JSON.stringify(state));
  }

  refuse(reason: string): void {
    this.#channel.refuse(reason);
  }

  /** Asks the peer to send nothing more, and to close the channel once it has all its answers. */
  finish(): void {
    if (this.#peer === undefined || this.#receiver !== undefined) {
      this.close('this node is closing');
      return;
    }
    this.#channel.beginFrame('closing', 0, 0);
    this.#channel.endFrame();
  }

  close(reason: string): void {
    this.#channel.close(reason);
  }

  onFrame(frame: Frame): void {
    switch (frame.kind) {
      case 'hello':
        return this.#onHello(parseHello(new FieldReader(frame).text()));
      case 'state':
        return this.#onState(new FieldReader(frame).text());
      case 'refusal':
        return this.#channel.close(`it refuses this node: ${new FieldReader(frame).text()}`);
      case 'request':
        return this.#serve(frame);
      case 'listRequest':
        return this.#list(frame);
      case 'watchRequest':
        return this.#watch(frame);
      case 'cancel':
        return this.#cancel(frame.id);
      case 'stream':
        return this.#receive(new FieldReader(frame).text());
      case 'record':
        if (this.#receiver === undefined) throw new ProtocolError('a record outside of a stream');
        return this.#receiver.onRecord(frame);
      case 'beat':
      case 'part':
      case 'reply':
      case 'listReply':
      case 'watchReply':
      case 'notMine':
      case 'applied':
      case 'closing':
        throw new ProtocolError(`${frame.kind} frame to the side that was dialled`);
    }
  }

  onBeat(): void {}

  onClose(reason: string): void {
    this.#isOver = true;
    this.#options.onEnd(this);
    this.#receiver?.onClose(reason);
    // Whoever gives records here has a stream of its own for that, whose end is told to its receiver.
    if (this.#receiver !== undefined) return;
    const peer = this.#peer;
    if (peer !== undefined) this.#host.on({ kind: 'left', peer, reason });
    else this.#host.on({ kind: 'stranger', remote: this.#remote, reason });
  }

  #onHello(peer: Hello): void {
    if (this.#peer !== undefined) throw new ProtocolError('a second hello');
    this.#peer = peer;
    const refusal = this.#host.admit(peer, undefined);
    const number = refusal === undefined ? ADMITTED : REFUSED;
    this.#channel.sendText('hello', number, JSON.stringify(this.#host.hello()));
    if (refusal !== undefined) return this.#channel.refuse(refusal);
    this.#channel.open();
    this.#isAdmitted = true;
    this.#options.onAdmitted(this);
  }

  #receive(about: string): void {
    if (this.#receiver !== undefined) throw new ProtocolError('a second stream');
    const user = this.#host.receive(this.#peer!, about);
    if (typeof user === 'string') return this.#channel.refuse(user);
    this.#receiver = new RecordReceiver(
      user,
      (appliedPieces) => this.#noteApplied(appliedPieces),
      (reason) => this.#channel.refuse(reason),
    );
  }

  /** What came together is confirmed together. */
  #noteApplied(pieces: number): void {
    if (this.#appliedPieces === undefined) queueMicrotask(() => this.#sendApplied());
    this.#appliedPieces = pieces;
  }

  #sendApplied(): void {
    const pieces = this.#appliedPieces!;
    this.#appliedPieces = undefined;
    if (this.#isOver) return;
    this.#channel.beginFrame('applied', pieces, 0);
    this.#channel.endFrame();
  }

  #onState(text: string): void {
    const state = parseState(text);
    if (this.#peer !== undefined) this.#host.on({ kind: 'state', peer: this.#peer, state });
  }

  /** What is answered at once is: all requests that came together are then answered together. */
  #serve(frame: Frame): void {
    if (frame.isDropped === true) return this.#sendReply(frame.id, NO_ROOM);
    const from = new FieldReader(frame);
    const fence = readFence(from);
    const request = readRequest(from);
    from.done();
    const { id } = frame;
    const reply = this.#host.serveHere(request, fence, () => this.#isForsaken(id));
    if (reply instanceof Promise) this.#answerLater(id, reply);
    else this.#answer(id, reply);
  }

  /** Whether nobody waits for the answer to a request. */
  #isForsaken(id: number): boolean {
    return this.#isOver || this.#cancelled.has(id);
  }

  #answerLater(id: number, reply: Promise<KeptReply | NotMine>): void {
    this.#running.add(id);
    reply.then(
      (kept) => this.#onServed(id, kept),
      (error: unknown) => this.#channel.close(`a defect here: ${String(error)}`),
    );
  }

  #onServed(id: number, reply: KeptReply | NotMine): void {
    this.#running.delete(id);
    if (!this.#cancelled.delete(id)) this.#answer(id, reply);
    else if (reply.status !== 'not-mine') release(reply);
  }

  #cancel(id: number): void {
    if (this.#running.has(id)) this.#cancelled.add(id);
  }

  #answer(id: number, reply: Reply | NotMine): void {
    if (reply.status === 'not-mine') {
      this.#channel.beginFrame('notMine', id, 0);
      this.#channel.endFrame();
    } else {
      this.#sendReply(id, reply);
    }
  }

  #sendReply(id: number, reply: Reply): void {
    const value = reply.status === 'ok' ? reply.value : undefined;
    writeReply(this.#channel.beginFrame('reply', id, replyBytesMax(reply), value), reply);
    this.#channel.endFrame(value && isKept(value) ? value.lease : undefined);
  }

  #list(frame: Frame): void {
    const from = new FieldReader(frame);
    const fence = readFence(from);
    const query = readPageQuery(from);
    const pieces = this.#host.scanHere(query, query.from, fence);
    if ('status' in pieces) return this.#answer(frame.id, pieces);
    const lane = this.#host.scheduler.enter('peer', () => this.#isOver);
    if (isFailure(lane)) return this.#sendReply(frame.id, lane);
    const { timers } = this.#options;
    const dueMs = timers.nowMs() + PAGE_TIME_MS;
    collectPage(pieces, query.limit, lane, () => timers.nowMs() >= dueMs).then(
      (page) => {
        // Keys that have gone to another member while the page was made are not on it.
        const now = this.#host.scanHere(query, query.from, fence);
        return 'status' in now ? this.#answer(frame.id, now) : this.#sendPage(frame.id, page);
      },
      (error: unknown) => this.#channel.close(`a defect here: ${String(error)}`),
    );
  }

  #watch(frame: Frame): void {
    if (frame.isDropped === true) return this.#sendReply(frame.id, NO_ROOM);
    this.#host.watchHere(readWatchQuery(new FieldReader(frame))).then(
      (page) => this.#sendChanges(frame.id, page),
      (error: unknown) => this.#channel.close(`a defect here: ${String(error)}`),
    );
  }

  #sendChanges(id: number, page: WatchPage | Failure): void {
    if (this.#isOver) return;
    if (isFailure(page)) return this.#sendReply(id, page);
    writeWatchPage(this.#channel.beginFrame('watchReply', id, watchPageBytesMax(page)), page);
    this.#channel.endFrame();
  }

  #sendPage(id: number, page: KeyPage): void {
    if (this.#isOver) return;
    writePage(this.#channel.beginFrame('listReply', id, pageBytesMax(page)), page);
    this.#channel.endFrame();
  }
}
