/** A stream of records to another member: in order, on a channel of its own, at the receiver's pace. */

import { Deferred } from '../base/deferred.ts';
import {
  STREAM_REST_MAX_MS,
  STREAM_ROUND_BYTES_MAX,
  STREAM_ROUND_BYTES_MIN,
  STREAM_UNAPPLIED_BYTES_MAX,
} from '../base/limits.ts';
import type { Timers } from '../base/timers.ts';
import { Channel, type ChannelOptions, type ChannelUser } from './channel.ts';
import { FieldReader } from './fields.ts';
import { ProtocolError, type Frame } from './frame.ts';
import type { PeerHost } from './host.ts';
import { parseHello, REFUSED, type Hello } from './messages.ts';
import type { Rate } from './rate.ts';
import { pieceBytesMax, writePiece, type RecordPiece } from './record-piece.ts';
import type { NoPipe, Pipe, Transport } from './transport.ts';

export interface RecordStreamOptions extends ChannelOptions {
  readonly host: PeerHost;
  readonly transport: Transport;
  /** What copies may take, all streams of this node together. */
  readonly rate: Rate;
}

/** Whom a stream leads to, and what it is about: text that the receiver's host understands. */
export interface StreamTarget {
  readonly address: string;
  /** The life of the node there; another one gets nothing. */
  readonly life: string;
  readonly about: string;
}

/** How many times as long as a round of copies the rest after it is. */
const RESTS_PER_ROUND = 12;

/** A round that took longer is followed by one of half its size, another by one of twice that. */
const ROUND_MS = 5;

/** A piece that is not known to be applied. */
interface Unapplied {
  readonly bytes: number;
  readonly done: ((isApplied: boolean) => void) | undefined;
}

export class RecordStream implements ChannelUser {
  readonly #target: StreamTarget;
  readonly #options: RecordStreamOptions;
  readonly #timers: Timers;
  readonly #onClose: (reason: string) => void;
  #channel: Channel | undefined;
  #stopDialling: (() => void) | undefined;
  #isOpen = false;
  #isClosed = false;
  #sentPieces = 0;
  #appliedPieces = 0;
  /** In the order in which they were sent. */
  readonly #unapplied: Unapplied[] = [];
  #unappliedBytes = 0;
  /** Resolves when the receiver takes the stream, or the stream is over. */
  readonly #opened = new Deferred();
  /** Copies are sent in rounds: how much of this one is sent, since when, and what tells that it is applied. */
  #roundBytes = 0;
  #roundBytesMax = STREAM_ROUND_BYTES_MIN;
  #roundStartMs: number;
  #roundEnd = new Deferred();

