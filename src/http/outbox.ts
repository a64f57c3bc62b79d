/**
 * What goes out on a connection: the text of small answers gathered into one write, large ones in pieces,
 * and what the socket does not take at once kept until it does.
 */

import type { Duplex } from 'node:stream';

import type { Debtor, UnreadBudget } from './budget.ts';
import type { Piece } from './exchange.ts';

/** Bytes that are written at a time; the socket takes as many at once if the client reads. */
const PIECE_BYTES = 64 * 1024;

/** Where bytes on loan are copied on their way out. A socket that does not take all of it keeps it. */
let scratch = Buffer.allocUnsafeSlow(PIECE_BYTES);

/**
 * Buffers of that size whose bytes nobody waits for any more. Used again, they keep what is dropped from
 * piling up until the garbage is collected.
 */
const spare: Buffer[] = [];
const SPARE_MAX = 256;

/** A copy of at most {@link PIECE_BYTES}. */
function copyOf(bytes: Uint8Array): Buffer {
  const copy = spare.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
  copy.set(bytes);
  return bytes.length === PIECE_BYTES ? copy : copy.subarray(0, bytes.length);
}

/**
 * Whether bytes that nobody writes to again may wait as they are: they are most of what they keep from
 * being freed, and no buffer of ours could be taken for them.
 */
function mayWait(piece: Piece): piece is Uint8Array {
  if (typeof piece === 'string' || piece.length <= PIECE_BYTES) return false;
  return 2 * piece.length > piece.buffer.byteLength;
}

function giveBack({ buffer }: Buffer): void {
  if (buffer.byteLength !== PIECE_BYTES || spare.length >= SPARE_MAX) return;
  spare.push(Buffer.from(buffer));
}

export class Outbox {
  readonly #socket: Duplex;
  readonly #debtor: Debtor;
  readonly #budget: UnreadBudget;
  readonly #onDrained: () => void;
  /** Text that is written when somebody says so: one char a byte. */
  #text = '';
  /** What the socket gets when it has taken what it has. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isFull = false;
  #writes = 0;
  #endsThen = false;

  /** `onDrained` is told when a socket that was full has room again. */
  constructor(socket: Duplex, debtor: Debtor, budget: UnreadBudget, onDrained: () => void) {
    this.#socket = socket;
    this.#debtor = debtor;
    this.#budget = budget;
    this.#onDrained = onDrained;
  }

  /** Whether the client has not read what it was sent. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** How often a client that did not read has gone on reading. */
  get writes(): number {
    return this.#writes;
  }

  /** Adds text, of which each character is a byte, to what the next {@link flush} writes. */
  add(text: string): void {
    this.#text += text;
  }

  /**
   * Adds pieces that may be on loan: they are copied or written when this returns. If they `areKept`,
   * nobody writes to their bytes again, and large ones wait as they are.
   */
  addPieces(pieces: readonly Piece[], areKept = false): void {
    if (pieces.every((piece) => typeof piece === 'string')) {
      for (const piece of pieces) this.#text += piece;
      return;
    }
    const all = [this.#text, ...pieces];
    this.#text = '';
    let filled = 0;
    for (const piece of all) {
      if (areKept && mayWait(piece)) {
        filled = this.#writeScratch(filled);
        this.#addKept(piece);
        continue;
      }
      const length = piece.length;
      for (let at = 0; at < length; ) {
        if (filled === PIECE_BYTES) filled = this.#writeScratch(filled);
        const end = Math.min(length, at + PIECE_BYTES - filled);
        if (typeof piece === 'string') scratch.write(piece.slice(at, end), filled, 'latin1');
        else scratch.set(piece.subarray(at, end), filled);
        filled += end - at;
        at = end;
      }
    }
    this.#writeScratch(filled);
  }

  /** Writes what was added. */
  flush(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    if (this.#isFull) {
      this.#wait(Buffer.from(text, 'latin1'));
      return;
    }
    this.#socket.write(text, 'latin1', this.#onWritten);
    if (this.#socket.writableLength > 0) this.#fill();
  }

  /** Writes what was added, and says that nothing follows. */
  end(): void {
    if (this.#isFull) {
      this.flush();
      this.#endsThen = true;
      return;
    }
    const text = this.#text;
    this.#text = '';
    this.#socket.end(text, 'latin1');
  }

  /** Forgets what has not gone out. */
  clear(): void {
    for (const piece of this.#waiting) giveBack(piece);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#text = '';
    this.#budget.clear(this.#debtor);
  }

  /** Writes bytes that stay, or lets them wait. */
  #addKept({ buffer, byteOffset, length }: Uint8Array): void {
    for (let at = 0; at < length; at += PIECE_BYTES) {
      const piece = Buffer.from(buffer, byteOffset + at, Math.min(PIECE_BYTES, length - at));
      if (this.#isFull) {
        this.#waiting.push(piece);
        this.#waitingBytes += piece.length;
      } else this.#write(piece);
    }
    if (this.#isFull) this.#owe();
  }

  /** Writes or keeps the first `bytes` of the scratch; returns how many are still in it: none. */
  #writeScratch(bytes: number): number {
    if (bytes === 0) return 0;
    const piece = bytes === PIECE_BYTES ? scratch : scratch.subarray(0, bytes);
    if (this.#isFull) {
      this.#wait(copyOf(piece));
      return 0;
    }
    this.#write(piece);
    if (this.#isFull) scratch = Buffer.allocUnsafeSlow(PIECE_BYTES);
    return 0;
  }

  /** Writes to a socket that is not full, which keeps the bytes if it becomes that. */
  #write(bytes: Buffer): void {
    this.#socket.write(bytes, this.#onWritten);
    if (this.#socket.writableLength > 0) this.#fill();
  }

  #wait(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#owe();
  }

  #fill(): void {
    this.#isFull = true;
    this.#owe();
  }

  #owe(): void {
    this.#budget.set(this.#debtor, this.#socket.writableLength + this.#waitingBytes);
  }

  /** Called when the socket has passed on what it was given last. */
  readonly #onWritten = (): void => {
    if (!this.#isFull || this.#socket.writableLength > 0) return;
    this.#writes++;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#waitingBytes -= next.length;
      this.#socket.write(next, this.#onWritten);
      if (this.#socket.writableLength === 0) continue;
      this.#owe();
      return;
    }
    this.#isFull = false;
    this.#budget.clear(this.#debtor);
    if (this.#endsThen) this.#socket.end();
    else this.#onDrained();
  };
}
