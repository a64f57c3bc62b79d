/** The way of a request on one record: from the visit through the engine to its answer. */

import { isFailure, type Failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Condition, Request } from '../record/request.ts';
import { sendFailure, sendReply } from './answer.ts';
import { conditionOf } from './condition.ts';
import { readDocument, type DocumentForm } from './document.ts';
import { keyOf } from './key.ts';
import { parseReplicas } from './replicas.ts';
import type { Handler, Visit } from './visit.ts';

/** A request, or, where the body is needed to know it, how to read it from the body. */
export type Parsed = Request | Failure | BodyReader;

/** Reads a request from a body, at once where that is short. */
export type BodyReader = (
  body: Buffer,
  scheduler: Scheduler,
  isGone: () => boolean,
) => Request | Failure | Promise<Request | Failure>;

/** Reads a document of this form and makes a request of what it says. */
export function inBody<T>(
  form: DocumentForm<T>,
  make: (document: T) => Request | Failure,
): BodyReader {
  const served = (document: T | Failure): Request | Failure =>
    isFailed(document) ? document : make(document);
  return (body, scheduler, isGone) => {
    const document = readDocument(form, body, scheduler, isGone);
    return document instanceof Promise ? document.then(served) : served(document);
  };
}

/** What a change may ask for beside what its document says. */
interface WriteTerms {
  readonly condition: Condition | undefined;
  readonly replicas: number | undefined;
}

/** The handler of a document that comes without parameters and may depend on the record's version. */
export function servingDocument<T>(
  form: DocumentForm<T>,
  make: (key: Key, document: T, terms: WriteTerms) => Request,
): Handler {
  return serving((visit, key) => {
    const { exchange, options } = visit;
    const parameters = visit.parameters();
    if (isFailure(parameters)) return parameters;
    const replicas = parseReplicas(parameters.replicas, options.engine);
    if (isFailed(replicas)) return replicas;
    const condition = conditionOf(exchange);
    if (condition !== undefined && isFailure(condition)) return condition;
    return inBody(form, (document) => make(key, document, { condition, replicas }));
  });
}

/** Tells a failure from whatever else may come of reading. */
export function isFailed(document: unknown): document is Failure {
  return typeof document === 'object' && document !== null && isFailure(document);
}

/** The handler that serves what `parse` reads from a visit. */
export function serving(parse: (visit: Visit, key: Key) => Parsed): Handler {
  return (visit) => {
    const key = keyOf(visit.place.writtenKey);
    const parsed =
      typeof key === 'string' ? (visit.grant.keyRefusal(key) ?? parse(visit, key)) : key;
    if (typeof parsed !== 'function') return serve(visit, parsed);
    const { exchange, options } = visit;
    return visit.receive((body) => {
      const request = parsed(body, options.scheduler, () => exchange.isGone);
      if (!(request instanceof Promise)) return serve(visit, request);
      return request.then((later) => serve(visit, later));
    });
  };
}

/** Serves without a promise where the answer is at hand. */
function serve({ exchange, options }: Visit, request: Request | Failure): void | Promise<void> {
  if (isFailure(request)) return sendFailure(exchange, request);
  const { names } = exchange;
  const named = names === undefined ? request : { ...request, names };
  const reply = options.engine.serve(named, () => exchange.isGone);
  if (!(reply instanceof Promise)) return sendReply(exchange, request, reply);
  return reply.then((later) => sendReply(exchange, request, later));
}