  /** `onClose` is told once why the stream is over; nothing if this side closes it. */
  constructor(
    target: StreamTarget,
    options: RecordStreamOptions,
    onClose: (reason: string) => void,
  ) {
    this.#target = target;
    this.#options = options;
    this.#timers = options.timers;
    this.#onClose = onClose;
    this.#roundStartMs = this.#timers.nowMs();
    this.#stopDialling = options.transport.dial(target.address, (outcome) =>
      this.#onDialled(outcome),
    );
  }

  /**
   * Waits until another copy may be sent: the copies before it are applied, both sides have had a rest,
   * and the rate allows it. False if the stream is over.
   */
  room(): boolean | Promise<boolean> {
    if (this.#isClosed) return false;
    if (!this.#isOpen) return this.#opened.promise.then(() => this.room());
    if (this.#roundBytes >= this.#roundBytesMax) return this.#nextRound();
    const waitMs = this.#options.rate.waitMs();
    if (waitMs === 0) return true;
    this.#roundStartMs += waitMs;
    return this.#rest(waitMs);
  }

  /** A round of copies is followed by a rest of several times as long, for requests go first. */
  async #nextRound(): Promise<boolean> {
    await this.#roundEnd.promise;
    this.#roundEnd = new Deferred();
    const tookMs = this.#timers.nowMs() - this.#roundStartMs;
    const restMs = Math.min(Math.max(tookMs, 0) * RESTS_PER_ROUND, STREAM_REST_MAX_MS);
    this.#roundBytes = 0;
    const size = this.#roundBytesMax * (tookMs > ROUND_MS ? 0.5 : 2);
    this.#roundBytesMax = Math.min(Math.max(size, STREAM_ROUND_BYTES_MIN), STREAM_ROUND_BYTES_MAX);
    this.#roundStartMs = this.#timers.nowMs() + restMs;
    return await this.#rest(restMs);
  }

  async #rest(ms: number): Promise<boolean> {
    await new Promise<void>((resolve) => void this.#timers.after(ms, resolve));
    return await this.room();
  }

  /**
   * Sends a piece after all that were sent before; its value is copied at once. Resolves to whether the
   * receiver has applied it, which it has not if the stream is over first.
   */
  send(piece: RecordPiece): Promise<boolean> {
    if (!this.#write(piece)) return Promise.resolve(false);
    return new Promise((done) => this.#unapplied.push({ bytes: pieceBytesMax(piece), done }));
  }

  /** Sends a copy, for which there must be room; whether it is applied tells what is sent after it. */
  copy(piece: RecordPiece): void {
    if (!this.#write(piece)) return;
    const bytes = pieceBytesMax(piece);
    this.#options.rate.spend(bytes);
    this.#roundBytes += bytes;
    const isLast = this.#roundBytes >= this.#roundBytesMax;
    this.#unapplied.push({ bytes, done: isLast ? () => this.#roundEnd.resolve() : undefined });
  }

  /** Sends a piece; false if the stream is over. */
  #write(piece: RecordPiece): boolean {
    const channel = this.#channel;
    if (channel === undefined || !this.#isOpen || this.#isClosed) return false;
    const bytes = pieceBytesMax(piece);
    if (this.#unappliedBytes + bytes > STREAM_UNAPPLIED_BYTES_MAX) {
      this.#end('it does not keep up with what is written here');
      return false;
    }
    this.#sentPieces = (this.#sentPieces + 1) >>> 0;
    writePiece(channel.beginFrame('record', this.#sentPieces, bytes), piece);
    channel.endFrame();
    this.#unappliedBytes += bytes;
    return true;
  }

  /** Ends the stream; resolves to whether the receiver has applied all of it. */
  async end(): Promise<boolean> {
    const isApplied = await this.send({ kind: 'end' });
    this.close('the stream has ended');
    return isApplied;
  }

  /** Closes the stream at once. */
  close(reason: string): void {
    this.#isClosed = true;
    this.#stopDialling?.();
    this.#channel?.close(reason);
    this.#settle();
  }

  onFrame(frame: Frame): void {
    switch (frame.kind) {
      case 'hello':
        return this.#onHello(frame.id, parseHello(new FieldReader(frame).text()));
      case 'refusal':
        return this.#end(`it refuses: ${new FieldReader(frame).text()}`);
      case 'state':
      case 'closing':
        return;
      case 'applied':
        return this.#onApplied(frame.id);
      case 'beat':
      case 'part':
      case 'request':
      case 'reply':
      case 'listRequest':
      case 'listReply':
      case 'notMine':
      case 'record':
      case 'stream':
      case 'watchRequest':
      case 'watchReply':
      case 'cancel':
        throw new ProtocolError(`${frame.kind} frame to the sender of a stream`);
    }
  }

  onBeat(): void {}

  onClose(reason: string): void {
    this.#end(reason);
  }

  #onDialled(outcome: Pipe | NoPipe): void {
    this.#stopDialling = undefined;
    if ('reason' in outcome) return this.#end(outcome.reason);
    this.#channel = new Channel(outcome, this, this.#options, 'streams');
    this.#channel.sendText('hello', 0, JSON.stringify(this.#options.host.hello()));
  }

  #onHello(number: number, peer: Hello): void {
    const channel = this.#channel!;
    if (this.#isOpen) throw new ProtocolError('a second hello');
    if (number === REFUSED) return;
    if (peer.life !== this.#target.life) return this.#end('another life of the node is there');
    channel.open();
    channel.sendText('stream', 0, this.#target.about);
  }

  /** The receiver has applied all up to this piece; 0 says that it takes the stream. */
  #onApplied(number: number): void {
    if (number === 0 && !this.#isOpen) {
      this.#isOpen = true;
      this.#roundStartMs = this.#timers.nowMs();
      this.#opened.resolve();
    } else {
      const count = (number - this.#appliedPieces) >>> 0;
      if (count > this.#unapplied.length) throw new ProtocolError('it applied what was not sent');
      this.#appliedPieces = number;
      for (const { bytes, done } of this.#unapplied.splice(0, count)) {
        this.#unappliedBytes -= bytes;
        done?.(true);
      }
    }
  }

  #end(reason: string): void {
    if (this.#isClosed) return;
    this.close(reason);
    this.#onClose(reason);
  }

  #settle(): void {
    for (const { done } of this.#unapplied.splice(0)) done?.(false);
    this.#opened.resolve();
  }
}
