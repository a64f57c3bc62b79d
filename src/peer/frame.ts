/**
 * Frames: the units that travel between peers. A frame is a length (u32, of all that follows it), a
 * kind (u8), a number that ties an answer to its request (u32), and a body. Little-endian throughout.
 */

import {
  CONTROL_BYTES_MAX,
  FRAME_BYTES_MAX,
  PART_BYTES_MAX,
  PEER_PAGE_BYTES_MAX,
  REFUSAL_BYTES_MAX,
} from '../base/limits.ts';
import { isKept, type ByteRange, type KeptBytes } from '../record/reply.ts';

/** Kinds of frames. A number never changes its meaning. */
const FRAME_KINDS = {
  hello: 1,
  state: 2,
  refusal: 3,
  beat: 4,
  request: 5,
  reply: 6,
  listRequest: 7,
  listReply: 8,
  notMine: 9,
  part: 10,
  record: 11,
  applied: 12,
  stream: 13,
  watchRequest: 14,
  watchReply: 15,
  closing: 16,
  cancel: 17,
} as const;

export type FrameKind = keyof typeof FRAME_KINDS;

/** The longest body of each kind. */
const BODY_BYTES_MAX: Readonly<Record<FrameKind, number>> = {
  hello: CONTROL_BYTES_MAX,
  state: CONTROL_BYTES_MAX,
  refusal: REFUSAL_BYTES_MAX,
  beat: 0,
  request: PART_BYTES_MAX,
  reply: PART_BYTES_MAX,
  listRequest: CONTROL_BYTES_MAX,
  listReply: 2 * PEER_PAGE_BYTES_MAX,
  notMine: CONTROL_BYTES_MAX,
  part: PART_BYTES_MAX,
  record: PART_BYTES_MAX,
  applied: 0,
  stream: CONTROL_BYTES_MAX,
  watchRequest: PART_BYTES_MAX,
  watchReply: PART_BYTES_MAX,
  closing: 0,
  cancel: 0,
};

/** The longest body of those kinds that travel in parts when they are longer than one. */
const LARGE_BODY_BYTES_MAX: Readonly<Partial<Record<FrameKind, number>>> = {
  request: FRAME_BYTES_MAX,
  reply: FRAME_BYTES_MAX,
  record: FRAME_BYTES_MAX,
  watchRequest: FRAME_BYTES_MAX,
  watchReply: FRAME_BYTES_MAX,
};

/** Whether a frame of this kind travels in parts when it is longer than one. */
export function canBeLarge(kind: FrameKind): boolean {
  return kind in LARGE_BODY_BYTES_MAX;
}

const KIND_NAMES = new Map(
  Object.entries(FRAME_KINDS).map(([name, kind]) => [kind as number, name as FrameKind]),
);

const LENGTH_BYTES = 4;
export const HEADER_BYTES = LENGTH_BYTES + 5;

/** Buffers of this size are filled with frames one after the other. */
const CHUNK_BYTES = 64 * 1024;

/** A peer broke the protocol; the connection to it cannot go on. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** A frame as it came in: its body is a range of `bytes`, which nobody writes to again. */
export interface Frame extends ByteRange {
  readonly kind: FrameKind;
  readonly id: number;
  /** Set if there was no room for its body, which is thrown away. */
  readonly isDropped?: boolean;
}

/** The header of a part of the large frame `number`. */
export function partHeader(number: number, bodyBytes: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(HEADER_BYTES - LENGTH_BYTES + bodyBytes);
  header[LENGTH_BYTES] = FRAME_KINDS.part;
  header.writeUInt32LE(number, LENGTH_BYTES + 1);
  return header;
}

/**
 * The header of a large frame, from the first of its parts.
 *
 * @throws ProtocolError if no frame may have it.
 */
