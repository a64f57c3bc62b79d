/** Keys as the servers know them: under a prefix, in slots, in an order of their own. */

import type { Key } from '../base/key.ts';
import { partitionOf } from '../base/partition.ts';
import { SLOTS } from './topology.ts';

export class KeySpace {
  readonly #prefix: string;

  /** `prefix` stands before every key, as bytes; it has no braces, so it does not choose the slot. */
  constructor(prefix: Key) {
    this.#prefix = prefix;
  }

  /** The name of a key at the servers. */
  nameOf(key: Key): Key {
    return (this.#prefix + key) as Key;
  }

  /** The key that a name of the servers stands for. */
  keyOf(name: Buffer): Key {
    return name.toString('latin1', this.#prefix.length) as Key;
  }

  slotOf(key: Key): number {
    return partitionOf(this.nameOf(key), SLOTS);
  }

  /** A pattern of `SCAN` for the names of keys that start with `prefix`. */
  patternOf(prefix: Key): string {
    const escaped = this.nameOf(prefix).replace(/[\\*?[\]]/g, String.raw`\$&`);
    return `${escaped}*`;
  }
}
