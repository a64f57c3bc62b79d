/** Reading the fields in the body of a frame. */

import { asKept, type ByteRange, type KeptBytes } from '../record/reply.ts';
import { ProtocolError } from './frame.ts';

/** Reads the fields of a frame's body, each checked to lie inside it. */
export class FieldReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor({ bytes, start, end }: ByteRange) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#skip(1)]!;
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#skip(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#skip(4));
  }

  u64(): bigint {
    const at = this.#skip(8);
    const high = this.#bytes.readUInt32LE(at + 4);
    const low = this.#bytes.readUInt32LE(at);
    return high === 0 && low === 0 ? 0n : (BigInt(high) << 32n) | BigInt(low);
  }

  f64(): number {
    return this.#bytes.readDoubleLE(this.#skip(8));
  }

  latin1(length: number): string {
    const at = this.#skip(length);
    return this.#bytes.toString('latin1', at, at + length);
  }

  utf8(length: number): string {
    const at = this.#skip(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** All that is left, as text. */
  text(): string {
    return this.utf8(this.left);
  }

  /** A range of the frame, which nobody writes to again. */
  range(length: number): KeptBytes {
    const start = this.#skip(length);
    return asKept({ bytes: this.#bytes, start, end: start + length });
  }

  /** Checks that nothing is left over. */
  done(): void {
    if (this.#at !== this.#end) throw new ProtocolError(`${this.left} bytes too many in a frame`);
  }

  #skip(count: number): number {
    const at = this.#at;
    if (count > this.#end - at) throw new ProtocolError('a frame ends too early');
    this.#at = at + count;
    return at;
  }
}
