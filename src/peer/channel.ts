/** A channel between two peers: frames in both directions, signs of life, bounded buffers. */

import type { Budget } from '../base/budget.ts';
import type { Lease } from '../base/lease.ts';
import {
  BEAT_MS,
  DIALLED_HELLO_BEATS_MAX,
  FRAME_BEATS_MAX,
  HELLO_BEATS_MAX,
  LARGE_FRAMES_AT_ONCE,
  MUTE_BEATS_MAX,
  PART_BYTES_MAX,
  PEER_FINISH_TIMEOUT_MS,
  PEER_UNREAD_BYTES_MAX,
  PEER_UNSENT_BYTES_MAX,
  PEER_UNSENT_SMALL_BYTES_MAX,
  PEER_WINDOW_BYTES,
  REFUSAL_BYTES_MAX,
  SILENT_BEATS_MAX,
} from '../base/limits.ts';
import type { Cancel, Timers } from '../base/timers.ts';
import type { ByteRange } from '../record/reply.ts';
import {
  canBeLarge,
  type Frame,
  type FrameKind,
  FrameReader,
  FrameWriter,
  isReferred,
  ProtocolError,
} from './frame.ts';
import { PartReader, PartWriter } from './parts.ts';
import type { Pipe } from './transport.ts';

/** The first bytes on a channel, in both directions; whoever sends others is no peer. */
const MAGIC = Buffer.from('memhashd');

/** Whoever uses a channel. */
export interface ChannelUser {
  /**
   * A frame has come. Of one with `isDropped` there is no body.
   *
   * @throws ProtocolError if the frame is not what it must be; that closes the channel.
   */
  onFrame(frame: Frame): void;
  /** The frame of the number `id`, which is large, has got on in one direction or the other. */
  onProgress?(id: number): void;
  /** So many bytes were sent and received. */
  onTraffic?(sentBytes: number, receivedBytes: number): void;
  /** Time has gone on by one beat. */
  onBeat(): void;
  /** The channel is closed; called once. */
  onClose(reason: string): void;
}

/** What all channels of a node share. */
export interface ChannelOptions {
  readonly timers: Timers;
  /** For large frames on their way in. */
  readonly incoming: Budget;
  /** For large frames on their way out. */
  readonly outgoing: Budget;
  /** For what those have sent who have not said hello. */
  readonly strangers: Budget;
}

/**
 * What a side does. One that answers stops to read while what it has answered is not read: if both
 * sides did, both might wait for the other for ever. On a stream large frames keep their order.
 */
export type ChannelRole = 'asks' | 'answers' | 'streams';

export class Channel {
  readonly #pipe: Pipe;
  readonly #user: ChannelUser;
  readonly #options: ChannelOptions;
  readonly #role: ChannelRole;
  readonly #reader = new FrameReader();
  readonly #partReader: PartReader;
  readonly #writer = new FrameWriter();
  readonly #partWriter: PartWriter;
  readonly #stopBeats: Cancel;
  #phase: 'magic' | 'hello' | 'open' | 'closed' = 'magic';
  #magicBytes = 0;
  /** Bytes in `#writer`, not yet handed to the pipe. */
  #gatheredBytes = 0;
  /** Of bytes that the pipe may not have passed on yet. */
  #leases: Lease[] = [];
  /** Bytes of parts that may still be sent in this turn of the loop: others want their share of it, too. */
  #leftBytes = PEER_WINDOW_BYTES;
  /** Builds the frame that is begun, if it is large. */
  #largeWriter: FrameWriter | undefined;
  #largeId = 0;
  #isFlushDue = false;
  #isReading = false;
  #isBlocked = false;
  /** What is taken of the budget for strangers. */
  #strangeBytes = 0;
  /** Beats since bytes have come, since some have left while there were any, and since the frame began. */
  #silentBeats = 0;
  #stuckBeats = 0;
  #frameBeats = 0;
  #framesBefore = 0;
  #helloBeats = 0;
  #wasSilent = false;
  /** Set while the peer is given time to read why it was refused. */
  #giveUp: Cancel | undefined;

