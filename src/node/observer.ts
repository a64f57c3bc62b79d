/** The observer: stands before the API, and sees each request and what it was answered. */

import { SHED_TARGETS } from '../api/routes.ts';
import { failure, httpStatus, type Failure } from '../base/errors.ts';
import { LOGGED_TARGET_CHARS_MAX } from '../base/limits.ts';
import { isRequestId, parseTraceparent } from '../base/request-names.ts';
import {
  headerLine,
  WithHeaders,
  type AnswerListener,
  type Application,
  type Exchange,
} from '../http/exchange.ts';
import { Shedding } from '../http/shedding.ts';
import type { Log } from './log.ts';

/** What is told of requests. */
interface Audience {
  /** An answer to `target` is complete, `seconds` after the request had arrived. */
  onAnswer(target: string, method: string, status: number, seconds: number): void;
  /** Bytes that were no request, or a request that could not be read, were answered. */
  onRefused(problem: Failure): void;
}

const OVERLOADED = failure('OVERLOADED', 'the node is asked for more than it can do');

export class Observer implements Application, AnswerListener {
  readonly shedding: Shedding;
  readonly #application: Application;
  readonly #audience: Audience;
  readonly #log: Log | undefined;

  /** With `log` each request is a line of it. */
  constructor(application: Application, audience: Audience, log: Log | undefined) {
    this.#application = application;
    this.#audience = audience;
    this.#log = log;
    this.shedding = new Shedding(
      SHED_TARGETS,
      httpStatus('OVERLOADED'),
      application.describe(OVERLOADED),
    );
  }

  handle(exchange: Exchange): void {
    if (this.#log !== undefined) return this.#handleLogged(exchange, this.#log);
    exchange.listener = this;
    this.#application.handle(exchange);
  }

  describe(problem: Failure): ReturnType<Application['describe']> {
    this.#audience.onRefused(problem);
    return this.#application.describe(problem);
  }

  onAnswer({ method, target, arrivedMs }: Exchange, status: number): void {
    this.#audience.onAnswer(target, method, status, (performance.now() - arrivedMs) / 1000);
  }

  #handleLogged(exchange: Exchange, log: Log): void {
    const names = {
      request: requestIdOf(exchange),
      ...parseTraceparent(exchange.header('traceparent') ?? ''),
    };
    exchange.listener = {
      onAnswer: ({ method, target, arrivedMs }, status) => {
        this.onAnswer(exchange, status);
        const shown = target.slice(0, LOGGED_TARGET_CHARS_MAX);
        const ms = Math.round((performance.now() - arrivedMs) * 1000) / 1000;
        log.info({ ...names, method, target: shown, status, ms }, 'request');
      },
    };
    this.#application.handle(
      new WithHeaders(exchange, headerLine('X-Request-Id', names.request), names),
    );
  }
}

/** Ids of requests differ from those of other nodes and other lives by what comes first. */
const ID_PREFIX = Math.floor(performance.timeOrigin * 1000).toString(36) + process.pid.toString(36);
let requests = 0;

/** The id that the client or a proxy gave a request, or one of our own. */
function requestIdOf(exchange: Exchange): string {
  const given = exchange.header('x-request-id');
  if (given !== undefined && isRequestId(given)) return given;
  return `${ID_PREFIX}-${(++requests).toString(36)}`;
}
