/**
 * The hash that spreads keys within a partition: HalfSipHash-1-3, keyed, so that a client cannot
 * make keys that collide.
 */

import type { PackedKey } from './packed-key.ts';

/**
 * HalfSipHash-1-3 (Aumasson and Bernstein; the Linux kernel's 32-bit `hsiphash`) with a key of 64
 * bits, drawn at random once in the life of a process.
 *
 * @example new KeyHash(0x03020100, 0x07060504).hash(new PackedKey()) // of no bytes: 0x5814c896
 */
export class KeyHash {
  readonly #k0: number;
  readonly #k1: number;

  /** `k0` and `k1`: the low and the high half of the key, 32 bits each. */
  constructor(k0: number, k1: number) {
    this.#k0 = k0 | 0;
    this.#k1 = k1 | 0;
  }

  /** The hash, 0 to 2^32 - 1. */
  hash({ words, length }: PackedKey): number {
    let v0 = this.#k0;
    let v1 = this.#k1;
    let v2 = v0 ^ 0x6c796765;
    let v3 = v1 ^ 0x74656462;
    const whole = length >>> 2;
    // One block a turn: every whole word, then the rest below the length, then three rounds of
    // finalization. Written as one loop so that the round, which V8 would not inline, stands once.
    for (let at = 0; at <= whole + 3; at++) {
      let block = at <= whole ? (words[at] as number) | 0 : 0;
      if (at === whole) block |= length << 24;
      v3 ^= block;
      v0 = (v0 + v1) | 0;
      v1 = (v1 << 5) | (v1 >>> 27);
      v1 ^= v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = (v3 << 8) | (v3 >>> 24);
      v3 ^= v2;
      v0 = (v0 + v3) | 0;
      v3 = (v3 << 7) | (v3 >>> 25);
      v3 ^= v0;
      v2 = (v2 + v1) | 0;
      v1 = (v1 << 13) | (v1 >>> 19);
      v1 ^= v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= block;
      if (at === whole) v2 ^= 0xff;
    }
    return (v1 ^ v3) >>> 0;
  }
}
