/** Log lines about what happens again and again: each is written when it is news. */

import type { Logger } from 'pino';

/** What is said again after this time is a reminder, and worth a line. */
const REMINDER_MS = 10_000;

/** Subjects that are remembered; whoever dials from ever new addresses makes no memory grow. */
const SUBJECTS_MAX = 1024;

export class News {
  readonly #log: Logger;
  /** What was last said of each subject, and when. */
  readonly #said = new Map<string, { readonly reason: string; readonly atMs: number }>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Writes that `text` holds for `peer`, because of `reason`, unless that was just said. */
  tell(peer: string, reason: string, text: string): void {
    const subject = `${text} ${peer}`;
    const said = this.#said.get(subject);
    const atMs = performance.now();
    if (said?.reason === reason && atMs - said.atMs < REMINDER_MS) return;
    if (this.#said.size >= SUBJECTS_MAX) this.#said.clear();
    this.#said.set(subject, { reason, atMs });
    this.#log.warn({ peer, reason }, text);
  }
}
