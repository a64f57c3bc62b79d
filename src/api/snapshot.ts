/** `POST /v1/snapshot`: writes all records of this node into a file beside them. */

import { failure, isFailure } from '../base/errors.ts';
import { sendFailure, sendJson } from './answer.ts';
import type { Visit } from './visit.ts';

/** Answers the file, when it is on disk. */
export async function takeSnapshot(visit: Visit): Promise<void> {
  const { exchange, options } = visit;
  const parameters = visit.parameters();
  if (isFailure(parameters)) return sendFailure(exchange, parameters);
  const facts =
    options.snapshot === undefined
      ? failure('NOT_SUPPORTED', 'a snapshot needs a node with -data-dir')
      : await options.snapshot();
  if (isFailure(facts)) sendFailure(exchange, facts);
  else sendJson(exchange, facts);
}
