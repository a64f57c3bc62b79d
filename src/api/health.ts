/** `/livez` and `/readyz`: whether the process lives, and whether requests should go to it. */

import { failure, httpStatus, isFailure } from '../base/errors.ts';
import { JSON_HEAD, retryLine, sendFailure, sendJson } from './answer.ts';
import type { HealthCheck, Visit } from './visit.ts';

/** Answers that the process answers. */
export function showLife({ exchange }: Visit): void {
  sendJson(exchange, { alive: true });
}

/** Answers 200 if every check holds, else 503; with `?verbose` every check with its result. */
export function showReadiness(visit: Visit): void {
  const { exchange, options } = visit;
  const parameters = visit.parameters();
  if (isFailure(parameters)) return sendFailure(exchange, parameters);
  const checks = options.checks?.() ?? [];
  const failed = checks.filter(({ problem }) => problem !== undefined);
  const refusal = failure(
    'NOT_READY',
    failed.map(({ name, problem }) => `${name}: ${problem}`).join('; '),
  );
  if (parameters.verbose === undefined) {
    return failed.length > 0 ? sendFailure(exchange, refusal) : sendJson(exchange, { ready: true });
  }
  const body = `${JSON.stringify({ ready: failed.length === 0, checks: checks.map(shown) })}\n`;
  if (failed.length === 0) exchange.send(200, JSON_HEAD, body);
  else {
    exchange.send(httpStatus('NOT_READY'), JSON_HEAD + retryLine(refusal), body);
  }
}

function shown({ name, problem }: HealthCheck): object {
  return problem === undefined ? { name, ok: true } : { name, ok: false, problem };
}
