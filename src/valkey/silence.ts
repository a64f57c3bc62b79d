/** When a server counts as dead, though the connection to it stands. */

import type { Socket } from 'node:net';

import { VALKEY_SILENCE_MAX_MS, VALKEY_SILENCE_STEP_MS } from '../base/limits.ts';
import type { Outbox } from './outbox.ts';

const STEPS_MAX = VALKEY_SILENCE_MAX_MS / VALKEY_SILENCE_STEP_MS;

/**
 * Ends a connection over which nothing comes and nothing that is held up gets on, while an answer is due.
 * Time passes in steps: when we were held up ourselves, the server is not blamed.
 */
export class Silence {
  readonly #stream: Pick<Socket, 'bytesRead' | 'destroy'>;
  readonly #outbox: Outbox;
  #bytesRead = 0;
  /** Steps without a sign of life. */
  #steps = 0;

  constructor(stream: Pick<Socket, 'bytesRead' | 'destroy'>, outbox: Outbox) {
    this.#stream = stream;
    this.#outbox = outbox;
  }

  /** Call once in `VALKEY_SILENCE_STEP_MS`, with whether an answer is due. */
  step(isDue: boolean): void {
    const { bytesRead } = this.#stream;
    const isAlive = this.#outbox.hasMoved() || bytesRead > this.#bytesRead;
    this.#bytesRead = bytesRead;
    this.#steps = isAlive || !isDue ? 0 : this.#steps + 1;
    if (this.#steps < STEPS_MAX) return;
    this.#stream.destroy(new Error(`no sign of life for ${VALKEY_SILENCE_MAX_MS} ms`));
  }
}
