/** Giving memory back now instead of at the next garbage collection. */

import { MessageChannel } from 'node:worker_threads';

/** A message to a closed port is dropped, with the memory that it takes along. */
const { port1: nowhere, port2: closed } = new MessageChannel();
closed.close();

/** Frees a buffer that nobody reads or writes any more; its views become empty. */
export function freeMemory(memory: ArrayBuffer): void {
  nowhere.postMessage(undefined, [memory]);
}
