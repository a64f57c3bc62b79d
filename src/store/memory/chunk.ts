/** Memory outside the JavaScript heap that goes back to the system when it is freed. */

import { freeMemory } from '../../base/free-memory.ts';
import { mappedMemory } from '../../base/mapped-memory.ts';

/**
 * A chunk has 32 MiB, of which only the pages that have been written take memory. Smaller pieces
 * glibc's malloc may keep to itself when they are freed (its `DEFAULT_MMAP_THRESHOLD_MAX`).
 */
const CHUNK_BYTES = 2 ** 25;

/** Where a store takes its memory from, which always comes as zeros. */
export interface MemorySource {
  /** A chunk; `undefined` if the system has none left. */
  chunk(): ArrayBuffer | undefined;
  /** Just so many bytes; `undefined` if the system has none left. */
  exactly(sizeBytes: number): ArrayBuffer | undefined;
  /** Gives memory back now instead of at the next garbage collection; its views become empty. */
  free(memory: ArrayBuffer): void;
}

/** The memory of the system. */
export const systemMemory: MemorySource = {
  chunk: allocateChunk,
  exactly: mappedMemory,
  free: freeMemory,
};

function allocateChunk(): ArrayBuffer | undefined {
  try {
    return new ArrayBuffer(CHUNK_BYTES);
  } catch {
    return undefined;
  }
}
