/**
 * A connection to a client: requests are parsed from what it sends and answered one after another, in
 * order. What it may take, in time and memory, is bounded in every state.
 */

import type { Socket } from 'node:net';

import { failure, httpStatus, isFailure, type Failure } from '../base/errors.ts';
import {
  CROWD_REQUESTS_MIN,
  DRAIN_BYTES_MAX,
  PIPELINED_REQUESTS_MAX,
  READ_BYTES,
} from '../base/limits.ts';
import type { Turns } from '../base/turns.ts';
import { statusLine, type HeadEnds } from './answer-head.ts';
import { Arrival } from './arrival.ts';
import { bodyTooLarge } from './body.ts';
import type { BodyBudget, Debtor, UnreadBudget } from './budget.ts';
import type { Application } from './exchange.ts';
import { readHead, troubleOf, type HeadFacts } from './head.ts';
import type { Lateness } from './lateness.ts';
import { Message } from './message.ts';
import { Outbox } from './outbox.ts';
import type { Pace } from './pace.ts';
import { isTooSlow, type Patience } from './patience.ts';
import { ServedExchange, type Line } from './served-exchange.ts';
import type { Shedding } from './shedding.ts';

/** What the connections of a server share. */
export interface Host {
  readonly application: Application;
  readonly bodies: BodyBudget;
  readonly unread: UnreadBudget;
  readonly headEnds: HeadEnds;
  readonly turns: Turns;
  /** Of bodies that come in more than one read, and of large answers. */
  readonly pace: Pace;
  readonly answerPace: Pace;
  readonly lateness: Lateness;
  readonly patience: Patience;
  /** Milliseconds, counted by the server's sweep: as coarse as that, and free of charge. */
  readonly nowMs: number;
  /** Whether the server takes no more requests than those that are under way. */
  readonly isClosing: boolean;
  /** Forgets a connection that is gone. */
  onClosed(connection: Connection): void;
}

/** What holds for a request whose method the parser does not know: of its head only one line was read. */
const UNKNOWN_FACTS: HeadFacts = {
  isHttp10: false,
  bodyBytes: 0,
  awaitsContinue: false,
  keepsAlive: false,
};

export class Connection implements Line, Debtor {
  readonly outbox: Outbox;
  readonly #socket: Socket;
  readonly #host: Host;
  /** The request that is being read or answered; there is one at a time. */
  #message: Message | undefined;
  #exchange: ServedExchange | undefined;
  /** Bytes that came too early: they wait for the answer to the request before them. */
  #rest: Buffer | undefined;
  #restAt = 0;
  #isReading = false;
  /** Whether what is being read has waited for too long. */
  #isOverdue = false;
  readonly #arrival = new Arrival();
  #isPaused = false;
  #hasClientEnded = false;
  /** When it did, or got a byte of its answer since. */
  #endedAtMs = 0;
  /** Nothing that comes any more is a request. */
  #isEnding = false;
  /** When the present state began: the request, the silence, the wait for a reader. */
  #sinceMs: number;
  #writesSeen = 0;
  #wake: (() => void) | undefined;

