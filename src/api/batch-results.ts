/** The results of a batch on their way to the client. */

import { failure, httpStatus, isFailure, type Failure } from '../base/errors.ts';
import { ANSWER_CHUNK_CHARS, BATCH_ANSWER_BYTES_MAX } from '../base/limits.ts';
import { Phrase, TextBuffer } from '../base/text-buffer.ts';
import { headerLine, type Exchange, type HeaderLines } from '../http/exchange.ts';
import type { Glimpse } from '../record/glimpse.ts';
import { keep, release, type Reply } from '../record/reply.ts';
import type { Action, Request } from '../record/request.ts';
import { writeVersion } from '../record/version.ts';
import { byteString, JSON_HEAD, renderMeta, renderNode } from './answer.ts';
import { ANY_VERSION, type Operation } from './batch-document.ts';

/** What the client wants to be told of each operation. */
export interface Wish {
  /** Meta and node of what was served. */
  readonly meta: boolean;
  /** Only failures, each with its position. */
  readonly minimal: boolean;
}

/** What happened to an operation that had to wait for those before it. */
interface Outcome {
  readonly operation: Operation;
  readonly reply: Reply;
}

/** Writes the results in the order of the operations, as they come. */
export class BatchResults {
  readonly #exchange: Exchange;
  readonly #wish: Wish;
  readonly #headers: HeaderLines;
  readonly #text = new TextBuffer();
  #isFirst = true;
  /** The position whose result is written next … */
  #next = 0;
  /** … and what came before it was its turn. */
  readonly #early = new Map<number, Outcome>();
  /** Bytes of the values that were taken. */
  #valueBytes = 0;
  #failed = 0;

  constructor(exchange: Exchange, wish: Wish) {
    this.#exchange = exchange;
    this.#wish = wish;
    this.#headers = wish.minimal
      ? JSON_HEAD + headerLine('Preference-Applied', 'return=minimal')
      : JSON_HEAD;
    this.#text.add('{"results":[');
  }

  /** Whether enough is gathered for a chunk. */
  get isLong(): boolean {
    return this.#text.length >= ANSWER_CHUNK_CHARS;
  }

  /** Takes the outcome at a position, at once: the reply's value may not be there later. */
  put(at: number, operation: Operation, reply: Reply): void {
    const told = this.#bounded(operation, reply);
    if (at !== this.#next) {
      this.#early.set(at, { operation, reply: keep(told) });
      return;
    }
    this.#render(operation, told);
    while (this.#early.size > 0) {
      const outcome = this.#early.get(this.#next);
      if (outcome === undefined) return;
      this.#early.delete(this.#next);
      this.#render(outcome.operation, outcome.reply);
    }
  }

  /** The position whose result is written next: everything before it has been. */
  get next(): number {
    return this.#next;
  }

