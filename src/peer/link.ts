/** A link: this node's own channel to one peer, over which it sends requests there. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { PEER_REQUESTS_MAX, REQUEST_BEATS_LONGEST, REQUEST_BEATS_MAX } from '../base/limits.ts';
import type { Cancel } from '../base/timers.ts';
import type { KeptReply, NodeRef } from '../record/reply.ts';
import { ACTIONS, textOf, type Action, type Request } from '../record/request.ts';
import type { WatchPage } from '../record/watch.ts';
import { unsendable } from './bounds.ts';
import { Channel, type ChannelOptions, type ChannelUser } from './channel.ts';
import { FENCE_BYTES, writeFence, type Fence } from './fence.ts';
import { FieldReader } from './fields.ts';
import { ProtocolError, type Frame } from './frame.ts';
import type { NotMine, PeerHost } from './host.ts';
import { parseHello, parseState, REFUSED, type Hello, type NodeState } from './messages.ts';
import {
  PAGE_QUERY_BYTES_MAX,
  readPage,
  writePageQuery,
  type KeyPage,
  type PageQuery,
} from './page.ts';
import type { NoPipe, Pipe, Transport } from './transport.ts';
import {
  readWatchPage,
  watchQueryBytesMax,
  writeWatchQuery,
  type WatchPageQuery,
} from './watch.ts';
import { readReply, requestBytesMax, writeRequest } from './wire.ts';

/** How a link is. */
export type Status =
  /** Not up, and why; being dialled, or waiting to be dialled again. */
  | { readonly kind: 'down'; readonly reason: string }
  | { readonly kind: 'up'; readonly channel: Channel; readonly peer: Hello }
  | { readonly kind: 'closed' };

/** What links are made with. */
export interface LinkOptions extends ChannelOptions {
  readonly host: PeerHost;
  readonly transport: Transport;
}

interface Waiting {
  /** Takes the answer. */
  readonly answer: (frame: Frame, peer: NodeRef) => void;
  /** Takes the failure where there is none. */
  readonly fail: (reason: string) => void;
  /** When it was sent, or last seen to get on. */
  readonly beat: number;
  /** Whether nobody wants the answer any more. */
  readonly isGone?: (() => boolean) | undefined;
}

/** What a link has done and has to do. */
export interface LinkStats {
  readonly peer: string;
  /** Requests that wait for an answer. */
  readonly waiting: number;
  /** How often it was made since the start of this node. */
  readonly made: number;
  /** Bytes since then, to the peer and from it, of what this node asks; the last part of a frame counts whole. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

export class Link {
  /** The address that is dialled. */
  readonly address: string;
  readonly #options: LinkOptions;
  readonly #host: PeerHost;
  #status: Status = { kind: 'down', reason: 'not dialled yet' };
  /** A pipe that is being dialled, or a channel over it whose other end has not said hello. */
  #dialling: Cancel | Channel | undefined;
  #stopRedial: Cancel | undefined;
  #attempt = 0;
  /** Whether the peer answers what it was sent, and wants nothing more. */
  #isPeerClosing = false;
  /** By number, in the order in which they were sent or last seen to get on. */
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #made = 0;
  #sentBytes = 0;
  #receivedBytes = 0;
  #beat = 0;
  /** When an answer, or a part of one, last came. */
  #progressBeat = 0;

  constructor(address: string, options: LinkOptions) {
    this.address = address;
    this.#options = options;
    this.#host = options.host;
  }

  get status(): Status {
    return this.#status;
  }

  stats(): LinkStats {
    return {
      peer: this.address,
      waiting: this.#waiting.size,
      made: this.#made,
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
    };
  }

  /** Dials now, unless the link is up, being dialled, or closed. */
  dial(): void {
    if (this.#status.kind !== 'down' || this.#dialling !== undefined) return;
    this.#stopRedial?.();
    this.#dialling = this.#options.transport.dial(this.address, (outcome) =>
      this.#onDialled(outcome),
    );
  }

