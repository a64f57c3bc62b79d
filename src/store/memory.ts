/** Memory outside the JavaScript heap, in chunks that go back to the system when they are freed. */

import { MessageChannel } from 'node:worker_threads';

/**
 * A chunk has 32 MiB, of which only the pages that have been written take memory. Smaller pieces
 * glibc's malloc may keep to itself when they are freed (its `DEFAULT_MMAP_THRESHOLD_MAX`).
 */
const CHUNK_BYTES = 2 ** 25;

/** A message to a closed port is dropped, with the memory that it takes along. */
const { port1: nowhere, port2: closed } = new MessageChannel();
closed.close();

/** Takes a chunk of zeros from the system; `undefined` if it has none left. */
export function allocateChunk(): ArrayBuffer | undefined {
  try {
    return new ArrayBuffer(CHUNK_BYTES);
  } catch {
    return undefined;
  }
}

/** Gives a chunk back now instead of at the next garbage collection; its views become empty. */
export function freeChunk(memory: ArrayBuffer): void {
  nowhere.postMessage(undefined, [memory]);
}
