/** The API without a socket: an exchange that is made of a question and gives an answer. */

import type { IncomingHttpHeaders } from 'node:http';

import { failure, type Failure } from '../../src/base/errors.ts';
import {
  BROKEN_OFF,
  type AnswerListener,
  type Application,
  headerLine,
  type Exchange,
  type HeaderLines,
  type Kept,
  type Piece,
} from '../../src/http/exchange.ts';
import { answerOf, type Answer, type Question, type Send } from './client.ts';

/** Lets an application answer one question after the other. */
export function sendTo(application: Application): Send {
  return async (method, target, question) => {
    const exchange = new TestExchange(method, target, question);
    application.handle(exchange);
    return exchange.answer;
  };
}

/** A client that reads everything at once, unless the test says otherwise. */
export class TestExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  /** What the client sees in the end; rejects where the connection broke off. */
  readonly answer: Promise<Answer>;
  readonly arrivedMs = performance.now();
  listener: AnswerListener | undefined;
  isAnswered = false;
  isGone = false;
  /** Set, the client takes nothing more until `drain` is called. */
  isFull = false;
  readonly #headers: ReadonlyMap<string, string>;
  readonly #body: Buffer;
  readonly #pieces: Buffer[] = [];
  #head: { status: number; headers: IncomingHttpHeaders } = { status: 0, headers: {} };
  #resolve!: (answer: Answer) => void;
  #reject!: (error: Error) => void;
  #onDrained = (): void => {};

  constructor(method: string, target: string, { headers = {}, body = '' }: Question = {}) {
    this.method = method;
    this.target = Buffer.from(target).toString('latin1');
    this.#headers = new Map(
      Object.entries(headers).map(([name, value]) => [
        name.toLowerCase(),
        [value].flat().join(', '),
      ]),
    );
    this.#body = Buffer.from(body);
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A test that does not wait for the answer may let the connection break off.
    this.answer.catch(() => {});
  }

  /** What has been written so far. */
  get written(): string {
    return Buffer.concat(this.#pieces).toString();
  }

  /** The headers of the answer, as far as it has begun. */
  get headers(): IncomingHttpHeaders {
    return this.#head.headers;
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  receive(maxBytes: number, done: (body: Buffer | Failure) => void): void {
    const isTooLarge = this.#body.length > maxBytes;
    const detail = `a body has at most ${maxBytes} bytes`;
    const body = isTooLarge ? failure('BODY_TOO_LARGE', detail) : this.#body;
    // Later, as from a socket; what this throws is the test's to see.
    setImmediate(() => this.isGone || done(body));
  }

  send(status: number, headers: HeaderLines, body: Piece | readonly Piece[]): void {
    const pieces = typeof body === 'string' || body instanceof Uint8Array ? [body] : body;
    const bytes = Buffer.concat(pieces.map(bytesOf));
    const hasLength = status !== 204 && status !== 304;
    this.begin(
      status,
      headers + (hasLength ? headerLine('Content-Length', `${bytes.length}`) : ''),
    );
    this.end(bytes);
  }

  begin(status: number, headers: HeaderLines): void {
    if (this.isAnswered) throw new Error('a second answer to one request');
    this.isAnswered = true;
    const named: IncomingHttpHeaders = {};
    for (const [, name, value] of headers.matchAll(/([^:]+): (.*)\r\n/g)) {
      named[name!.toLowerCase()] = value;
    }
    this.#head = { status, headers: named };
  }

  write(piece: Piece, kept?: Kept): boolean {
    if (!this.isAnswered) throw new Error('a piece before its head');
    // Copied: the bytes may be on loan.
    if (this.method !== 'HEAD') this.#pieces.push(Buffer.from(bytesOf(piece)));
    kept?.lease?.release();
    return !this.isFull;
  }

  end(piece: Piece = ''): void {
    this.write(piece);
    const { status, headers } = this.#head;
    this.#resolve(answerOf(status, headers, Buffer.concat(this.#pieces)));
    this.listener?.onAnswer(this, status);
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      if (this.isGone || !this.isFull) resolve();
    });
  }

  /** The client reads on. */
  drain(): void {
    this.isFull = false;
    this.#onDrained();
  }

  /** The client goes away. */
  leave(): void {
    this.isGone = true;
    this.#onDrained();
  }

  abort(): void {
    this.isGone = true;
    this.#reject(new Error('the connection broke off'));
    this.listener?.onAnswer(this, BROKEN_OFF);
    this.#onDrained();
  }
}

function bytesOf(piece: Piece): Buffer {
  return typeof piece === 'string' ? Buffer.from(piece, 'latin1') : Buffer.from(piece);
}