  /** Closes the link for good. */
  close(): void {
    const status = this.#status;
    if (status.kind === 'closed') return;
    this.#status = { kind: 'closed' };
    this.#stopRedial?.();
    if (status.kind === 'up') status.channel.close('this node is closing');
    else if (this.#dialling instanceof Channel) this.#dialling.close('this node is closing');
    else this.#dialling?.();
  }

  /** Tells the peer what this node knows now. */
  sendState(state: NodeState): void {
    if (this.#status.kind !== 'up') return;
    this.#status.channel.sendText('state', 0, JSON.stringify(state));
  }

  /** Has the peer serve a request, until `isGone` says that nobody waits for it any more. */
  serve(request: Request, fence: Fence, isGone?: () => boolean): Promise<KeptReply | NotMine> {
    const field = unsendable(request);
    if (field !== undefined) {
      const detail = `the request cannot be sent to the owner: its ${field} are out of bounds`;
      return Promise.resolve(failure('INTERNAL_ERROR', detail));
    }
    const bytes = FENCE_BYTES + requestBytesMax(request);
    const channel = this.#usable(bytes);
    if ('status' in channel) return Promise.resolve(channel);
    return new Promise((resolve) => {
      const id = this.#expect({
        answer: (frame, peer) => resolve(readAnswer(frame, peer)),
        fail: (reason) => resolve(lost(request.action, this.address, reason)),
        beat: this.#beat,
        isGone,
      });
      const to = channel.beginFrame('request', id, bytes, textOf(request));
      writeFence(to, fence);
      writeRequest(to, request);
      channel.endFrame();
    });
  }

