/** Patience: how long a client may take. */

import {
  BODY_BYTES_PER_SECOND_MIN,
  ENDED_TIMEOUT_MS,
  HEADERS_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  LINGER_MS,
  REQUEST_TIMEOUT_MS,
} from '../base/limits.ts';
import type { Message } from './message.ts';

/** In milliseconds. */
export interface Patience {
  /** For the head of a request, from its first byte on. */
  readonly headersMs: number;
  /** For a whole request. */
  readonly requestMs: number;
  /** Between two signs of life on a connection, reading answers included. */
  readonly idleMs: number;
  /** For reading why the connection is being closed. */
  readonly lingerMs: number;
  /** For an answer to a client that has ended its side, and so may be gone: without a byte of it. */
  readonly endedMs: number;
}

export const PATIENCE: Patience = {
  headersMs: HEADERS_TIMEOUT_MS,
  requestMs: REQUEST_TIMEOUT_MS,
  idleMs: IDLE_TIMEOUT_MS,
  lingerMs: LINGER_MS,
  endedMs: ENDED_TIMEOUT_MS,
};

/** Whether so much of a request is too little after so long. */
export function isTooSlow(
  { headersMs, requestMs }: Patience,
  { isHeadRead, wireBytes }: Message,
  elapsedMs: number,
): boolean {
  if (elapsedMs <= headersMs) return false;
  if (!isHeadRead || elapsedMs > requestMs) return true;
  return wireBytes < (BODY_BYTES_PER_SECOND_MIN * (elapsedMs - headersMs)) / 1000;
}
