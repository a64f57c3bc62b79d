/** A connection between two peers: frames in both directions, signs of life, bounded buffers. */

import type { Socket } from 'node:net';

import { BEAT_MS, DIAL_TIMEOUT_MS, HELLO_BEATS_MAX, SILENT_BEATS_MAX } from '../base/limits.ts';
import { describeNetworkError } from '../net/network-error.ts';
import { FrameReader, FrameWriter, ProtocolError, type Frame, type FrameKind } from './frame.ts';

/** The first bytes on a connection, in both directions; whoever sends others is no peer. */
const MAGIC = Buffer.from('memhashd');

/** Whoever uses a connection. */
export interface ConnectionUser {
  /**
   * A frame has come.
   *
   * @throws ProtocolError if the frame is not what it must be; that closes the connection.
   */
  onFrame(frame: Frame): void;
  /** Time has gone on by one beat. */
  onBeat(): void;
  /** The connection is closed; called once. */
  onClose(reason: string): void;
}

export class Connection {
  readonly #socket: Socket;
  readonly #user: ConnectionUser;
  readonly #unreadBytesMax: number;
  readonly #reader = new FrameReader();
  readonly #writer = new FrameWriter();
  readonly #beat: NodeJS.Timeout;
  #phase: 'magic' | 'hello' | 'open' | 'closed' = 'magic';
  #magicBytes = 0;
  /** Bytes in `#writer`, not yet handed to the socket. */
  #gatheredBytes = 0;
  #isFlushDue = false;
  #isReading = false;
  #isBlocked = false;
  /** Beats since the peer last gave a sign of life, said hello or read something. */
  #silentBeats = 0;
  #helloBeats = 0;
  #wasSilent = false;

  /**
   * @param socket connected.
   * @param unreadBytesMax once so many bytes wait for the peer to read them, nothing is read from it.
   */
  constructor(socket: Socket, user: ConnectionUser, unreadBytesMax: number) {
    this.#socket = socket;
    this.#user = user;
    this.#unreadBytesMax = unreadBytesMax;
    this.#beat = setInterval(() => this.#onBeat(), BEAT_MS);
    socket.setNoDelay(true);
    socket
      .on('data', (chunk: Buffer) => this.#onData(chunk))
      .on('drain', () => this.#onDrain())
      .on('error', (error) => this.#onEnd(describeNetworkError(error)))
      .on('close', () => this.#onEnd('the other side closed the connection'));
    socket.write(MAGIC);
  }

  /** Bytes that wait for the peer to read them. */
  get unsentBytes(): number {
    return this.#gatheredBytes + this.#socket.writableLength;
  }

  /** Tells that the peer has said hello and may send anything now. */
  open(): void {
    this.#phase = 'open';
  }

  /**
   * Starts a frame, to be written to what this returns and finished by {@link Connection.endFrame}.
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
    setImmediate(() => this.#flush());
  }

  /** Sends a frame whose body is `text`. */
  sendText(kind: FrameKind, id: number, text: string): void {
    this.beginFrame(kind, id, 3 * text.length).utf8(text);
    this.endFrame();
  }

  /** Closes the connection, having told the peer why. */
  refuse(reason: string): void {
    if (this.#phase === 'closed') return;
    this.sendText('refusal', 0, reason);
    this.#flush();
    this.#phase = 'closed';
    clearInterval(this.#beat);
    // To destroy a socket with bytes unread resets the connection, and the peer would never know why.
    this.#socket.end();
    const deadline = setTimeout(() => this.#socket.destroy(), DIAL_TIMEOUT_MS);
    this.#socket.on('close', () => clearTimeout(deadline));
    this.#user.onClose(reason);
  }

  /** Closes the connection at once. */
  close(reason: string): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    clearInterval(this.#beat);
    this.#socket.destroy();
    this.#user.onClose(reason);
  }

  #onEnd(reason: string): void {
    const hint = ' before its hello (is -tls-cert set on one side only?)';
    this.close(this.#phase === 'magic' ? reason + hint : reason);
  }

  #flush(): void {
    this.#isFlushDue = false;
    if (this.#gatheredBytes === 0 || this.#phase === 'closed') return;
    this.#gatheredBytes = 0;
    const buffers = this.#writer.take();
    if (buffers.length > 1) this.#socket.cork();
    for (const buffer of buffers) this.#socket.write(buffer);
    if (buffers.length > 1) this.#socket.uncork();
  }

  #onData(chunk: Buffer): void {
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

  #onDrain(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#silentBeats = 0;
    this.#socket.resume();
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
          this.#socket.pause();
          break;
        }
        const frame = this.#reader.next();
        if (frame === undefined) break;
        if (frame.kind !== 'beat') this.#onFrame(frame);
      }
    } catch (error) {
      // Whatever a frame sets off ends this connection, and never the process.
      const what = error instanceof ProtocolError ? 'it broke the protocol' : 'a defect here';
      this.close(`${what}: ${describeNetworkError(error)}`);
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
