/** Log lines about what happens again and again: each is written when it is news. */

import type { Logger } from 'pino';

import { NEWS_LINES_MAX, NEWS_REMEMBERED_MAX, NEWS_REMINDER_MS } from '../base/limits.ts';

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
    if (saidMs !== undefined && nowMs - saidMs < NEWS_REMINDER_MS) return;
    const before = this.#spans.get(text);
    const isOver = before === undefined || nowMs - before.sinceMs >= NEWS_REMINDER_MS;
    const span = isOver ? { sinceMs: nowMs, lines: 0, unsaid: 0 } : before;
    this.#spans.set(text, span);
    if (span.lines === NEWS_LINES_MAX) {
      span.unsaid++;
      return;
    }
    span.lines++;
    if (this.#said.size >= NEWS_REMEMBERED_MAX) this.#said.clear();
    this.#said.set(thing, nowMs);
    const unsaid = isOver && before?.unsaid ? { unsaid: before.unsaid } : {};
    this.#log.warn({ peer, reason, ...unsaid }, text);
  }
}