export function readLargeHeader({ bytes, start, end }: ByteRange): {
  readonly kind: FrameKind;
  readonly id: number;
  readonly bodyBytes: number;
} {
  if (end - start < HEADER_BYTES) throw new ProtocolError('a part too short for a header');
  const kind = kindAt(bytes, start);
  const bodyBytes = LENGTH_BYTES + bytes.readUInt32LE(start) - HEADER_BYTES;
  if (bodyBytes < 0 || bodyBytes > (LARGE_BODY_BYTES_MAX[kind] ?? -1)) {
    throw new ProtocolError(`${kind} frame of ${HEADER_BYTES + bodyBytes} bytes in parts`);
  }
  return { kind, id: bytes.readUInt32LE(start + LENGTH_BYTES + 1), bodyBytes };
}

function kindAt(bytes: Buffer, frameAt: number): FrameKind {
  const number = bytes[frameAt + LENGTH_BYTES]!;
  const kind = KIND_NAMES.get(number);
  if (kind === undefined) throw new ProtocolError(`frame of kind ${number}`);
  return kind;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #later: Buffer[] = [];
  #laterBytes = 0;
  #count = 0;
  /** The part that is being handed out as it comes: the number of its large frame, and what is left. */
  #partNumber = 0;
  #partBytes = 0;

  /** How many frames have come out. */
  get count(): number {
    return this.#count;
  }

  /** Whether a frame has begun and is not whole yet. */
  get isPartial(): boolean {
    return this.#partBytes > 0 || this.heldBytes > 0;
  }

  /** Bytes that are held, because they are no whole frame. */
  get heldBytes(): number {
    return this.#bytes.length - this.#at + this.#laterBytes;
  }

  /** Takes in what came from the peer. */
  push(chunk: Buffer): void {
    if (this.#at === this.#bytes.length && this.#laterBytes === 0) {
      this.#bytes = chunk;
      this.#at = 0;
      return;
    }
    this.#later.push(chunk);
    this.#laterBytes += chunk.length;
  }

  /**
   * The next frame, undefined if it has not come in whole; of a part, as much as has come. Before a peer `isOpen` it may say hello, or
   * that it refuses, and no more.
   *
   * @throws ProtocolError as soon as a header says what no frame may have.
   */
  next(isOpen: boolean): Frame | undefined {
    if (this.#partBytes > 0) return this.#moreOfPart();
    if (!this.#has(HEADER_BYTES)) return undefined;
    const kind = kindAt(this.#bytes, this.#at);
    const length = LENGTH_BYTES + this.#bytes.readUInt32LE(this.#at);
    if (length < HEADER_BYTES || length > HEADER_BYTES + BODY_BYTES_MAX[kind]) {
      throw new ProtocolError(`${kind} frame of ${length} bytes`);
    }
    if (!isOpen && kind !== 'hello' && kind !== 'refusal' && kind !== 'beat') {
      throw new ProtocolError(`${kind} frame before its hello`);
    }
    if (kind === 'part') return this.#beginPart(length);
    if (!this.#has(length)) return undefined;
    const id = this.#bytes.readUInt32LE(this.#at + LENGTH_BYTES + 1);
    const frame = {
      kind,
      id,
      bytes: this.#bytes,
      start: this.#at + HEADER_BYTES,
      end: this.#at + length,
    };
    this.#at += length;
    this.#count++;
    return frame;
  }

  /** Parts are copied once anyway, to where they belong: to join their bytes first would be twice. */
  #beginPart(length: number): Frame | undefined {
    // What comes first in it may be the header of the large frame.
    if (!this.#has(Math.min(length, 2 * HEADER_BYTES))) return undefined;
    if (length === HEADER_BYTES) throw new ProtocolError('an empty part');
    this.#partNumber = this.#bytes.readUInt32LE(this.#at + LENGTH_BYTES + 1);
    this.#partBytes = length - HEADER_BYTES;
    this.#at += HEADER_BYTES;
    return this.#moreOfPart();
  }

  #moreOfPart(): Frame | undefined {
    if (this.#at === this.#bytes.length) {
      const chunk = this.#later.shift();
      if (chunk === undefined) return undefined;
      this.#bytes = chunk;
      this.#at = 0;
      this.#laterBytes -= chunk.length;
    }
    const start = this.#at;
    const end = Math.min(start + this.#partBytes, this.#bytes.length);
    this.#at = end;
    this.#partBytes -= end - start;
    if (this.#partBytes === 0) this.#count++;
    return { kind: 'part', id: this.#partNumber, bytes: this.#bytes, start, end };
  }

  /** Whether `count` bytes are there; joins chunks only when they then are, so each is copied once. */
  #has(count: number): boolean {
    const held = this.#bytes.length - this.#at;
    if (held >= count) return true;
    if (held + this.#laterBytes < count) return false;
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), ...this.#later]);
    this.#at = 0;
    this.#later = [];
    this.#laterBytes = 0;
    return true;
  }
}

/**
 * Builds frames, many in one buffer. What it writes to is never written again, so what
 * {@link FrameWriter.take} gave out can wait in a socket.
 */
export class FrameWriter {
  #chunk: Buffer;
  #view: DataView;
  /** Finished frames start here … */
  #start = 0;
  /** … the frame being built here … */
  #frameAt = 0;
  /** … and the next byte goes here. */
  #at = 0;
  #full: Buffer[] = [];
  /** Bytes of the frame that lie in buffers of others. */
  #referredBytes = 0;

  /** With `bodyBytes` it is made to hold one frame of such a body. */
  constructor(bodyBytes = CHUNK_BYTES - HEADER_BYTES) {
    this.#chunk = Buffer.allocUnsafeSlow(HEADER_BYTES + bodyBytes);
    this.#view = new DataView(this.#chunk.buffer);
  }

  /** Starts a frame; `bodyBytesMax` is at least what will be written to its body. */
  begin(kind: FrameKind, id: number, bodyBytesMax: number): void {
    if (this.#at + HEADER_BYTES + bodyBytesMax > this.#chunk.length) {
      if (this.#at > this.#start) this.#full.push(this.#chunk.subarray(this.#start, this.#at));
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, HEADER_BYTES + bodyBytesMax));
      this.#view = new DataView(this.#chunk.buffer);
      this.#start = 0;
      this.#at = 0;
    }
    this.#frameAt = this.#at;
    this.#referredBytes = 0;
    this.#at += LENGTH_BYTES;
    this.u8(FRAME_KINDS[kind]);
    this.u32(id);
  }

  /** Finishes the frame; returns its size in bytes. */
  end(): number {
    const bytes = this.#at - this.#frameAt + this.#referredBytes;
    this.#view.setUint32(this.#frameAt, bytes - LENGTH_BYTES, true);
    return bytes;
  }

  /** The bytes of the finished frames, in order; each byte is given out once. */
  take(): readonly Buffer[] {
    const buffers = this.#full;
    if (this.#at > this.#start) buffers.push(this.#chunk.subarray(this.#start, this.#at));
    this.#start = this.#at;
    this.#full = [];
    return buffers;
  }

  u8(value: number): void {
    this.#chunk[this.#at++] = value;
  }

  u16(value: number): void {
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  u64(value: bigint): void {
    // Most values are 0, and those need no bigint arithmetic.
    if (value === 0n) this.#view.setFloat64(this.#at, 0, true);
    else this.#view.setBigUint64(this.#at, value, true);
    this.#at += 8;
  }

  f64(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** Text of which each character is one byte. */
  latin1(text: string): void {
    this.#at += this.#chunk.write(text, this.#at, 'latin1');
  }

  /** Any text; takes at most three bytes a UTF-16 unit. */
  utf8(text: string): void {
    this.#at += this.#chunk.write(text, this.#at, 'utf8');
  }

  /** Bytes as they are: copied, unless they {@link isReferred}. */
  copy(range: ByteRange): void {
    const { bytes, start, end } = range;
    if (!isReferred(range)) {
      this.#at += bytes.copy(this.#chunk, this.#at, start, end);
      return;
    }
    if (this.#at > this.#start) this.#full.push(this.#chunk.subarray(this.#start, this.#at));
    this.#full.push(bytes.subarray(start, end));
    this.#referredBytes += end - start;
    this.#start = this.#at;
  }
}

/** Whether bytes are so many that a frame does not copy them, and stay as they are until it has left. */
export function isReferred(range: ByteRange | undefined): range is KeptBytes {
  return range !== undefined && isKept(range) && range.end - range.start > PART_BYTES_MAX;
}