  /** Takes what was seen for the operation at the next position; false if there is no room for its value. */
  see(sight: Glimpse | 'nothing'): boolean {
    const isFound = sight !== 'nothing';
    if (!this.#wish.minimal) {
      if (isFound && !this.#takeRoom(sight.end - sight.start)) return false;
      const text = this.#text;
      this.#separate();
      if (isFound) {
        text.addPhrase(SEEN);
        writeVersion(text, sight);
        text.addPhrase(QUOTE);
        if (sight.end > sight.start) {
          text.addPhrase(DATA);
          text.copyView(sight.view, sight.start, sight.end);
        }
        text.addPhrase(END);
      } else text.addPhrase(NOT_SEEN);
    }
    this.#next++;
    return true;
  }

  /** Writes what is gathered; resolves when there may be more. */
  async flush(): Promise<void> {
    if (!this.#exchange.isAnswered) this.#exchange.begin(200, this.#headers);
    const isRead = this.#exchange.write(this.#text.bytes);
    this.#text.clear();
    if (!isRead) await this.#exchange.drained();
  }

  end(): void {
    this.#text.add(`\n],"failed":${this.#failed}}\n`);
    if (this.#exchange.isAnswered) this.#exchange.end(this.#text.bytes);
    else this.#exchange.send(200, this.#headers, this.#text.bytes);
  }

  /** Gives its memory back. */
  free(): void {
    for (const { reply } of this.#early.values()) release(reply);
    this.#text.free();
  }

  /** The reply as far as it is shown: of a load with its value, if there is room for it. */
  #bounded(operation: Operation, reply: Reply): Reply {
    if (reply.status !== 'ok' || reply.value === undefined) return reply;
    const isShown = !this.#wish.minimal && isOf(operation, 'load');
    if (isShown && this.#takeRoom(reply.value.end - reply.value.start)) return reply;
    release(reply);
    return isShown ? TOO_LARGE : { ...reply, value: undefined };
  }

  #takeRoom(bytes: number): boolean {
    if (this.#valueBytes + bytes > BATCH_ANSWER_BYTES_MAX) return false;
    this.#valueBytes += bytes;
    return true;
  }

  #render(operation: Operation, reply: Reply): void {
    const at = this.#next++;
    if (reply.status === 'failed') this.#renderFailure(at, operation, reply);
    else if (!this.#wish.minimal) this.#renderServed(operation, reply);
    release(reply);
  }

  #renderServed(operation: Operation, reply: Exclude<Reply, Failure>): void {
    const text = this.#text;
    const value = reply.status === 'ok' ? reply.value : undefined;
    this.#separate();
    if (isOf(operation, 'delete')) text.addPhrase(DONE);
    else {
      text.addPhrase(reply.status === 'ok' ? SEEN : UNCHANGED);
      writeVersion(text, reply.meta);
      text.addPhrase(QUOTE);
    }
    if (this.#wish.meta) {
      text.add(`,"meta":${renderMeta(reply.meta)},"node":${renderNode(reply.node)}`);
    }
    if (value !== undefined) {
      text.addPhrase(DATA);
      text.copy(value.bytes, value.start, value.end);
    }
    text.addPhrase(END);
  }

  #renderFailure(at: number, operation: Operation, problem: Failure): void {
    let { code } = problem;
    const { version } = problem;
    const isDelete = isOf(operation, 'delete');
    if (isDelete && code === 'PRECONDITION_FAILED' && operation.condition === ANY_VERSION) {
      code = 'KEY_NOT_FOUND';
    }
    const isMiss = httpStatus(code) === 404 && (isDelete || isOf(operation, 'load'));
    if (!isMiss) this.#failed++;
    if (isMiss && this.#wish.minimal) return;
    const position = this.#wish.minimal ? `"position":${at},` : '';
    const isEveryday = isMiss || code === 'PRECONDITION_FAILED';
    const detail = isEveryday ? '' : `,"detail":${byteString(JSON.stringify(problem.detail))}`;
    this.#separate();
    const etag = version === undefined ? '' : `,"etag":"${version}"`;
    this.#text.add(`{${position}"status":${httpStatus(code)},"code":"${code}"${etag}${detail}}`);
  }

  #separate(): void {
    this.#text.addPhrase(this.#isFirst ? FIRST : NEXT);
    this.#isFirst = false;
  }
}

const FIRST = new Phrase('\n');
const NEXT = new Phrase(',\n');
const DONE = new Phrase('{"status":200');
const SEEN = new Phrase('{"status":200,"etag":"');
const UNCHANGED = new Phrase('{"status":304,"etag":"');
const NOT_SEEN = new Phrase('{"status":404,"code":"KEY_NOT_FOUND"}');
const QUOTE = new Phrase('"');
const DATA = new Phrase(',"data":');
const END = new Phrase('}');

const TOO_LARGE = failure(
  'ANSWER_TOO_LARGE',
  `the answer to a batch has at most ${BATCH_ANSWER_BYTES_MAX} bytes of values`,
);

function isOf<A extends Action>(
  operation: Operation,
  action: A,
): operation is Extract<Request, { action: A }> {
  return !isFailure(operation) && operation.action === action;
}
