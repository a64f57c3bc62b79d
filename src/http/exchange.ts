/** One request and its answer, as the API sees them: no socket, no parser, no `node:http`. */

import type { Failure } from '../base/errors.ts';
import type { Lease } from '../base/lease.ts';
import type { RequestNames } from '../base/request-names.ts';
import type { Shedding } from './shedding.ts';

/** Bytes of an answer: text of which each character is one byte, or bytes as they are. */
export type Piece = string | Uint8Array;

/** Vouches that nobody writes to the bytes of an answer again, or not before a lease of them is released. */
export interface Kept {
  readonly lease?: Lease;
}

/** Headers of an answer as they go out: a line each, with its end; made by {@link headerLine}. */
export type HeaderLines = string;

/** A header of an answer; `value` has no line end. */
export function headerLine(name: string, value: string): HeaderLines {
  return `${name}: ${value}\r\n`;
}

/** A request whose head has arrived, and the way to answer it. There is at most one answer. */
export interface Exchange {
  /** As the client wrote it, such as `GET`. */
  readonly method: string;
  /** The request target as the client wrote it, a char code a byte. */
  readonly target: string;
  /** When its head had arrived, by `performance.now()`. */
  readonly arrivedMs: number;
  /** What logs call it; only where requests are logged. */
  readonly names?: RequestNames | undefined;
  /** Is told once, when the answer is complete or has broken off. */
  listener: AnswerListener | undefined;

  /**
   * The value of a header, by its name in lower case; a char code a byte. A field that came several
   * times and may be a list is joined by `, `.
   */
  header(name: string): string | undefined;

  /**
   * Calls `done` once: with the whole body, or with the failure as soon as it is clear that there is no
   * room for it. Never calls it if the client goes away first. A body that nobody receives, or that was
   * refused, is drained, so that the client gets to see the answer.
   */
  receive(maxBytes: number, done: (body: Buffer | Failure) => void): void;

  /**
   * Sends a whole answer. To the headers the length, the date and what concerns the connection are
   * added, and the body of an answer to HEAD is left out. The pieces may be on loan: what the socket
   * does not take at once is copied, unless they are `kept`.
   */
  send(status: number, headers: HeaderLines, body: Piece | readonly Piece[], kept?: Kept): void;

  /** Begins an answer whose length is not known; nothing is sent before the first piece. */
  begin(status: number, headers: HeaderLines): void;
  /**
   * Goes on with it, with a piece that may be on loan, as in {@link send}; false if the client does not
   * keep up: then wait until it has {@link drained}.
   */
  write(piece: Piece, kept?: Kept): boolean;
  end(piece?: Piece): void;
  /** Resolves when more can be written, or never will be. */
  drained(): Promise<void>;

  /** Breaks off: what was begun must not look complete. */
  abort(): void;

  /** Whether an answer has been sent or begun. */
  readonly isAnswered: boolean;
  /** Whether the client has gone, so that no answer will reach it. */
  readonly isGone: boolean;
}

/** Who is told of answers. */
export interface AnswerListener {
  /** `status` is {@link BROKEN_OFF} where nobody saw an answer to its end. */
  onAnswer(exchange: Exchange, status: number): void;
}

/** What counts as the status of an answer that broke off. */
export const BROKEN_OFF = 499;

/** What serves exchanges. */
export interface Application {
  /** Answers one request, now or later; it never throws. */
  handle(exchange: Exchange): void;
  /** The answer to bytes that are no request. */
  describe(problem: Failure): { readonly headers: HeaderLines; readonly body: string };
  /** What may be refused while there is more to do than can be done; nothing unless it is given. */
  readonly shedding?: Shedding;
}

/** An exchange whose answer has some headers more, and that may have names. */
export class WithHeaders implements Exchange {
  readonly names: RequestNames | undefined;
  readonly #exchange: Exchange;
  readonly #headers: HeaderLines;

  constructor(exchange: Exchange, headers: HeaderLines, names = exchange.names) {
    this.names = names;
    this.#exchange = exchange;
    this.#headers = headers;
  }

  get method(): string {
    return this.#exchange.method;
  }

  get target(): string {
    return this.#exchange.target;
  }

  get arrivedMs(): number {
    return this.#exchange.arrivedMs;
  }

  get listener(): AnswerListener | undefined {
    return this.#exchange.listener;
  }

  set listener(listener: AnswerListener | undefined) {
    this.#exchange.listener = listener;
  }

  get isAnswered(): boolean {
    return this.#exchange.isAnswered;
  }

  get isGone(): boolean {
    return this.#exchange.isGone;
  }

  header(name: string): string | undefined {
    return this.#exchange.header(name);
  }

  receive(maxBytes: number, done: (body: Buffer | Failure) => void): void {
    this.#exchange.receive(maxBytes, done);
  }

  send(status: number, headers: HeaderLines, body: Piece | readonly Piece[], kept?: Kept): void {
    this.#exchange.send(status, headers + this.#headers, body, kept);
  }

  begin(status: number, headers: HeaderLines): void {
    this.#exchange.begin(status, headers + this.#headers);
  }

  write(piece: Piece, kept?: Kept): boolean {
    return this.#exchange.write(piece, kept);
  }

  end(piece?: Piece): void {
    this.#exchange.end(piece);
  }

  drained(): Promise<void> {
    return this.#exchange.drained();
  }

  abort(): void {
    this.#exchange.abort();
  }
}
