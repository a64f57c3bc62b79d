/** A promise that somebody else resolves. */

export class Deferred<T = void> {
  readonly promise: Promise<T>;
  /** Resolves the promise; later calls change nothing. */
  readonly resolve: (value: T) => void;

  constructor() {
    let settle: ((value: T) => void) | undefined;
    this.promise = new Promise((resolve) => {
      settle = resolve;
    });
    // The promise has called its function by now.
    this.resolve = settle!;
  }
}
