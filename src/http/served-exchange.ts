/** An exchange on a connection: a message that was parsed, its body, and the answer to it. */

import type { Failure } from '../base/errors.ts';
import { DRAIN_BYTES_MAX } from '../base/limits.ts';
import { hasBody, statusLine, type HeadEnds } from './answer-head.ts';
import { ArrivingBody, bodyTooLarge } from './body.ts';
import type { BodyBudget } from './budget.ts';
import {
  BROKEN_OFF,
  type AnswerListener,
  type Exchange,
  type HeaderLines,
  type Kept,
  type Piece,
} from './exchange.ts';
import { valueOf, type HeadFacts } from './head.ts';
import type { Message } from './message.ts';
import type { Outbox } from './outbox.ts';

/** The connection, as an exchange sees it. */
export interface Line {
  readonly outbox: Outbox;
  readonly bodies: BodyBudget;
  readonly headEnds: HeadEnds;
  /** Whether the connection ends with this answer, whatever the request says. */
  readonly isClosing: boolean;
  readonly isGone: boolean;
  /** Lets the rest of the body come. */
  wantBody(): void;
  /** Called when an answer is whole. */
  onAnswered(): void;
  /** Breaks off. */
  abort(): void;
  /** Resolves when the outbox has room, or the client has gone. */
  drained(): Promise<void>;
}

/** What becomes of the body: nothing yet, it is kept for the receiver, or dropped. */
type BodyState = 'undecided' | 'received' | 'dropped';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const EMPTY: Buffer = Buffer.alloc(0);

