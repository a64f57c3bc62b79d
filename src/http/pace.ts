/** A pace: what large bodies, or large answers, may take of a turn of the event loop, so that others have room. */

/** What all of them together may have of one turn. */
export interface PaceOptions {
  readonly bytesPerTurn: number;
  /** How many of those that wait go on in it. */
  readonly usersPerTurn: number;
}

/** Shares out the turns of the loop among those that move much. */
export class Pace {
  /** Who may not go on yet, in order. */
  readonly #waiting: (() => void)[] = [];
  readonly #defer: (run: () => void) => void;
  readonly #options: PaceOptions;
  #leftBytes: number;
  #isAskedFor = false;

  /** `defer` calls back in the next turn of the loop; tests step their own. */
  constructor(
    options: PaceOptions,
    defer: (run: () => void) => void = (run) => void setImmediate(run),
  ) {
    this.#options = options;
    this.#leftBytes = options.bytesPerTurn;
    this.#defer = defer;
  }

  /**
   * Notes what has been read or written.
   *
   * @returns whether more may be at once; if not, `goOn` is called when it is this one's turn.
   */
  spend(bytes: number, goOn: () => void): boolean {
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
    this.#leftBytes = this.#options.bytesPerTurn;
    for (const goOn of this.#waiting.splice(0, this.#options.usersPerTurn)) goOn();
    if (this.#waiting.length > 0) this.#ask();
  }
}
