/** The observer: stands before the API, and sees each request and what it was answered. */

import type { Failure } from '../base/errors.ts';
import { LOGGED_TARGET_CHARS_MAX } from '../base/limits.ts';
import {
  ForwardedExchange,
  type Application,
  type Exchange,
  type Piece,
} from '../http/exchange.ts';
import type { Log } from './log.ts';

/** What is told of requests. */
interface Audience {
  /** An answer to `target` is complete, `seconds` after the request had arrived. */
  onAnswer(target: string, method: string, status: number, seconds: number): void;
  /** Bytes that were no request, or a request that could not be read, were answered. */
  onRefused(problem: Failure): void;
}

export class Observer implements Application {
  readonly #application: Application;
  readonly #audience: Audience;
  readonly #log: Log | undefined;

  /** With `log` each request is a line of it. */
  constructor(application: Application, audience: Audience, log: Log | undefined) {
    this.#application = application;
    this.#audience = audience;
    this.#log = log;
  }

  handle(exchange: Exchange): void {
    const names = this.#log === undefined ? undefined : namesOf(exchange);
    this.#application.handle(new Observed(exchange, this, names));
  }

  describe(problem: Failure): ReturnType<Application['describe']> {
    this.#audience.onRefused(problem);
    return this.#application.describe(problem);
  }

  /** The answer to a request that came at `startMs` is complete. */
  done({ method, target }: Exchange, names: Names | undefined, status: number, startMs: number) {
    const ms = performance.now() - startMs;
    this.#audience.onAnswer(target, method, status, ms / 1000);
    if (this.#log === undefined) return;
    const shown = target.slice(0, LOGGED_TARGET_CHARS_MAX);
    const took = Math.round(ms * 1000) / 1000;
    this.#log.info({ ...names, method, target: shown, status, ms: took }, 'request');
  }
}

/** An exchange that tells when its answer is complete. */
class Observed extends ForwardedExchange {
  readonly #observer: Observer;
  readonly #names: Names | undefined;
  readonly #startMs = performance.now();
  #status = 0;

  constructor(exchange: Exchange, observer: Observer, names: Names | undefined) {
    super(exchange);
    this.#observer = observer;
    this.#names = names;
  }

  override send(
    status: number,
    headers: readonly string[],
    body: Piece | readonly Piece[],
    isKept?: boolean,
  ): void {
    super.send(status, this.#with(headers), body, isKept);
    this.#done(status);
  }

  override begin(status: number, headers: readonly string[]): void {
    this.#status = status;
    super.begin(status, this.#with(headers));
  }

  override end(piece?: Piece): void {
    super.end(piece);
    this.#done(this.#status);
  }

  override abort(): void {
    super.abort();
    this.#done(BROKEN_OFF);
  }

  #done(status: number): void {
    this.#observer.done(this, this.#names, status, this.#startMs);
  }

  #with(headers: readonly string[]): readonly string[] {
    return this.#names === undefined ? headers : [...headers, 'X-Request-Id', this.#names.request];
  }
}

/** What a request is called, here and elsewhere. */
interface Names {
  readonly request: string;
  readonly trace?: string;
  readonly span?: string;
}

function namesOf(exchange: Exchange): Names {
  return { request: requestIdOf(exchange), ...traceOf(exchange) };
}

/** What counts as the status of an answer that broke off: nobody saw another one to its end. */
const BROKEN_OFF = 499;

/** Ids of requests differ from those of other nodes and other lives by what comes first. */
const ID_PREFIX = Math.floor(performance.timeOrigin * 1000).toString(36) + process.pid.toString(36);
let requests = 0;

/** The id that the client or a proxy gave a request, or one of our own. */
function requestIdOf(exchange: Exchange): string {
  const given = exchange.header('x-request-id');
  if (given !== undefined && /^[\w.:@/+=-]{1,128}$/.test(given)) return given;
  return `${ID_PREFIX}-${(++requests).toString(36)}`;
}

/** The trace that a request belongs to (W3C Trace Context §3.2). */
function traceOf(exchange: Exchange): { trace?: string; span?: string } {
  const written = exchange.header('traceparent') ?? '';
  const match =
    /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-[\da-f]{2}(-|$)/.exec(written);
  return match === null ? {} : { trace: match[1]!, span: match[2]! };
}
