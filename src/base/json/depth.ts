/** How deep JSON text nests, told before anything parses it. */

import { isClose, isOpen, QUOTE, skipString } from './scan.ts';

/**
 * True if arrays and objects nest deeper than `limit` (`[]` is 1 deep). Takes any bytes and never
 * recurses: up to the first error in them it sees the strings and brackets that a parser sees.
 */
export function isTooDeep(bytes: Uint8Array, start: number, end: number, limit: number): boolean {
  // Each level takes a byte, so that a small body costs nothing.
  if (end - start <= limit) return false;
  let depth = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) at = skipString(bytes, at, end) - 1;
    else if (isClose(byte)) depth--;
    else if (isOpen(byte) && ++depth > limit) return true;
  }
  return false;
}
