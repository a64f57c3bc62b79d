/** Random bytes for the tags of versions. */

import { randomBytes } from 'node:crypto';

import { SALT_BYTES } from './header.ts';

/** How many are made at a time: asking for five bytes alone takes longer than all else of a store. */
const POOL_SALTS = 512;

export class Salts {
  #pool = '';
  #at = 0;

  /** Five bytes, one a character, that nobody can tell beforehand. */
  next(): string {
    if (this.#at === this.#pool.length) this.#refill();
    this.#at += SALT_BYTES;
    return this.#pool.slice(this.#at - SALT_BYTES, this.#at);
  }

  #refill(): void {
    this.#pool = randomBytes(POOL_SALTS * SALT_BYTES).toString('latin1');
    this.#at = 0;
  }
}
