/** Random bytes for the tags of versions. */

import { randomFillSync } from 'node:crypto';

import { SALT_BYTES } from './header.ts';

/** How many are made at a time: asking for five bytes alone takes longer than all else of a store. */
const POOL_SALTS = 512;

export class Salts {
  #pool = '';
  #at = 0;

  /** Five characters of ASCII, 35 bits that nobody can tell beforehand. */
  next(): string {
    if (this.#at === this.#pool.length) this.#refill();
    this.#at += SALT_BYTES;
    return this.#pool.slice(this.#at - SALT_BYTES, this.#at);
  }

  #refill(): void {
    // ASCII leaves the highest bit of each byte out.
    this.#pool = randomFillSync(Buffer.allocUnsafe(POOL_SALTS * SALT_BYTES)).toString('ascii');
    this.#at = 0;
  }
}
