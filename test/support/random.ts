/** Random numbers that can be had again: each source prints the seed that it goes by. */

import { randomInt } from 'node:crypto';

/**
 * Numbers from 0 to 1. The seed is new on every run, unless `MEMHASHD_SEED` gives one; `purpose` is
 * printed with it.
 */
export function seededRandom(purpose: string): () => number {
  const seed = Number(process.env['MEMHASHD_SEED'] ?? randomInt(2 ** 31));
  console.log(`${purpose}: MEMHASHD_SEED=${seed}`);
  return numbersOf(seed);
}

/** Numbers from 0 to 1, the same for the same seed. */
export function numbersOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
