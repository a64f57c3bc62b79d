/** The scheduler: one budget of time in each turn of the event loop for all work that takes long. */

import { failure, type Failure } from './errors.ts';
import { LONG_WORK_MAX } from './limits.ts';

/** What all long work together may take of a turn, and so about what it adds to a request's wait. */
const BUDGET_MS = 2;

/** Whom work is for. The kinds are served in turn, so none can hold up another by its number. */
export type WorkKind = 'client' | 'peer' | 'upkeep';

/** The event loop and its clock; tests step their own. */
export interface Loop {
  nowMs(): number;
  /** Calls `run` in the next turn, when what waited for this one has been served. */
  defer(run: () => void): void;
}

const EVENT_LOOP: Loop = {
  nowMs: () => performance.now(),
  defer: (run) => void setImmediate(run),
};

/** Work that waits for its turn. */
interface Waiting {
  readonly lane: Lane;
  /** Lets it go on, or, with false, tells it to stop. */
  readonly wake: (goOn: boolean) => void;
}

/** Shares out the time of one event loop; there is one scheduler a process. */
export class Scheduler {
  readonly #loop: Loop;
  /** First come, first served within each kind; the kind that is next comes first. */
  readonly #queues: { kind: WorkKind; waiting: Waiting[] }[] = [
    { kind: 'client', waiting: [] },
    { kind: 'peer', waiting: [] },
    { kind: 'upkeep', waiting: [] },
  ];
  /** Whether this turn of the loop has had long work; then the next turn is asked for. */
  #isOpen = false;
  #startMs = 0;
  /** Who was let go on in this turn while others wait. */
  #running: Lane | undefined;

  constructor(loop: Loop = EVENT_LOOP) {
    this.#loop = loop;
  }

  /**
   * Takes on work that takes long; `isGone` tells when nobody waits for it any more.
   *
   * @returns a failure if too much of its kind is waiting already.
   */
  enter(kind: WorkKind, isGone: () => boolean = () => false): Lane | Failure {
    if (this.#queue(kind).length >= LONG_WORK_MAX) {
      return failure('OVERLOADED', 'too many requests that take long are waiting');
    }
    return new Lane(this, kind, isGone);
  }

  /** A lane for upkeep, of which there is always room for a little. */
  enterUpkeep(): Lane {
    return new Lane(this, 'upkeep', () => false);
  }

  /**
   * Runs `steps` to its end; each `yield` in it is the end of a piece that takes far less than a turn.
   *
   * @returns what it returns or promises, or the failure of work that was not taken on or is of no use any more.
   */
  async run<T>(
    kind: WorkKind,
    steps: Iterator<void, T>,
    isGone?: () => boolean,
  ): Promise<Awaited<T> | Failure> {
    const lane = this.enter(kind, isGone);
    if (!(lane instanceof Lane)) return lane;
    for (;;) {
      const goesOn = lane.share();
      if (!(goesOn === true || (await goesOn))) {
        steps.return?.();
        return CLIENT_GONE;
      }
      const { done, value } = steps.next();
      if (done === true) return await value;
    }
  }

  /** What {@link Lane.share} does. */
  share(lane: Lane): boolean | Promise<boolean> {
    if (lane.isGone()) return false;
    const nowMs = this.#loop.nowMs();
    if (!this.#isOpen) this.#open(lane, nowMs);
    const isFirst = lane === this.#running || this.#queues.every(({ waiting }) => !waiting.length);
    if (isFirst && nowMs - this.#startMs < BUDGET_MS) return true;
    return new Promise((wake) => this.#queue(lane.kind).push({ lane, wake }));
  }

  /** Begins a turn, in which `lane` comes first. */
  #open(lane: Lane, nowMs: number): void {
    this.#isOpen = true;
    this.#startMs = nowMs;
    this.#running = lane;
    this.#loop.defer(() => this.#turn());
  }

  #turn(): void {
    this.#isOpen = false;
    this.#running = undefined;
    const next = this.#next();
    if (next === undefined) return;
    this.#open(next.lane, this.#loop.nowMs());
    next.wake(true);
  }

  /** Takes the next whose client is still there; the kinds take turns. */
  #next(): Waiting | undefined {
    for (let i = 0; i < this.#queues.length; i++) {
      const queue = this.#queues.shift()!;
      this.#queues.push(queue);
      for (let next = queue.waiting.shift(); next !== undefined; next = queue.waiting.shift()) {
        if (!next.lane.isGone()) return next;
        next.wake(false);
      }
    }
    return undefined;
  }

  #queue(kind: WorkKind): Waiting[] {
    return this.#queues.find((queue) => queue.kind === kind)!.waiting;
  }
}

/** One piece of work after the other, for one client. */
export class Lane {
  readonly kind: WorkKind;
  readonly isGone: () => boolean;
  readonly #scheduler: Scheduler;

  /** Made by {@link Scheduler.enter}. */
  constructor(scheduler: Scheduler, kind: WorkKind, isGone: () => boolean) {
    this.kind = kind;
    this.isGone = isGone;
    this.#scheduler = scheduler;
  }

  /**
   * To be awaited before each piece, the first too: gives way to others if this turn's time is up or
   * it is somebody else's. False if the client has gone: then the work stops.
   */
  share(): boolean | Promise<boolean> {
    return this.#scheduler.share(this);
  }
}

const CLIENT_GONE = failure('CLIENT_GONE', 'the client did not wait for the answer');
