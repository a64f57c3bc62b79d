/** Memory that the system maps for one buffer and gets back whole. */

/**
 * Just so many bytes, which come as zeros; undefined if the system has none left. V8 maps a resizable
 * buffer itself, without malloc, which keeps freed pieces of less than 32 MiB; only pages that are written
 * take memory. To read and write it takes somewhat longer.
 */
export function mappedMemory(sizeBytes: number): ArrayBuffer | undefined {
  try {
    return new ArrayBuffer(sizeBytes, { maxByteLength: sizeBytes });
  } catch {
    return undefined;
  }
}
