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

/** Finds who is interested in a key, however many there are: by look-ups, one for each length of prefix. */
export class InterestIndex<Who> {
  readonly #byKey = new Map<Key, Set<Who>>();
  /** By the length of the prefix, then by the prefix. */
  readonly #byPrefix = new Map<number, Map<string, Set<Who>>>();

  add(interest: Interest, who: Who): void {
    for (const key of interest.keys) insert(this.#byKey, key, who);
    for (const prefix of interest.prefixes) {
      const ofLength = this.#byPrefix.get(prefix.length) ?? new Map<string, Set<Who>>();
      this.#byPrefix.set(prefix.length, ofLength);
      insert(ofLength, prefix, who);
    }
  }

  remove(interest: Interest, who: Who): void {
    for (const key of interest.keys) drop(this.#byKey, key, who);
    for (const prefix of interest.prefixes) {
      const ofLength = this.#byPrefix.get(prefix.length);
      if (ofLength === undefined) continue;
      drop(ofLength, prefix, who);
      if (ofLength.size === 0) this.#byPrefix.delete(prefix.length);
    }
  }

  /** Those that are interested in a key; some may come twice. */
  of(key: Key): readonly Who[] {
    let found = [...(this.#byKey.get(key) ?? [])];
    for (const [length, ofLength] of this.#byPrefix) {
      const set = length > key.length ? undefined : ofLength.get(key.slice(0, length));
      if (set !== undefined) found = [...found, ...set];
    }
    return found;
  }
}

function insert<Name, Who>(sets: Map<Name, Set<Who>>, name: Name, who: Who): void {
  const set = sets.get(name);
  if (set === undefined) sets.set(name, new Set([who]));
  else set.add(who);
}

function drop<Name, Who>(sets: Map<Name, Set<Who>>, name: Name, who: Who): void {
  const set = sets.get(name);
  set?.delete(who);
  if (set?.size === 0) sets.delete(name);
}