  constructor(pipe: Pipe, user: ChannelUser, options: ChannelOptions, role: ChannelRole) {
    this.#pipe = pipe;
    this.#user = user;
    this.#options = options;
    this.#role = role;
    this.#partReader = new PartReader(options.incoming);
    this.#partWriter = new PartWriter(
      options.outgoing,
      role === 'streams' ? 1 : LARGE_FRAMES_AT_ONCE,
    );
    this.#stopBeats = options.timers.every(BEAT_MS, () => this.#onBeat());
    pipe.attach({
      onBytes: (chunk) => this.#onBytes(chunk),
      onSent: () => this.#onSent(),
      onClose: (reason) => this.#onEnd(reason),
    });
    pipe.write([MAGIC]);
  }

  /** Whether so many bytes more may wait for the peer; small frames never wait for large ones. */
  hasRoom(bytes: number): boolean {
    if (bytes > PART_BYTES_MAX) return this.#hasLargeRoom;
    return this.#gatheredBytes + this.#pipe.unsentBytes < PEER_UNSENT_SMALL_BYTES_MAX;
  }

  get #hasLargeRoom(): boolean {
    const { unsentBytes } = this.#partWriter;
    return unsentBytes < PEER_UNSENT_BYTES_MAX && !this.#options.outgoing.isSpent;
  }

  /** Tells that the peer has said hello and may send anything now. */
  open(): void {
    this.#phase = 'open';
    this.#holdStrange(0);
  }

  /**
   * Starts a frame, to be written to what this returns and finished by {@link Channel.endFrame}.
   * `bodyBytesMax` is at least what its body takes, with the value that is the largest part of it.
   */
  beginFrame(kind: FrameKind, id: number, bodyBytesMax: number, value?: ByteRange): FrameWriter {
    const isQueued = this.#role === 'streams' && this.#partWriter.unsentBytes > 0;
    const isLarge = (bodyBytesMax > PART_BYTES_MAX || isQueued) && canBeLarge(kind);
    const ownBytes = isReferred(value) ? bodyBytesMax - (value.end - value.start) : bodyBytesMax;
    this.#largeWriter = isLarge ? new FrameWriter(ownBytes) : undefined;
    this.#largeId = id;
    const writer = this.#largeWriter ?? this.#writer;
    writer.begin(kind, id, ownBytes);
    return writer;
  }

  /** Finishes a frame; all frames of one turn go out together, at its end. Takes a lease of what it refers to. */
  endFrame(lease?: Lease): void {
    if (this.#phase === 'closed') return lease?.release();
    if (this.#largeWriter === undefined) {
      this.#gatheredBytes += this.#writer.end();
      lease?.release();
    } else this.#addLarge(this.#largeWriter, lease);
    this.#wasSilent = false;
    if (this.#isReading || this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.timers.soon(() => this.#flush());
  }

  /** Sends a frame whose body is `text`. */
  sendText(kind: FrameKind, id: number, text: string): void {
    this.beginFrame(kind, id, 3 * text.length).utf8(text);
    this.endFrame();
  }

  /** Closes the channel, having told the peer why. */
  refuse(reason: string): void {
    if (this.#phase === 'closed') return;
    this.sendText('refusal', 0, reason.slice(0, REFUSAL_BYTES_MAX / 3));
    this.#flush();
    this.#end();
    // To destroy a pipe with bytes unread resets the connection, and the peer would never know why.
    this.#pipe.end();
    this.#giveUp = this.#options.timers.after(PEER_FINISH_TIMEOUT_MS, () => this.#pipe.destroy());
    this.#user.onClose(reason);
  }

  /** Closes the channel at once. */
  close(reason: string): void {
    if (this.#phase === 'closed') return;
    this.#end();
    this.#pipe.destroy();
    this.#releaseLeases();
    this.#user.onClose(reason);
  }

  #end(): void {
    this.#phase = 'closed';
    this.#stopBeats();
    this.#partReader.close();
    this.#leases.push(...this.#partWriter.close());
    this.#holdStrange(0);
  }

  #onEnd(reason: string): void {
    this.#giveUp?.();
    this.#releaseLeases();
    const hint = ' before its hello (is -tls-cert set on one side only?)';
    this.close(this.#phase === 'magic' ? reason + hint : reason);
  }

  #addLarge(writer: FrameWriter, lease: Lease | undefined): void {
    writer.end();
    this.#partWriter.add(this.#largeId, writer.take(), lease);
  }

  #releaseLeases(): void {
    for (const lease of this.#leases.splice(0)) lease.release();
  }

  /** Sends the small frames, and parts of large ones as far as the peer takes them. */
  #flush(): void {
    this.#isFlushDue = false;
    if (this.#phase === 'closed') return;
    if (this.#gatheredBytes > 0) {
      this.#user.onTraffic?.(this.#gatheredBytes, 0);
      this.#gatheredBytes = 0;
      this.#pipe.write(this.#writer.take());
    }
    if (this.#partWriter.unsentBytes > 0) this.#sendParts();
  }

  #sendParts(): void {
    while (this.#pipe.unsentBytes < PEER_WINDOW_BYTES && this.#leftBytes > 0) {
      const part = this.#partWriter.next();
      if (part === undefined) return;
      if (part.lease !== undefined) this.#leases.push(part.lease);
      if (this.#leftBytes === PEER_WINDOW_BYTES) {
        this.#options.timers.soon(() => this.#onNextTurn());
      }
      this.#leftBytes -= PART_BYTES_MAX;
      this.#pipe.write(part.buffers);
      this.#user.onTraffic?.(PART_BYTES_MAX, 0);
      this.#user.onProgress?.(part.id);
    }
  }

  #onNextTurn(): void {
    this.#leftBytes = PEER_WINDOW_BYTES;
    if (this.#phase !== 'closed') this.#sendParts();
  }

  #onBytes(chunk: Buffer): void {
    // Whoever was refused may go on sending for a moment.
    if (this.#phase === 'closed') return;
    this.#silentBeats = 0;
    this.#user.onTraffic?.(0, chunk.length);
    this.#reader.push(this.#phase === 'magic' ? this.#readMagic(chunk) : chunk);
    this.#read();
  }

  /** Checks the first bytes, as many as there are; returns what follows them. */
  #readMagic(chunk: Buffer): Buffer {
    const expected = MAGIC.subarray(this.#magicBytes);
    const found = chunk.subarray(0, expected.length);
    this.#magicBytes += found.length;
    if (!expected.subarray(0, found.length).equals(found)) {
      this.close(`it speaks ${guessProtocol(chunk)}`);
    } else if (this.#magicBytes === MAGIC.length) {
      this.#phase = 'hello';
    }
    return chunk.subarray(found.length);
  }

  /** The peer reads: that is a sign of life, too, where there was more to read than the system takes. */
  #onSent(): void {
    this.#stuckBeats = 0;
    if (this.#pipe.unsentBytes === 0) this.#releaseLeases();
    if (this.#phase === 'closed') return;
    if (this.#partWriter.unsentBytes > 0) {
      this.#silentBeats = 0;
      this.#sendParts();
    }
    if (!this.#isBlocked || !this.#keepsUp()) return;
    this.#isBlocked = false;
    this.#pipe.resume();
    this.#read();
  }

  /** Whether the peer reads what it asked for. */
  #keepsUp(): boolean {
    if (this.#role !== 'answers') return true;
    const isSmall = this.#gatheredBytes + this.#pipe.unsentBytes < PEER_UNREAD_BYTES_MAX;
    return isSmall && (this.#hasLargeRoom || this.#partWriter.unsentBytes === 0);
  }

  /** Hands out the frames that have come, as long as the peer reads what they give rise to. */
  #read(): void {
    this.#isReading = true;
    try {
      while (this.#phase === 'hello' || this.#phase === 'open') {
        if (!this.#keepsUp()) this.#flush();
        if (!this.#keepsUp()) {
          this.#isBlocked = true;
          this.#pipe.pause();
          break;
        }
        const frame = this.#reader.next(this.#phase === 'open');
        if (frame === undefined) break;
        this.#onFrame(frame);
      }
      if (this.#phase === 'hello') this.#holdStrange(this.#reader.heldBytes);
    } catch (error) {
      // Whatever a frame sets off ends this channel, and never the process.
      const what = error instanceof ProtocolError ? 'it broke the protocol' : 'a defect here';
      this.close(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      this.#isReading = false;
    }
    this.#flush();
  }

  #onFrame(frame: Frame): void {
    if (frame.kind === 'beat') return;
    if (frame.kind !== 'part') {
      this.#user.onFrame(frame);
      return;
    }
    const { frame: large, isWhole } = this.#partReader.take(frame);
    if (isWhole) this.#user.onFrame(large);
    else this.#user.onProgress?.(large.id);
  }

  /** Somebody who has not said hello may hold so many bytes here, if there is room for them. */
  #holdStrange(bytes: number): void {
    const { strangers } = this.#options;
    strangers.give(this.#strangeBytes);
    this.#strangeBytes = 0;
    if (bytes === 0) return;
    if (strangers.take(bytes)) this.#strangeBytes = bytes;
    else this.close('too much has come of those who have not said hello');
  }

  /**
   * Beats are counted, not timed, and judged only when what has arrived meanwhile has been read: a
   * process that was held up itself does not blame its peers.
   */
  #onBeat(): void {
    this.#silentBeats++;
    this.#stuckBeats++;
    if (this.#phase !== 'open') this.#helloBeats++;
    if (this.#reader.count !== this.#framesBefore || !this.#reader.isPartial) {
      this.#frameBeats = 0;
      this.#framesBefore = this.#reader.count;
    } else if (!this.#isBlocked) {
      this.#frameBeats++;
    }
    if (this.#pipe.unsentBytes === 0) this.#stuckBeats = 0;
    this.#options.timers.soon(() => this.#judge());
    if (this.#wasSilent && this.#pipe.unsentBytes === 0) {
      this.beginFrame('beat', 0, 0);
      this.endFrame();
    }
    this.#wasSilent = true;
    this.#user.onBeat();
  }

  #judge(): void {
    if (this.#phase === 'closed') return;
    const isGuest = this.#role === 'answers';
    const isMute = isGuest && this.#phase === 'magic' && this.#magicBytes === 0;
    const helloBeatsMax = isGuest ? HELLO_BEATS_MAX : DIALLED_HELLO_BEATS_MAX;
    if (this.#helloBeats > helloBeatsMax) this.close('it said no hello');
    else if (isMute && this.#silentBeats > MUTE_BEATS_MAX) this.close('it says nothing');
    else if (this.#stuckBeats > SILENT_BEATS_MAX) this.close('it does not read what it is sent');
    else if (this.#isBlocked) return;
    else if (this.#silentBeats > SILENT_BEATS_MAX) this.close('it gives no sign of life');
    else if (this.#frameBeats > FRAME_BEATS_MAX) this.close('it takes too long for a frame');
  }
}

/** What somebody speaks who sends these bytes first. */
function guessProtocol(bytes: Buffer): string {
  // A TLS record is an alert or a handshake (21, 22) of version 3.x (RFC 8446 §5.1).
  if ((bytes[0] === 21 || bytes[0] === 22) && bytes[1] === 3) {
    return 'TLS, and this node does not (-tls-cert)';
  }
  return /^[A-Z]+ /.test(bytes.toString('latin1')) ? 'HTTP' : 'an unknown protocol';
}
