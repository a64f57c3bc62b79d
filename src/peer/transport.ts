/** What peers talk over: pipes, which one side dials and the other accepts. Sockets, outside of tests. */

import type { Cancel } from '../base/timers.ts';

/** Bytes in both directions, each in order. */
export interface Pipe {
  /** Whom it leads to: the address that was dialled, the host of whoever has dialled. */
  readonly remote: string;
  /** Bytes that were written and have not left yet. */
  readonly unsentBytes: number;
  /** Has `user` told what happens from now on; called once. */
  attach(user: PipeUser): void;
  /** Sends buffers that nobody writes to again. */
  write(buffers: readonly Buffer[]): void;
  /** Lets what the other side sends wait there. */
  pause(): void;
  resume(): void;
  /** Closes the pipe once what was written has been read. */
  end(): void;
  /** Closes the pipe at once. */
  destroy(): void;
}

/** Whoever uses a pipe. */
export interface PipeUser {
  onBytes(chunk: Buffer): void;
  /** Some of what was written has left. */
  onSent(): void;
  /** The pipe is closed; called at most once. */
  onClose(reason: string): void;
}

/** Why there is no pipe to somebody. */
export interface NoPipe {
  readonly remote: string;
  readonly reason: string;
}

/** Somebody who has dialled this node. */
export interface Guest {
  readonly pipe: Pipe;
  /** Why that is no peer; it can be told so. */
  readonly refusal: string | undefined;
}

export interface Transport {
  /** Dials `address`, in bounded time; calls `done` once, unless it is called off. */
  dial(address: string, done: (outcome: Pipe | NoPipe) => void): Cancel;
  /** Hands whoever dials from now on to `onGuest`; those who dialled before are sent away. */
  accept(onGuest: (guest: Guest | NoPipe) => void): void;
  /** Accepts nobody any more. */
  close(): void;
}
