/** The way of a request on one record: from the visit through the engine to its answer. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyFromPath, type Key } from '../base/key.ts';
import { KEY_BYTES_MAX } from '../base/limits.ts';
import type { Request } from '../record/request.ts';
import { sendFailure, sendReply } from './answer.ts';
import type { Handler, Visit } from './visit.ts';

/** A request, or, where the body is needed to know it, how to read it from the body. */
export type Parsed = Request | Failure | ((body: Buffer) => Request | Failure);

/** The handler that serves what `parse` reads from a visit. */
export function serving(parse: (visit: Visit, key: Key) => Parsed): Handler {
  return (visit) => {
    const key = keyOf(visit.place.writtenKey);
    const parsed =
      typeof key === 'string' ? (visit.grant.keyRefusal(key) ?? parse(visit, key)) : key;
    if (typeof parsed !== 'function') return serve(visit, parsed);
    const refusal = visit.bodyRefusal();
    if (refusal !== undefined) return sendFailure(visit.exchange, refusal);
    return visit.receive((body) => serve(visit, parsed(body)));
  };
}

/** Serves without a promise where the answer is at hand. */
function serve({ exchange, options }: Visit, request: Request | Failure): void | Promise<void> {
  if (isFailure(request)) return sendFailure(exchange, request);
  const reply = options.engine.serve(request);
  if (!(reply instanceof Promise)) return sendReply(exchange, request, reply);
  return reply.then((later) => sendReply(exchange, request, later));
}

/** The key that a path segment names. */
export function keyOf(segment: string): Key | Failure {
  const key = keyFromPath(segment);
  if (key === undefined) return failure('INVALID_KEY', 'the key is not percent-encoded UTF-8');
  if (key.length > 0 && key.length <= KEY_BYTES_MAX) return key;
  const found = key.length === 0 ? 'none' : `${key.length}`;
  return failure('INVALID_KEY', `a key has 1 to ${KEY_BYTES_MAX} bytes, this one has ${found}`);
}