  constructor(socket: Socket, host: Host) {
    this.#socket = socket;
    this.#host = host;
    this.#sinceMs = host.nowMs;
    this.outbox = new Outbox(socket, this, host.unread, host.answerPace, () => this.#onDrained());
    socket
      .on('data', (chunk: Buffer) => this.#onData(chunk))
      .on('end', () => this.#onEnd())
      // A reset is one of the ways in which a connection ends. Not every error of TLS closes it, such
      // as that of a client who negotiates again.
      .on('error', () => socket.destroy())
      .on('close', () => this.#onClose());
  }

  get bodies(): BodyBudget {
    return this.#host.bodies;
  }

  get headEnds(): HeadEnds {
    return this.#host.headEnds;
  }

  get isClosing(): boolean {
    return this.#host.isClosing;
  }

  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  /** Whether no request is under way. */
  get isIdle(): boolean {
    return this.#message === undefined && this.#rest === undefined && !this.outbox.isFull;
  }

  #onData(chunk: Buffer): void {
    if (this.#isEnding) return this.#keepPace(chunk.length);
    if (this.#mayRead()) {
      this.#arrival.begin(this.#host.lateness.turnMs);
      this.#read(chunk, 0);
      if (this.#message?.isHeadRead === true && !this.#message.isRead) this.#keepPace(chunk.length);
    } else {
      this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
      this.#pause();
    }
  }

  /** Leaves room for others between two reads of what goes on for long. */
  #keepPace(bytes: number): void {
    const mayReadOn = this.#host.pace.spend(bytes, () => {
      if (this.#isEnding) this.#resume();
      else this.#goOn();
    });
    if (!mayReadOn) this.#pause();
  }

  /** Whether bytes that come can be dealt with now. */
  #mayRead(): boolean {
    if (this.#isReading || this.#rest !== undefined || this.outbox.isFull) return false;
    if (this.#exchange === undefined) return true;
    return !this.#message!.isRead && this.#exchange.takesBody;
  }

  /** Reads and serves the requests in `chunk` from `from` on, as far as they can be. */
  #read(chunk: Buffer, from: number): void {
    this.#isReading = true;
    const { hasWaited } = this.#arrival;
    const isPast = this.#host.lateness.isPast(this.#arrival.atMs(from / chunk.length));
    let at = from;
    let served = 0;
    while (at < chunk.length && !this.#isEnding) {
      if (served === PIPELINED_REQUESTS_MAX || this.outbox.isFull) break;
      if (this.#message === undefined) {
        this.#message = Message.take();
        this.#sinceMs = this.#host.nowMs;
        // To read and write for one refusal costs as much as to serve: it is worth it only for many.
        this.#isOverdue = isPast && (at > 0 || hasWaited);
        served++;
      } else if (this.#message.isRead || this.#exchange?.takesBody === false) break;
      at = this.#message.read(chunk, at);
      this.#onProgress(this.#message);
    }
    this.#isReading = false;
    if (served > 1) this.outbox.flush();
    else this.outbox.flushSoon();
    if (at < chunk.length && !this.#isEnding) {
      this.#postpone(chunk, at);
      if (served === PIPELINED_REQUESTS_MAX) this.#takeTurn(chunk);
    } else if (this.#exchange?.takesBody === false && !this.#message!.isRead) this.#pause();
  }

  #postpone(chunk: Buffer, at: number): void {
    this.#rest = chunk;
    this.#restAt = at;
    this.#pause();
  }

  /** Lets others have their turn; nothing else would call this connection again. */
  #takeTurn(chunk: Buffer): void {
    const { lateness, turns } = this.#host;
    const { requests } = lateness;
    turns.take(() => {
      // Who waits for few but himself sends more than he can be answered: his connection is full, and waits.
      if (lateness.requests - requests < CROWD_REQUESTS_MIN) return this.#goOn();
      this.#readOn();
      if (this.#rest !== undefined) return;
      this.#arrival.end(chunk.length < READ_BYTES);
      // What waits is read before the next turn is over.
      turns.take(() => this.#arrival.rest());
    });
  }

  /** Deals with what the last read of a message brought. */
  #onProgress(message: Message): void {
    // A body that is no good must not hide what the head alone gets: bytes may be cut anywhere.
    if (message.isHeadRead && message.trouble !== 'headers too large') {
      if (this.#exchange !== undefined) this.#deliver(this.#exchange, message);
      else if (!this.#open(message)) return;
    }
    if (message.trouble !== undefined) this.#refuse(troubleOf(message));
    this.#settle();
  }

  /** Hands on what has come of a body. */
  #deliver(exchange: ServedExchange, message: Message): void {
    exchange.arrive(message.bytes.subarray(message.bodyStart, message.bodyEnd));
    if (exchange.isBeyondDraining) this.#refuse(bodyTooLarge(DRAIN_BYTES_MAX));
    else if (message.isRead) exchange.finishBody();
  }

  /** Hands a request whose head has come to the application; false if it was refused. */
  #open(message: Message): boolean {
    const shedding = this.#sheddingOf(message);
    if (shedding !== undefined && message.isBareGet && !this.#host.isClosing) {
      // What a refusal costs is lost to those that are served: nothing more is looked at.
      this.outbox.add(shedding.answer(this.headEnds.staying));
      this.#closeExchange();
      return true;
    }
    const facts = message.isUnknown ? UNKNOWN_FACTS : readHead(message);
    if (isFailure(facts)) {
      this.#refuse(facts);
      return false;
    }
    if (facts.bodyBytes !== undefined && !message.isRead) message.announce(facts.bodyBytes);
    const exchange = new ServedExchange(this, message, facts);
    this.#exchange = exchange;
    if (message.bodyEnd > message.bodyStart) {
      exchange.arrive(message.bytes.subarray(message.bodyStart, message.bodyEnd));
    }
    if (shedding === undefined) {
      this.#host.lateness.onServed();
      this.#host.application.handle(exchange);
    } else exchange.send(shedding.status, shedding.headers, shedding.body);
    return !this.#isEnding;
  }

  /** How a request is refused if it is late; undefined if it is served. */
  #sheddingOf(message: Message): Shedding | undefined {
    const { shedding } = this.#host.application;
    if (!this.#isOverdue || shedding?.covers(message) !== true) return undefined;
    if (!this.#host.lateness.mayRefuse()) return undefined;
    shedding.count++;
    return shedding;
  }

  /** Makes way for the next request when this one is read and answered. */
  #settle(): void {
    const exchange = this.#exchange;
    if (exchange === undefined || !exchange.isWhole) return;
    if (!exchange.keepsAlive || this.#host.isClosing) return this.#end();
    if (!this.#message!.isRead) return;
    this.#closeExchange();
    this.#sinceMs = this.#host.nowMs;
    if (this.#hasClientEnded && this.#rest === undefined && !this.#isReading) this.#end();
  }

  #closeExchange(status?: number): void {
    this.#exchange?.close(status);
    this.#message?.release();
    this.#exchange = this.#message = undefined;
  }

  // What an exchange asks of its line.

  wantBody(): void {
    if (!this.#isReading) this.#goOn();
  }

  onAnswered(): void {
    if (this.#isReading) return;
    this.outbox.flush();
    this.#settle();
    this.#goOn();
  }

  abort(): void {
    this.#isEnding = true;
    // A reset cannot be taken for the end of an answer; over TLS a missing goodbye says the same.
    if ('encrypted' in this.#socket) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  async drained(): Promise<void> {
    if (!this.outbox.isFull || this.isGone) return;
    await new Promise<void>((resolve) => {
      const before = this.#wake;
      this.#wake = () => {
        before?.();
        resolve();
      };
    });
  }

  /** Reads on, where that did not wait for others. */
  #goOn(): void {
    this.#arrival.beginAnew(this.#host.lateness.turnMs);
    this.#readOn();
  }

  /** Reads on: what has come before, then what comes. */
  #readOn(): void {
    if (this.#isEnding || this.#isReading || this.isGone) return;
    const rest = this.#rest;
    if (rest !== undefined) {
      this.#rest = undefined;
      if (this.#mayRead()) this.#read(rest, this.#restAt);
      else this.#rest = rest;
      if (this.#rest !== undefined) return;
      this.#restAt = 0;
    }
    if (this.#mayRead()) this.#resume();
    if (this.#hasClientEnded) this.#onEnd();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  #onDrained(): void {
    this.#sinceMs = this.#host.nowMs;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
    this.#goOn();
  }

  /** The client has sent all it will send; what is complete is still answered. */
  #onEnd(): void {
    if (!this.#hasClientEnded) this.#endedAtMs = this.#host.nowMs;
    this.#hasClientEnded = true;
    if (this.#isEnding || this.#rest !== undefined || this.#message?.isRead) return;
    if (this.#message === undefined) this.#end();
    else this.#refuse(failure('MALFORMED_REQUEST', 'the request ends before it is complete'));
  }

  #onClose(): void {
    this.#isEnding = true;
    this.outbox.clear();
    this.#rest = undefined;
    this.#closeExchange();
    this.#wake?.();
    this.#wake = undefined;
    this.#host.onClosed(this);
  }

  /** Answers what cannot be served, unless something was answered already, and ends the connection. */
  #refuse(problem: Failure): void {
    const status = httpStatus(problem.code);
    if (this.#exchange?.isUnderWay) {
      // Of an answer that is not whole the end must not look like one.
      if (!this.#exchange.isWhole) return this.abort();
    } else {
      const { headers, body } = this.#host.application.describe(problem);
      const head = statusLine(status) + headers;
      const isHead = this.#exchange?.method === 'HEAD';
      const length = `Content-Length: ${body.length}\r\n`;
      this.outbox.add(`${head}${length}${this.headEnds.closing}${isHead ? '' : body}`);
    }
    this.#end(status);
  }

  /**
   * Says that nothing follows, and reads on for a while: closed at once, the connection would be reset
   * under a client that is still sending, and the answer lost.
   */
  #end(status?: number): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#rest = undefined;
    this.#sinceMs = this.#host.nowMs;
    this.outbox.end();
    this.#closeExchange(status);
    this.#resume();
  }

  /** Ends the connection if no request is under way. */
  endIdle(): void {
    if (this.isIdle) this.#end();
  }

  destroy(): void {
    // At once: whoever made this one go may want the room.
    this.outbox.clear();
    this.#socket.destroy();
  }

  /** Looks whether the client has taken too long; called now and then. */
  sweep(): void {
    const { patience, nowMs } = this.#host;
    if (this.#hasClientEnded && this.#message?.isRead === true) {
      if (this.#isForsaken()) this.#socket.destroy();
      return;
    }
    if (this.outbox.isFull && this.outbox.writes !== this.#writesSeen) {
      this.#writesSeen = this.outbox.writes;
      this.#sinceMs = nowMs;
    }
    const elapsedMs = nowMs - this.#sinceMs;
    if (this.outbox.isFull) {
      if (elapsedMs > patience.idleMs) this.#socket.destroy();
    } else if (this.#isEnding) {
      if (elapsedMs > patience.lingerMs) this.#socket.destroy();
    } else if (this.#message === undefined) {
      if (elapsedMs > patience.idleMs) this.#end();
    } else if (
      !this.#message.isRead &&
      !this.#isPaused &&
      isTooSlow(patience, this.#message, elapsedMs)
    ) {
      this.#refuse(failure('REQUEST_TIMEOUT', 'the request did not arrive in time'));
    }
  }

  /** Whether nobody seems to be there who waits for the answer that is being made. */
  #isForsaken(): boolean {
    const { patience, nowMs } = this.#host;
    if (this.outbox.writes !== this.#writesSeen) {
      this.#writesSeen = this.outbox.writes;
      this.#endedAtMs = nowMs;
    }
    return nowMs - this.#endedAtMs > (this.outbox.isFull ? patience.idleMs : patience.endedMs);
  }
}
