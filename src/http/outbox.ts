/**
 * What goes out on a connection: the text of small answers gathered into one write, large ones in pieces,
 * and what the socket does not take at once kept until it does.
 */

import type { Duplex } from 'node:stream';

import type { Lease } from '../base/lease.ts';
import type { Debtor, UnreadBudget } from './budget.ts';
import type { Kept, Piece } from './exchange.ts';
import type { Pace } from './pace.ts';

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
 * Whether bytes that nobody writes to again may wait as they are: they are lent, or most of what they
 * keep from being freed, and no buffer of ours could be taken for them.
 */
function mayWait(piece: Piece, { lease }: Kept): piece is Uint8Array {
  if (typeof piece === 'string' || piece.length <= PIECE_BYTES) return false;
  return lease !== undefined || 2 * piece.length > piece.buffer.byteLength;
}

/** Bytes that go out when they can. */
interface Waiting {
  readonly bytes: Buffer;
  sentBytes: number;
  /** Set for bytes that are lent: the lender counts them. */
  readonly lease: Lease | undefined;
}

function giveBack({ buffer }: Buffer): void {
  if (buffer.byteLength !== PIECE_BYTES || spare.length >= SPARE_MAX) return;
  spare.push(Buffer.from(buffer));
}

/**
 * Whose text leaves when the turn ends, one answer of each: all at once, so that a reader whom the first of
 * these writes has woken is awake for the others.
 */
let departing: Outbox[] = [];
const DEPARTING_MAX = 64;

function depart(): void {
  const all = departing;
  departing = [];
  for (const outbox of all) outbox.flush();
}

export class Outbox {
  readonly #socket: Duplex;
  readonly #debtor: Debtor;
  readonly #budget: UnreadBudget;
  readonly #pace: Pace;
  readonly #onDrained: () => void;
  /** Text that is written when somebody says so: one char a byte. */
  #text = '';
  /** What the socket gets when it has taken what it has, or it is this one's turn. */
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  readonly #leases = new Set<Lease>();
  #isFull = false;
  #isDeparting = false;
  /** Whether others come first. The client then owes nothing: it has read what it could. */
  #isPaced = false;
  #writes = 0;
  #endsThen = false;

  /** `pace` is that of large answers; `onDrained` is told when what was full has room again. */
  constructor(
    socket: Duplex,
    debtor: Debtor,
    budget: UnreadBudget,
    pace: Pace,
    onDrained: () => void,
  ) {
    this.#socket = socket;
    this.#debtor = debtor;
    this.#budget = budget;
    this.#pace = pace;
    this.#onDrained = onDrained;
  }

  /** Whether the client has not read what it was sent, or could not yet. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** How often a client that did not read has gone on reading. */
  get writes(): number {
    return this.#writes;
  }

  /** Adds text, of which each character is a byte, to what the next flush writes. */
  add(text: string): void {
    this.#text += text;
  }

