/** Lending: large blocks that are read, by a client or a peer, while their record changes or goes. */

import type { Lease } from '../../base/lease.ts';
import { LENT_BYTES_MAX } from '../../base/limits.ts';

/** Keeps the memory that somebody reads, each the whole of one block. */
export class Lending {
  readonly #free: (memory: ArrayBuffer) => void;
  readonly #leases = new Map<ArrayBuffer, Set<Lease>>();
  /** Of records that are gone, the first of them first. */
  readonly #orphans = new Set<ArrayBuffer>();
  #orphanBytes = 0;

  /** `free` gives back what nobody reads any more. */
  constructor(free: (memory: ArrayBuffer) => void) {
    this.#free = free;
  }

  /** Whether somebody reads it, so that its value must not be written over. */
  isLent(memory: ArrayBuffer): boolean {
    return this.#leases.has(memory);
  }

  lend(memory: ArrayBuffer): Lease {
    const lease: Lease = { release: () => this.#release(memory, lease) };
    const leases = this.#leases.get(memory);
    if (leases === undefined) this.#leases.set(memory, new Set([lease]));
    else leases.add(lease);
    return lease;
  }

  /** Takes the memory of a record that is gone: frees it, once nobody reads it. */
  drop(memory: ArrayBuffer): void {
    if (!this.isLent(memory)) return this.#free(memory);
    this.#orphans.add(memory);
    this.#orphanBytes += memory.byteLength;
    for (const orphan of this.#orphans) {
      if (this.#orphanBytes <= LENT_BYTES_MAX) return;
      for (const lease of this.#leases.get(orphan)!) lease.onRevoked?.();
    }
  }

  #release(memory: ArrayBuffer, lease: Lease): void {
    const leases = this.#leases.get(memory);
    if (leases?.delete(lease) !== true || leases.size > 0) return;
    this.#leases.delete(memory);
    if (!this.#orphans.delete(memory)) return;
    this.#orphanBytes -= memory.byteLength;
    this.#free(memory);
  }
}