export class ServedExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly arrivedMs = performance.now();
  listener: AnswerListener | undefined;
  readonly #line: Line;
  readonly #facts: HeadFacts;
  /** Undefined when the exchange is over: the message then belongs to another. */
  #message: Message | undefined;

  #bodyState: BodyState = 'undecided';
  /** What came with the head, until somebody wants it. */
  #early: Buffer = EMPTY;
  #body: ArrivingBody | undefined;
  #done: ((body: Buffer | Failure) => void) | undefined;
  #droppedBytes = 0;

  #status = 0;
  #headers: HeaderLines = '';
  #answer: 'none' | 'begun' | 'written to' | 'whole' = 'none';
  /** Whether the connection may serve another request after this one; settled when the head goes out. */
  #keepsAlive: boolean;

  constructor(line: Line, message: Message, facts: HeadFacts) {
    this.#line = line;
    this.#message = message;
    this.#facts = facts;
    this.#keepsAlive = facts.keepsAlive;
    this.method = message.method;
    this.target = message.target;
  }

  header(name: string): string | undefined {
    return this.#message === undefined ? undefined : valueOf(this.#message, name);
  }

  receive(maxBytes: number, done: (body: Buffer | Failure) => void): void {
    const early = this.#early;
    this.#early = EMPTY;
    if (this.#message === undefined || this.#bodyState !== 'undecided') return;
    const announced = this.#facts.bodyBytes ?? 0;
    if (announced > maxBytes || early.length > maxBytes) {
      this.#bodyState = 'dropped';
      done(bodyTooLarge(maxBytes));
      return;
    }
    this.#bodyState = 'received';
    if (this.#message.isRead) {
      done(early);
      return;
    }
    this.#done = done;
    this.#body = new ArrivingBody(this.#line.bodies, maxBytes, this.#facts.bodyBytes ?? maxBytes);
    if (early.length > 0) this.#keep(early);
    else if (this.#facts.awaitsContinue) {
      this.#line.outbox.add(CONTINUE);
      this.#line.outbox.flush();
    }
    this.#line.wantBody();
  }

  /** Whether what comes of the body can be dealt with; else it must not be read. */
  get takesBody(): boolean {
    return this.#bodyState !== 'undecided' || this.isWhole;
  }

  /** Takes a piece of the body; `bytes` are valid until the next read. */
  arrive(bytes: Buffer): void {
    if (this.#bodyState === 'received') this.#keep(bytes);
    else if (this.takesBody) this.#droppedBytes += bytes.length;
    else this.#early = this.#early.length === 0 ? bytes : Buffer.concat([this.#early, bytes]);
  }

  /** Says that the body is whole. */
  finishBody(): void {
    const done = this.#done;
    this.#done = undefined;
    // Its memory is taken until the exchange is over: it may be looked at for long.
    if (this.#body !== undefined) done?.(this.#body.finish());
  }

  #keep(bytes: Buffer): void {
    const problem = this.#body?.add(bytes);
    if (problem === undefined) return;
    const done = this.#done;
    this.#dropBody();
    done?.(problem);
  }

  #dropBody(): void {
    this.#body?.free();
    this.#body = this.#done = undefined;
    this.#early = EMPTY;
    this.#bodyState = 'dropped';
  }

  /** Whether more of an unwanted body has come than is worth an open connection. */
  get isBeyondDraining(): boolean {
    return this.#droppedBytes > DRAIN_BYTES_MAX;
  }

  send(status: number, headers: HeaderLines, body: Piece | readonly Piece[], kept?: Kept): void {
    if (this.isAnswered) return kept?.lease?.release();
    this.#answer = 'whole';
    const { outbox } = this.#line;
    let head = statusLine(status) + headers;
    if (hasBody(status)) head += `Content-Length: ${lengthOf(body)}\r\n`;
    head += this.#headEnd();
    if (!hasBody(status) || this.method === 'HEAD') {
      outbox.add(head);
      kept?.lease?.release();
    } else if (typeof body === 'string') outbox.add(head + body);
    else {
      const pieces = body instanceof Uint8Array ? [body] : body;
      outbox.addPieces([head, ...pieces], kept && this.#keptFor(pieces, kept));
    }
    this.#tell(status);
    this.#line.onAnswered();
  }

  /** Lets an answer that shows the body have its memory, until it has left. */
  #keptFor(pieces: readonly Piece[], kept: Kept): Kept {
    const body = this.#body;
    const shows = pieces.some((piece) => typeof piece !== 'string' && body?.has(piece));
    if (body === undefined || !shows) return kept;
    this.#body = undefined;
    return { lease: { release: () => body.release() } };
  }

  begin(status: number, headers: HeaderLines): void {
    if (this.isAnswered) return;
    this.#answer = 'begun';
    this.#status = status;
    this.#headers = headers;
  }

  write(piece: Piece, kept?: Kept): boolean {
    const { outbox } = this.#line;
    if (this.#answer === 'begun' && !this.isGone) this.#addStreamHead();
    if (this.#answer !== 'written to' || this.isGone) {
      kept?.lease?.release();
      return false;
    }
    if (this.method === 'HEAD' || piece.length === 0) kept?.lease?.release();
    else outbox.addPieces(this.#isChunked ? chunk(piece) : [piece], kept);
    outbox.flush();
    return !outbox.isFull;
  }

  end(piece: Piece = ''): void {
    if (this.isGone) return;
    const { outbox } = this.#line;
    if (this.#answer === 'begun') {
      this.#answer = 'none';
      if (this.method !== 'HEAD') return this.send(this.#status, this.#headers, piece);
      // What the length would be is not known.
      outbox.add(statusLine(this.#status) + this.#headers + this.#headEnd());
    } else if (this.#answer !== 'written to') return;
    if (this.method !== 'HEAD') {
      if (piece.length > 0) outbox.addPieces(this.#isChunked ? chunk(piece) : [piece]);
      if (this.#isChunked) outbox.add('0\r\n\r\n');
    }
    this.#answer = 'whole';
    this.#tell(this.#status);
    this.#line.onAnswered();
  }

  drained(): Promise<void> {
    return this.isGone ? Promise.resolve() : this.#line.drained();
  }

  abort(): void {
    if (this.#message !== undefined && this.#answer !== 'whole') this.#line.abort();
  }

  get isAnswered(): boolean {
    return this.#answer !== 'none' || this.#message === undefined;
  }

  get isGone(): boolean {
    return this.#message === undefined || this.#line.isGone;
  }

  /** Whether the answer has been handed over to its end. */
  get isWhole(): boolean {
    return this.#answer === 'whole';
  }

  /** Whether something of the answer is on its way. */
  get isUnderWay(): boolean {
    return this.#answer === 'whole' || this.#answer === 'written to';
  }

  get keepsAlive(): boolean {
    return this.#keepsAlive;
  }

  /**
   * Ends the exchange: nothing of it has an effect any more. `status` is what the client saw instead of
   * an answer to it.
   */
  close(status = BROKEN_OFF): void {
    if (this.#message === undefined) return;
    this.#dropBody();
    this.#message = undefined;
    this.#tell(status);
  }

  #tell(status: number): void {
    const { listener } = this;
    this.listener = undefined;
    listener?.onAnswer(this, status);
  }

  get #isChunked(): boolean {
    return !this.#facts.isHttp10;
  }

  #addStreamHead(): void {
    // Without chunks the end of the body is the end of the connection.
    if (!this.#isChunked) this.#keepsAlive = false;
    const coding = this.#isChunked ? 'Transfer-Encoding: chunked\r\n' : '';
    this.#line.outbox.add(statusLine(this.#status) + this.#headers + coding + this.#headEnd());
    this.#answer = 'written to';
  }

  #headEnd(): string {
    const { headEnds, isClosing } = this.#line;
    if (isClosing || this.#leavesBody()) this.#keepsAlive = false;
    return this.#keepsAlive ? headEnds.staying : headEnds.closing;
  }

  /** Whether a body is outstanding that is not worth waiting for, or may never come. */
  #leavesBody(): boolean {
    if (this.#message === undefined || this.#message.isRead) return false;
    if (this.#facts.awaitsContinue && this.#bodyState !== 'received') return true;
    return (this.#facts.bodyBytes ?? 0) > DRAIN_BYTES_MAX;
  }
}

function lengthOf(body: Piece | readonly Piece[]): number {
  if (typeof body === 'string' || body instanceof Uint8Array) return body.length;
  let length = 0;
  for (const piece of body) length += piece.length;
  return length;
}

/** A piece of a body as a chunk (RFC 9112 §7.1). */
function chunk(piece: Piece): Piece[] {
  const head = `${piece.length.toString(16)}\r\n`;
  return typeof piece === 'string' ? [`${head}${piece}\r\n`] : [head, piece, '\r\n'];
}