  /**
   * Adds pieces that may be on loan: they are copied or written when this returns. If they are `kept`,
   * nobody writes to their bytes again, and large ones wait as they are.
   */
  addPieces(pieces: readonly Piece[], kept?: Kept): void {
    if (pieces.every((piece) => typeof piece === 'string')) {
      for (const piece of pieces) this.#text += piece;
      return;
    }
    const all = [this.#text, ...pieces];
    this.#text = '';
    let filled = 0;
    for (const piece of all) {
      if (kept !== undefined && mayWait(piece, kept)) {
        filled = this.#writeScratch(filled);
        this.#addKept(piece, kept.lease);
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
    const { lease } = kept ?? {};
    if (lease !== undefined && !this.#leases.has(lease)) lease.release();
  }

  /** Writes what was added, when the turn ends or there is much of it. */
  flushSoon(): void {
    if (this.#text.length > PIECE_BYTES) return this.flush();
    if (this.#text === '' || this.#isDeparting) return;
    this.#isDeparting = true;
    departing.push(this);
    if (departing.length === 1) setImmediate(depart);
    else if (departing.length === DEPARTING_MAX) depart();
  }

  /** Writes what was added. */
  flush(): void {
    this.#isDeparting = false;
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    if (this.#isFull) {
      this.#wait(Buffer.from(text, 'latin1'));
      return;
    }
    this.#socket.write(text, 'latin1');
    if (this.#socket.writableLength === 0) return;
    this.#fill();
    // A call-back costs what it tells for nothing as a rule, so only what had to wait has one: behind it.
    this.#socket.write('', 'latin1', this.#onWritten);
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
    for (const { bytes } of this.#waiting) giveBack(bytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const lease of this.#leases) this.#release(lease);
    this.#text = '';
    this.#budget.clear(this.#debtor);
  }

  /** Writes bytes that stay, as far as they go out at once. */
  #addKept({ buffer, byteOffset, length }: Uint8Array, lease: Lease | undefined): void {
    if (lease !== undefined) {
      this.#leases.add(lease);
      lease.onRevoked = () => this.#debtor.destroy();
    }
    this.#wait(Buffer.from(buffer, byteOffset, length), lease);
    this.#isFull ||= !this.#sendWaiting();
  }

  /** Writes or keeps the first `bytes` of the scratch; returns how many are still in it: none. */
  #writeScratch(bytes: number): number {
    if (bytes === 0) return 0;
    const piece = bytes === PIECE_BYTES ? scratch : scratch.subarray(0, bytes);
    if (this.#isFull) {
      this.#wait(copyOf(piece));
      return 0;
    }
    this.#isFull = !this.#write(piece);
    if (this.#socket.writableLength > 0) scratch = Buffer.allocUnsafeSlow(PIECE_BYTES);
    return 0;
  }

  /**
   * Writes to a socket that is not full, which keeps the bytes if it becomes that.
   *
   * @returns whether more may be written at once.
   */
  #write(bytes: Buffer, onWritten = this.#onWritten): boolean {
    this.#socket.write(bytes, onWritten);
    if (this.#socket.writableLength > 0) {
      this.#owe();
      return false;
    }
    this.#isPaced = !this.#pace.spend(bytes.length, this.#onTurn);
    return !this.#isPaced;
  }

  /** Writes what waits, as far as it goes out at once; whether that was all. */
  #sendWaiting(): boolean {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const { bytes, sentBytes, lease } = next;
      const piece = bytes.subarray(sentBytes, sentBytes + PIECE_BYTES);
      next.sentBytes += piece.length;
      if (lease === undefined) this.#waitingBytes -= piece.length;
      const isLast = next.sentBytes === bytes.length;
      if (isLast) this.#waiting.shift();
      const onWritten =
        isLast && lease !== undefined ? () => this.#onLastWritten(lease) : this.#onWritten;
      if (!this.#write(piece, onWritten)) return false;
    }
    return true;
  }

  #wait(bytes: Buffer, lease?: Lease): void {
    this.#waiting.push({ bytes, sentBytes: 0, lease });
    if (lease === undefined) this.#waitingBytes += bytes.length;
    if (this.#isFull && !this.#isPaced) this.#owe();
  }

  #fill(): void {
    this.#isFull = true;
    this.#owe();
  }

  #owe(): void {
    this.#budget.set(this.#debtor, this.#socket.writableLength + this.#waitingBytes);
  }

  #release(lease: Lease): void {
    this.#leases.delete(lease);
    lease.release();
  }

  /** Called when the socket has passed on what it was given last. */
  readonly #onWritten = (): void => {
    if (this.#isFull && !this.#isPaced && this.#socket.writableLength === 0) this.#goOn();
  };

  #onLastWritten(lease: Lease): void {
    this.#release(lease);
    this.#onWritten();
  }

  /** Called when it is this one's turn to write more. */
  readonly #onTurn = (): void => {
    this.#isPaced = false;
    if (this.#isFull && !this.#socket.destroyed) this.#goOn();
  };

  #goOn(): void {
    this.#writes++;
    this.#budget.clear(this.#debtor);
    if (!this.#sendWaiting()) return;
    this.#isFull = false;
    if (this.#endsThen) this.#socket.end();
    else this.#onDrained();
  }
}