  /** Has the peer list some of its keys. */
  list(query: PageQuery, fence: Fence): Promise<KeyPage | NotMine | Failure> {
    const channel = this.#usable(0);
    if ('status' in channel) return Promise.resolve(channel);
    return new Promise((resolve) => {
      const id = this.#expect({
        answer: (frame, peer) => resolve(readListAnswer(frame, peer)),
        fail: (reason) => resolve(unavailable(this.address, reason)),
        beat: this.#beat,
      });
      const to = channel.beginFrame('listRequest', id, FENCE_BYTES + PAGE_QUERY_BYTES_MAX);
      writeFence(to, fence);
      writePageQuery(to, query);
      channel.endFrame();
    });
  }

  /** Has the peer tell what has changed there, as soon as something has, or after a while that nothing has. */
  watch(query: WatchPageQuery): Promise<WatchPage | Failure> {
    const bytes = watchQueryBytesMax(query);
    const channel = this.#usable(bytes);
    if ('status' in channel) return Promise.resolve(channel);
    return new Promise((resolve) => {
      const id = this.#expect({
        answer: (frame, peer) => resolve(readWatchAnswer(frame, peer)),
        fail: (reason) => resolve(unavailable(this.address, reason)),
        beat: this.#beat,
      });
      writeWatchQuery(channel.beginFrame('watchRequest', id, bytes), query);
      channel.endFrame();
    });
  }

  /** The channel, or why no request of so many bytes can go over it now. */
  #usable(bytes: number): Channel | Failure {
    const status = this.#status;
    if (status.kind !== 'up') {
      return unavailable(
        this.address,
        status.kind === 'down' ? status.reason : 'the link is closed',
      );
    }
    if (this.#isPeerClosing) return unavailable(this.address, CLOSING);
    const { channel } = status;
    if (this.#waiting.size >= PEER_REQUESTS_MAX || !channel.hasRoom(bytes)) {
      return failure('OVERLOADED', `too many requests wait for the owner ${this.address}`);
    }
    return channel;
  }

  #expect(waiting: Waiting): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    this.#waiting.set(this.#lastId, waiting);
    return this.#lastId;
  }

  #onDialled(outcome: Pipe | NoPipe): void {
    if ('reason' in outcome) this.#onDown(outcome.reason);
    else this.#greet(outcome);
  }

  #greet(pipe: Pipe): void {
    const user: ChannelUser = {
      onFrame: (frame) => this.#onFrame(frame),
      onProgress: (id) => this.#onProgress(id),
      onTraffic: (sentBytes, receivedBytes) => {
        this.#sentBytes += sentBytes;
        this.#receivedBytes += receivedBytes;
      },
      onBeat: () => this.#onBeat(),
      onClose: (reason) => this.#onDown(reason),
    };
    const channel = new Channel(pipe, user, this.#options, 'asks');
    this.#dialling = channel;
    channel.sendText('hello', 0, JSON.stringify(this.#host.hello()));
  }

  #onFrame(frame: Frame): void {
    switch (frame.kind) {
      case 'hello':
        return this.#onHello(frame);
      case 'state':
        return this.#onState(parseState(new FieldReader(frame).text()));
      case 'refusal':
        return this.#closeChannel(`it refuses this node: ${new FieldReader(frame).text()}`);
      case 'closing':
        this.#isPeerClosing = true;
        return this.#closeIfAnswered();
      case 'reply':
      case 'notMine':
      case 'listReply':
      case 'watchReply':
        return this.#onAnswer(frame);
      case 'beat':
      case 'part':
      case 'request':
      case 'listRequest':
      case 'watchRequest':
      case 'record':
      case 'applied':
      case 'stream':
      case 'cancel':
        throw new ProtocolError(`${frame.kind} frame to the side that dialled`);
    }
  }

  #onHello(frame: Frame): void {
    const peer = parseHello(new FieldReader(frame).text());
    const channel = this.#dialling;
    if (!(channel instanceof Channel)) throw new ProtocolError('a second hello');
    const refusal = this.#host.admit(peer, this.address);
    // Who was dialled may have turned out to be this very node, and the link is then closed.
    if (this.#status.kind === 'closed') return;
    if (refusal !== undefined) return channel.refuse(refusal);
    // It says why in the next frame.
    if (frame.id === REFUSED) return;
    channel.open();
    this.#dialling = undefined;
    this.#attempt = 0;
    this.#made++;
    this.#status = { kind: 'up', channel, peer };
    this.#host.on({ kind: 'up', dialled: this.address, peer });
  }

  #onState(state: NodeState): void {
    if (this.#status.kind !== 'up') return;
    this.#host.on({ kind: 'state', peer: this.#status.peer, state });
  }

  #onAnswer(frame: Frame): void {
    const waiting = this.#waiting.get(frame.id);
    // An answer after its deadline: its request has failed already.
    if (waiting === undefined || this.#status.kind !== 'up') return;
    const { id, address: addr } = this.#status.peer;
    this.#progressBeat = this.#beat;
    if (frame.isDropped === true) {
      this.#waiting.delete(frame.id);
      waiting.fail('there is no room for its answer');
      return;
    }
    // In this order: if the answer makes no sense, the channel closes and the request fails.
    waiting.answer(frame, { id, addr });
    this.#waiting.delete(frame.id);
    if (this.#isPeerClosing) this.#closeIfAnswered();
  }

  #closeIfAnswered(): void {
    if (this.#waiting.size === 0) this.#closeChannel(CLOSING);
  }

  #closeChannel(reason: string): void {
    if (this.#status.kind === 'up') this.#status.channel.close(reason);
    else if (this.#dialling instanceof Channel) this.#dialling.close(reason);
  }

  /** What gets on is not given up. */
  #onProgress(id: number): void {
    this.#progressBeat = this.#beat;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined || waiting.beat === this.#beat) return;
    this.#waiting.delete(id);
    this.#waiting.set(id, { ...waiting, beat: this.#beat });
  }

  /** Gives up the requests that have waited too long; they stand in the order of their deadlines. */
  #onBeat(): void {
    this.#beat++;
    this.#cancelForsaken();
    for (const [id, { fail, beat }] of this.#waiting) {
      const isStuck = this.#beat - Math.max(beat, this.#progressBeat) >= REQUEST_BEATS_MAX;
      if (!isStuck && this.#beat - beat < REQUEST_BEATS_LONGEST) break;
      this.#waiting.delete(id);
      fail('it does not answer');
    }
  }

  /** Tells the peer what nobody waits for any more. */
  #cancelForsaken(): void {
    const status = this.#status;
    if (status.kind !== 'up') return;
    for (const [id, { isGone, fail }] of this.#waiting) {
      if (isGone?.() !== true) continue;
      this.#waiting.delete(id);
      status.channel.beginFrame('cancel', id, 0);
      status.channel.endFrame();
      fail('the client has gone');
    }
    if (this.#isPeerClosing) this.#closeIfAnswered();
  }

  #onDown(reason: string): void {
    this.#dialling = undefined;
    this.#isPeerClosing = false;
    for (const { fail } of this.#waiting.values()) fail(reason);
    this.#waiting.clear();
    if (this.#status.kind === 'closed') return;
    this.#status = { kind: 'down', reason };
    this.#attempt++;
    const delayMs = this.#host.redialDelayMs(this.#attempt);
    this.#stopRedial = this.#options.timers.after(delayMs, () => this.dial());
    this.#host.on({ kind: 'down', dialled: this.address, reason, attempt: this.#attempt });
  }
}

/** Why there is no link to a peer that is stopping. */
const CLOSING = 'it is stopping';

function readAnswer(frame: Frame, peer: NodeRef): KeptReply | NotMine {
  const from = new FieldReader(frame);
  if (frame.kind === 'reply') return readReply(from, peer);
  if (frame.kind === 'notMine') return { status: 'not-mine' };
  throw new ProtocolError(`${frame.kind} frame as the answer to a request`);
}

function readListAnswer(frame: Frame, peer: NodeRef): KeyPage | NotMine | Failure {
  if (frame.kind === 'listReply') return readPage(frame);
  const answer = readAnswer(frame, peer);
  if (isFailure(answer) || answer.status === 'not-mine') return answer;
  throw new ProtocolError('a record as the answer to a listing');
}

function readWatchAnswer(frame: Frame, peer: NodeRef): WatchPage | Failure {
  if (frame.kind === 'watchReply') return readWatchPage(new FieldReader(frame));
  const answer = readAnswer(frame, peer);
  if (isFailure(answer)) return answer;
  throw new ProtocolError('a record as the answer to a watch');
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
