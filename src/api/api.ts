/** The HTTP API: what each route does with a request. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { BODY_OVERHEAD_BYTES_MAX } from '../base/limits.ts';
import { BodyReceiver } from '../http/body.ts';
import type { Engine } from '../record/engine.ts';
import type { Request } from '../record/request.ts';
import { methodNotAllowed, routeNotFound, sendFailure, sendJson, sendReply } from './answer.ts';
import { sendListing } from './keys.ts';
import { acceptsJson } from './negotiate.ts';
import { parseQuery } from './query.ts';
import { parseRequest } from './record.ts';
import { methodsOf, routeOf, type RecordRoute } from './route.ts';

export interface ApiOptions {
  readonly engine: Engine;
  /** Largest value, in bytes of JSON text. */
  readonly valueBytesMax: number;
  /** Told of defects: exceptions, which no request should cause. */
  readonly onDefect: (error: unknown) => void;
}

export class Api {
  readonly #options: ApiOptions;
  readonly #bodies: BodyReceiver;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#bodies = new BodyReceiver(options.valueBytesMax + BODY_OVERHEAD_BYTES_MAX);
  }

  /** Answers one request. Every request gets an answer, a defect a 500. */
  handle(req: IncomingMessage, res: ServerResponse): void {
    this.#guard(res, () => this.#dispatch(req, res));
  }

  #dispatch(req: IncomingMessage, res: ServerResponse): void | Promise<void> {
    if (req.headers.host === undefined && req.httpVersion === '1.1') {
      return sendFailure(res, failure('MALFORMED_REQUEST', 'the Host header is missing'));
    }
    const target = req.url ?? '';
    const route = routeOf(target);
    if (route === undefined) {
      return sendFailure(res, routeNotFound(target));
    }
    const method = req.method ?? '';
    const methods = methodsOf(route);
    if (!methods.includes(method)) return sendFailure(res, ...methodNotAllowed(method, methods));
    if (!acceptsJson(req.headers.accept)) {
      const detail = `the Accept header excludes application/json: ${req.headers.accept}`;
      return sendFailure(res, failure('NOT_ACCEPTABLE', detail));
    }
    if ('segment' in route) return this.#handleRecord(req, res, route);
    const { engine } = this.#options;
    if (route.name === 'keys') return sendListing(res, engine, route.query);
    const parameters = parseQuery(route.query, []);
    if (isFailure(parameters)) return sendFailure(res, parameters);
    return sendJson(res, engine.members());
  }

  #handleRecord(
    req: IncomingMessage,
    res: ServerResponse,
    route: RecordRoute,
  ): void | Promise<void> {
    const parsed = parseRequest(req, route, this.#options.valueBytesMax);
    if (typeof parsed !== 'function') return this.#serve(res, parsed);
    this.#bodies.receive(req, res, (body) => {
      this.#guard(res, () => this.#serve(res, isFailure(body) ? body : parsed(body)));
    });
  }

  /** Serves without a promise where the answer is at hand. */
  #serve(res: ServerResponse, request: Request | Failure): void | Promise<void> {
    if (isFailure(request)) return sendFailure(res, request);
    const reply = this.#options.engine.serve(request);
    if (!(reply instanceof Promise)) return sendReply(res, request, reply);
    return reply.then((later) => sendReply(res, request, later));
  }

  /** Does a piece of work for a response and answers 500 if it throws or rejects. */
  #guard(res: ServerResponse, work: () => void | Promise<void>): void {
    const fail = (error: unknown): void => {
      this.#options.onDefect(error);
      // A list that breaks off must not look complete.
      if (res.headersSent) res.destroy();
      else sendFailure(res, failure('INTERNAL_ERROR', 'this is a defect of memhashd'));
    };
    try {
      work()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }
}
