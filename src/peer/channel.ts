/** A channel between two peers: frames in both directions, signs of life, bounded buffers. */

import { BEAT_MS, DIAL_TIMEOUT_MS, HELLO_BEATS_MAX, SILENT_BEATS_MAX } from '../base/limits.ts';
import type { Cancel, Timers } from '../base/timers.ts';
import { FrameReader, FrameWriter, ProtocolError, type Frame, type FrameKind } from './frame.ts';
import type { Pipe } from './transport.ts';

/** The first bytes on a channel, in both directions; whoever sends others is no peer. */
const MAGIC = Buffer.from('memhashd');

/** Whoever uses a channel. */
export interface ChannelUser {
  /**
   * A frame has come.
   *
   * @throws ProtocolError if the frame is not what it must be; that closes the channel.
   */
  onFrame(frame: Frame): void;
  /** Time has gone on by one beat. */
  onBeat(): void;
  /** The channel is closed; called once. */
  onClose(reason: string): void;
}

export class Channel {
  readonly #pipe: Pipe;
  readonly #user: ChannelUser;
  readonly #timers: Timers;
  readonly #unreadBytesMax: number;
  readonly #reader = new FrameReader();
  readonly #writer = new FrameWriter();
  readonly #stopBeats: Cancel;
  #phase: 'magic' | 'hello' | 'open' | 'closed' = 'magic';
  #magicBytes = 0;
  /** Bytes in `#writer`, not yet handed to the pipe. */
  #gatheredBytes = 0;
  #isFlushDue = false;
  #isReading = false;
  #isBlocked = false;
  /** Beats since the peer last gave a sign of life, said hello or read something. */
  #silentBeats = 0;
  #helloBeats = 0;
  #wasSilent = false;
  /** Set while the peer is given time to read why it was refused. */
  #giveUp: Cancel | undefined;

  /** @param unreadBytesMax once so many bytes wait for the peer to read them, nothing is read from it. */
  constructor(pipe: Pipe, user: ChannelUser, timers: Timers, unreadBytesMax: number) {
    this.#pipe = pipe;
    this.#user = user;
    this.#timers = timers;
    this.#unreadBytesMax = unreadBytesMax;
    this.#stopBeats = timers.every(BEAT_MS, () => this.#onBeat());
    pipe.attach({
      onBytes: (chunk) => this.#onBytes(chunk),
      onSent: () => this.#onSent(),
      onClose: (reason) => this.#onEnd(reason),
    });
    pipe.write([MAGIC]);
  }

  /** Bytes that wait for the peer to read them. */
  get unsentBytes(): number {
    return this.#gatheredBytes + this.#pipe.unsentBytes;
  }

  /** Tells that the peer has said hello and may send anything now. */
  open(): void {
    this.#phase = 'open';
  }

  /**
   * Starts a frame, to be written to what this returns and finished by {@link Channel.endFrame}.
   * `bodyBytesMax` is at least what its body takes.
   */
  beginFrame(kind: FrameKind, id: number, bodyBytesMax: number): FrameWriter {
    this.#writer.begin(kind, id, bodyBytesMax);
    return this.#writer;
  }

  /** Finishes a frame; all frames of one turn go out together, at its end. */
  endFrame(): void {
    this.#gatheredBytes += this.#writer.end();
    this.#wasSilent = false;
    if (this.#isReading || this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#timers.soon(() => this.#flush());
  }

  /** Sends a frame whose body is `text`. */
  sendText(kind: FrameKind, id: number, text: string): void {
    this.beginFrame(kind, id, 3 * text.length).utf8(text);
    this.endFrame();
  }

  /** Closes the channel, having told the peer why. */
  refuse(reason: string): void {
    if (this.#phase === 'closed') return;
    this.sendText('refusal', 0, reason);
    this.#flush();
    this.#phase = 'closed';
    this.#stopBeats();
    // To destroy a pipe with bytes unread resets the connection, and the peer would never know why.
    this.#pipe.end();
    this.#giveUp = this.#timers.after(DIAL_TIMEOUT_MS, () => this.#pipe.destroy());
    this.#user.onClose(reason);
  }

  /** Closes the channel at once. */
  close(reason: string): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#stopBeats();
    this.#pipe.destroy();
    this.#user.onClose(reason);
  }

  #onEnd(reason: string): void {
    this.#giveUp?.();
    const hint = ' before its hello (is -tls-cert set on one side only?)';
    this.close(this.#phase === 'magic' ? reason + hint : reason);
  }

  #flush(): void {
    this.#isFlushDue = false;
    if (this.#gatheredBytes === 0 || this.#phase === 'closed') return;
    this.#gatheredBytes = 0;
    this.#pipe.write(this.#writer.take());
  }

  #onBytes(chunk: Buffer): void {
    // Whoever was refused may go on sending for a moment.
    if (this.#phase === 'closed') return;
    this.#silentBeats = 0;
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

  /** The peer reads: that is a sign of life, too. */
  #onSent(): void {
    if (!this.#isBlocked) return;
    this.#silentBeats = 0;
    if (this.unsentBytes > 0) return;
    this.#isBlocked = false;
    this.#pipe.resume();
    this.#read();
  }

  /** Hands out the frames that have come, as long as the peer reads what they give rise to. */
  #read(): void {
    this.#isReading = true;
    try {
      while (this.#phase !== 'magic' && this.#phase !== 'closed') {
        if (this.unsentBytes >= this.#unreadBytesMax) this.#flush();
        if (this.unsentBytes >= this.#unreadBytesMax) {
          this.#isBlocked = true;
          this.#pipe.pause();
          break;
        }
        const frame = this.#reader.next();
        if (frame === undefined) break;
        if (frame.kind !== 'beat') this.#onFrame(frame);
      }
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
    if (this.#phase === 'hello' && frame.kind !== 'hello' && frame.kind !== 'refusal') {
      throw new ProtocolError(`${frame.kind} frame before its hello`);
    }
    this.#user.onFrame(frame);
  }

  /** Beats are counted, not timed: a process that was held up itself does not blame its peers. */
  #onBeat(): void {
    this.#silentBeats++;
    if (this.#phase !== 'open' && ++this.#helloBeats > HELLO_BEATS_MAX) {
      this.close('it said no hello');
    } else if (this.#isBlocked) {
      if (this.#silentBeats > HELLO_BEATS_MAX) this.close('it does not read its answers');
    } else if (this.#silentBeats > SILENT_BEATS_MAX) {
      this.close('it gives no sign of life');
    }
    if (this.#phase === 'closed') return;
    if (this.#wasSilent && this.unsentBytes === 0) {
      this.beginFrame('beat', 0, 0);
      this.endFrame();
    }
    this.#wasSilent = true;
    this.#user.onBeat();
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
