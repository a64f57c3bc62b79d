/** Keys as the servers know them: under a prefix, in slots, in an order of their own. */

import type { Key } from '../base/key.ts';
import { partitionOf } from '../base/partition.ts';
import type { Argument } from './server.ts';
import { SLOTS } from './topology.ts';

export class KeySpace {
  readonly #prefix: string;

  /** `prefix` stands before every key, as bytes; it has no braces, so it does not choose the slot. */
  constructor(prefix: Key) {
    this.#prefix = prefix;
  }

  /** The name of a key at the servers, as a string where its bytes are ASCII: that costs less to send. */
  nameOf(key: Key): Argument {
    const name = this.#prefix + key;
    return /^[\0-\x7f]*$/.test(name) ? name : Buffer.from(name, 'latin1');
  }

  /** The key that a name of the servers stands for. */
  keyOf(name: Buffer): Key {
    return name.toString('latin1', this.#prefix.length) as Key;
  }

  slotOf(key: Key): number {
    return partitionOf((this.#prefix + key) as Key, SLOTS);
  }

  /** A pattern of `SCAN` for the names of keys that start with `prefix`. */
  patternOf(prefix: Key): Buffer {
    const escaped = (this.#prefix + prefix).replace(/[\\*?[\]]/g, String.raw`\$&`);
    return Buffer.from(`${escaped}*`, 'latin1');
  }
}
