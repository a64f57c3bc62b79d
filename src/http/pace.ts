/** The pace of bodies: what is read of all of them in one turn of the event loop, so that others have room. */

import { BODY_BYTES_PER_TURN, BODY_READERS_PER_TURN } from '../base/limits.ts';

/** Shares out the reading of bodies that come in more than one read. */
export class Pace {
  /** Who may not read on yet, in order. */
  readonly #waiting: (() => void)[] = [];
  readonly #defer: (run: () => void) => void;
  #leftBytes = BODY_BYTES_PER_TURN;
  #isAskedFor = false;

  /** `defer` calls back in the next turn of the loop; tests step their own. */
  constructor(defer: (run: () => void) => void = (run) => void setImmediate(run)) {
    this.#defer = defer;
  }

  /**
   * Notes what has been read.
   *
   * @returns whether more may be read at once; if not, `goOn` is called when it is this one's turn.
   */
  read(bytes: number, goOn: () => void): boolean {
    this.#leftBytes -= bytes;
    this.#ask();
    if (this.#leftBytes > 0 && this.#waiting.length === 0) return true;
    this.#waiting.push(goOn);
    return false;
  }

  #ask(): void {
    if (this.#isAskedFor) return;
    this.#isAskedFor = true;
    this.#defer(() => this.#turn());
  }

  #turn(): void {
    this.#isAskedFor = false;
    this.#leftBytes = BODY_BYTES_PER_TURN;
    for (const goOn of this.#waiting.splice(0, BODY_READERS_PER_TURN)) goOn();
    if (this.#waiting.length > 0) this.#ask();
  }
}
