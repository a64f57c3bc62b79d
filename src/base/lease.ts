/** Leases: bytes of a large value stay as they are while somebody reads them, however slowly. */

export interface Lease {
  /** Says that nobody reads the bytes here any more; harmless when called twice. */
  release(): void;
  /** Called when too much is kept for readers alone: whoever can should release the bytes. */
  onRevoked?: () => void;
}
