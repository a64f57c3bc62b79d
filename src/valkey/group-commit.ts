/**
 * Writes that are answered when replicas have them. WAIT counts who has all that its own connection has
 * written, and blocks that connection; so such writes have one of their own, and share each WAIT.
 */

import { VALKEY_CONNECT_TIMEOUT_MS, VALKEY_WAIT_MS } from '../base/limits.ts';
import type { Server } from './server.ts';

/** Sends a write once over a connection. */
type Write = (server: Server) => Promise<unknown>;

/** The answer to a write, and how many replicas have said that they have it. */
export interface Committed {
  readonly answer: unknown;
  readonly acknowledged: number;
}

interface Waiting {
  readonly write: Write;
  readonly resolve: (committed: Committed) => void;
  readonly reject: (error: unknown) => void;
}

export class GroupCommit {
  readonly #server: Server;
  /** The writes that come next, by how many replicas they want. */
  readonly #waiting = new Map<number, Waiting[]>();
  #isRunning = false;

  /** `server` is a connection that nobody else uses. */
  constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Does a write and waits, for a bounded time, until `replicas` have it.
   *
   * @throws what `write` throws; too few replicas are no error here.
   */
  run(write: Write, replicas: number): Promise<Committed> {
    return new Promise((resolve, reject) => {
      const group = this.#waiting.get(replicas) ?? [];
      this.#waiting.set(replicas, group);
      group.push({ write, resolve, reject });
      if (!this.#isRunning) void this.#work();
    });
  }

  close(): void {
    this.#server.destroy();
  }

  /** One group after the other, for as long as there are any. */
  async #work(): Promise<void> {
    this.#isRunning = true;
    await this.#server.whenReady(VALKEY_CONNECT_TIMEOUT_MS);
    for (const [replicas, group] of this.#waiting) {
      // Taken out first: what comes meanwhile is a group of its own, behind those that wait already.
      this.#waiting.delete(replicas);
      await this.#commit(group, replicas);
    }
    this.#isRunning = false;
  }

  async #commit(group: readonly Waiting[], replicas: number): Promise<void> {
    const outcomes = await Promise.allSettled(group.map(({ write }) => write(this.#server)));
    const isDone = outcomes.some(({ status }) => status === 'fulfilled');
    const acknowledged = isDone ? await this.#wait(replicas) : 0;
    for (const [at, outcome] of outcomes.entries()) {
      const { resolve, reject } = group[at]!;
      if (outcome.status === 'rejected') reject(outcome.reason);
      else resolve({ answer: outcome.value, acknowledged });
    }
  }

  /** How many replicas have all that was written; none, if nobody says. */
  async #wait(replicas: number): Promise<number> {
    const args = [String(replicas), String(VALKEY_WAIT_MS)];
    return Number(await this.#server.send('wait', args).catch(() => 0));
  }
}
