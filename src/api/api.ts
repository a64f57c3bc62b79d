/** The HTTP API: finds the route of each request, answers what no route serves. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { headerLine, WithHeaders, type Application, type Exchange } from '../http/exchange.ts';
import { Access, NOTHING, type Grant, type Right } from './access.ts';
import { describeProblem, sendFailure } from './answer.ts';
import { corsHeaders, pageRefusal, preflightHeaders } from './cors.ts';
import { JSON_TYPE, weightOf } from './negotiate.ts';
import { matchTarget, type Route } from './routes.ts';
import { Visit, type ApiOptions } from './visit.ts';

const JSON_ONLY: readonly string[] = [JSON_TYPE];

export class Api implements Application {
  readonly #options: ApiOptions;
  readonly #access: Access;
  readonly #corsOrigins: readonly string[];

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#access = options.access ?? new Access();
    this.#corsOrigins = options.corsOrigins ?? [];
  }

  /** Answers one request. Every request gets an answer, a defect a 500. */
  handle(exchange: Exchange): void {
    const origins = this.#corsOrigins;
    if (origins.length === 0) this.#dispatch(exchange);
    else this.#dispatch(new WithHeaders(exchange, corsHeaders(exchange, origins)));
  }

  describe(problem: Failure): ReturnType<Application['describe']> {
    return describeProblem(problem);
  }

  #dispatch(exchange: Exchange): void {
    const { method, target } = exchange;
    const match = matchTarget(target);
    // What it names is a host to reach, no path (RFC 9110 §9.3.6).
    if (method === 'CONNECT') {
      refuseMethod(exchange, match?.route.allow ?? '');
      return;
    }
    if (match === undefined) {
      sendFailure(exchange, failure('ROUTE_NOT_FOUND', `there is nothing at ${target}`));
      return;
    }
    const { route } = match;
    const offer = route.offers.get(method);
    if (offer === undefined) {
      if (method === 'OPTIONS') this.#showOptions(exchange, route);
      else refuseMethod(exchange, route.allow);
      return;
    }
    const refusal = pageRefusal(exchange, this.#corsOrigins);
    if (refusal !== undefined) {
      sendFailure(exchange, refusal);
      return;
    }
    const grant = this.#admit(exchange, offer.right);
    if (isFailure(grant)) {
      sendFailure(exchange, grant);
      return;
    }
    const accept = exchange.header('accept');
    const { answers = JSON_ONLY } = offer;
    if (accept !== undefined && !answers.some((type) => weightOf(type, accept) > 0)) {
      const detail = `the Accept header excludes ${answers.join(' and ')}: ${accept}`;
      sendFailure(exchange, failure('NOT_ACCEPTABLE', detail));
      return;
    }
    new Visit(exchange, match, offer, grant, this.#options).answer();
  }

  /** What the client may do, if that is enough for a route that takes `right`. */
  #admit(exchange: Exchange, right: Right | undefined): Grant | Failure {
    if (right === undefined) return NOTHING;
    const grant = this.#access.grantOf(exchange.header('authorization'));
    return isFailure(grant) ? grant : (grant.refusal(right) ?? grant);
  }

  #showOptions(exchange: Exchange, { allow, acceptPatch }: Route): void {
    let headers = headerLine('Allow', allow);
    if (acceptPatch !== '') headers += headerLine('Accept-Patch', acceptPatch);
    if (this.#options.corsOrigins !== undefined) headers += preflightHeaders(exchange, allow);
    exchange.send(204, headers, '');
  }
}

function refuseMethod(exchange: Exchange, allow: string): void {
  const detail = `${exchange.method} is not served here (Allow: ${allow})`;
  sendFailure(exchange, failure('METHOD_NOT_ALLOWED', detail), headerLine('Allow', allow));
}
