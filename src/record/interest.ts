/** What somebody who watches wants to hear of. */

import type { Key } from '../base/key.ts';

/** Some keys: those that are named, and those that start with one of the prefixes. */
export interface Interest {
  readonly keys: readonly Key[];
  /** An empty one is for all keys. */
  readonly prefixes: readonly Key[];
}

/** Whether a key is among those of interest. */
export function isOfInterest({ keys, prefixes }: Interest, key: Key): boolean {
  return keys.includes(key) || prefixes.some((prefix) => key.startsWith(prefix));
}
