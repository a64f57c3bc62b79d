/** Memory outside the JavaScript heap that goes back to the system when it is freed. */

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
  return allocate(CHUNK_BYTES);
}

/**
 * Takes just so many zeros; `undefined` if the system has none left. The buffer is a resizable one: V8
 * maps those itself, without malloc, but takes longer to read and write them.
 */
export function allocateExactly(sizeBytes: number): ArrayBuffer | undefined {
  return allocate(sizeBytes, { maxByteLength: sizeBytes });
}

function allocate(...parameters: [number, { maxByteLength: number }?]): ArrayBuffer | undefined {
  try {
    return new ArrayBuffer(...parameters);
  } catch {
    return undefined;
  }
}

/** Gives memory back now instead of at the next garbage collection; its views become empty. */
export function freeMemory(memory: ArrayBuffer): void {
  nowhere.postMessage(undefined, [memory]);
}
