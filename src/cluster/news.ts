/** Log lines about what happens again and again: each is written when it is news. */

import type { Logger } from 'pino';

/** What is said again after this time is a reminder, and worth a line. */
const REMINDER_MS = 10_000;

/** Lines of one kind in that time, whatever they are about: a stranger may have many addresses. */
const LINES_MAX = 20;

/** Things said that are remembered; whoever dials from ever new addresses makes no memory grow. */
const REMEMBERED_MAX = 1024;

/** The lines of one kind since `sinceMs`. */
interface Span {
  readonly sinceMs: number;
  lines: number;
  /** How many more there would have been. */
  unsaid: number;
}

export class News {
  readonly #log: Logger;
  readonly #nowMs: () => number;
  /** When each thing was last said. */
  readonly #said = new Map<string, number>();
  /** By the text of the line. */
  readonly #spans = new Map<string, Span>();

  constructor(log: Logger, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** Writes that `text` holds for `peer`, because of `reason`, unless that was just said. */
  tell(peer: string, reason: string, text: string): void {
    const nowMs = this.#nowMs();
    const thing = JSON.stringify([text, peer, reason]);
    const saidMs = this.#said.get(thing);
    if (saidMs !== undefined && nowMs - saidMs < REMINDER_MS) return;
    const before = this.#spans.get(text);
    const isOver = before === undefined || nowMs - before.sinceMs >= REMINDER_MS;
    const span = isOver ? { sinceMs: nowMs, lines: 0, unsaid: 0 } : before;
    this.#spans.set(text, span);
    if (span.lines === LINES_MAX) {
      span.unsaid++;
      return;
    }
    span.lines++;
    if (this.#said.size >= REMEMBERED_MAX) this.#said.clear();
    this.#said.set(thing, nowMs);
    const unsaid = isOver && before?.unsaid ? { unsaid: before.unsaid } : {};
    this.#log.warn({ peer, reason, ...unsaid }, text);
  }
}
