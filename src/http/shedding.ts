/** Shedding: which requests may be refused without a look at them, and the one answer to all of these. */

import { statusLine } from './answer-head.ts';
import type { Message } from './message.ts';

interface Answer {
  /** Lines as they go out. */
  readonly headers: string;
  readonly body: string;
}

export class Shedding {
  readonly status: number;
  /** Lines as they go out. */
  readonly headers: string;
  readonly body: string;
  /** How many were refused. */
  count = 0;
  readonly #targets: readonly string[];
  /** The answer that was asked for last, and the end of its head. */
  #text = '';
  #headEnd = '';

  /** `targets` are the beginnings of those that may be refused. */
  constructor(targets: readonly string[], status: number, { headers, body }: Answer) {
    this.#targets = targets;
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /** Whether a request whose head has come is one of them. */
  covers(message: Message): boolean {
    for (const target of this.#targets) if (message.isFor(target)) return true;
    return false;
  }

  /** The whole answer, whose head ends with what concerns the connection: made once a second. */
  answer(headEnd: string): string {
    if (headEnd !== this.#headEnd) {
      const head = `${statusLine(this.status)}${this.headers}Content-Length: ${this.body.length}\r\n`;
      this.#text = head + headEnd + this.body;
      this.#headEnd = headEnd;
    }
    return this.#text;
  }
}
