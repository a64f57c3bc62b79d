/** `GET /v1/nodes`: who serves the keys. */

import { isFailure } from '../base/errors.ts';
import { sendFailure, sendJson } from './answer.ts';
import type { Visit } from './visit.ts';

/** Answers the members. */
export function showNodes(visit: Visit): void {
  const { exchange, options } = visit;
  const parameters = visit.parameters();
  const members = isFailure(parameters) ? parameters : options.engine.members();
  if (isFailure(members)) sendFailure(exchange, members);
  else sendJson(exchange, members);
}
