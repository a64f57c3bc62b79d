/** Every way a request can fail: its stable code, its HTTP status, and its title. */

import { DETAIL_CHARS_MAX } from './limits.ts';

/**
 * The table of failures. A `code` is part of the API and never changes its meaning; `title` is its
 * human-readable summary, the same for every occurrence (RFC 9457 §3.1.3).
 */
const FAILURES = {
  MALFORMED_REQUEST: { status: 400, title: 'The request is not HTTP' },
  MALFORMED_BODY: { status: 400, title: 'The body is not the JSON that is expected here' },
  NESTED_TOO_DEEPLY: { status: 400, title: 'The JSON is nested too deeply' },
  INVALID_KEY: { status: 400, title: 'The key is not valid' },
  INVALID_EXPIRE_TIME: { status: 400, title: 'The time to live is not valid' },
  INVALID_INDEX: { status: 400, title: 'The index is not valid' },
  INVALID_ITEM: { status: 400, title: 'The item is not valid' },
  INVALID_POINTER: { status: 400, title: 'The pointer is not a JSON pointer' },
  INVALID_PATCH: { status: 400, title: 'The patch is not one' },
  INVALID_NUMBER: { status: 400, title: 'The number is not one to count with' },
  INVALID_PARAMETER: { status: 400, title: 'A query parameter is not valid' },
  INVALID_CONDITION: { status: 400, title: 'The condition is not a list of entity tags' },
  UNAUTHENTICATED: { status: 401, title: 'A token is needed' },
  FORBIDDEN: { status: 403, title: 'The token does not give this right' },
  KEY_NOT_FOUND: { status: 404, title: 'The key does not exist' },
  ITEM_NOT_FOUND: { status: 404, title: 'The item does not exist' },
  PART_NOT_FOUND: { status: 404, title: 'The pointer leads to nothing' },
  NODE_NOT_FOUND: { status: 404, title: 'There is no such member' },
  ROUTE_NOT_FOUND: { status: 404, title: 'There is nothing at this path' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The method is not served here' },
  NOT_ACCEPTABLE: { status: 406, title: 'No media type that can be answered is accepted' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request took too long to arrive' },
  INDEX_OUT_OF_RANGE: { status: 409, title: 'The index is past the end of the list' },
  TARGET_NOT_FOUND: { status: 409, title: 'There is nothing where the value is to be changed' },
  TEST_FAILED: { status: 409, title: 'A test of the patch does not hold' },
  NODE_REACHABLE: { status: 409, title: 'The member can be reached' },
  NODE_UNREACHABLE: { status: 409, title: 'The member cannot be reached' },
  LAST_NODE: { status: 409, title: 'The last member cannot leave' },
  WRONG_TYPE: { status: 409, title: 'The value is not of the type the action needs' },
  HISTORY_GONE: { status: 410, title: 'The changes since that position are not known any more' },
  PRECONDITION_FAILED: { status: 412, title: 'The condition does not hold' },
  BODY_TOO_LARGE: { status: 413, title: 'The body is too large' },
  VALUE_TOO_LARGE: { status: 413, title: 'The value is too large' },
  TOO_MANY_OPERATIONS: { status: 413, title: 'The batch has too many operations' },
  ANSWER_TOO_LARGE: { status: 413, title: 'The answer to the batch has no room left' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The media type of the body is not understood' },
  EXPECTATION_FAILED: { status: 417, title: 'The expectation cannot be met' },
  NUMBER_OUT_OF_RANGE: { status: 422, title: 'The number would pass a bound' },
  RESULT_TOO_LARGE: { status: 422, title: 'The value would become too large' },
  RESULT_TOO_DEEP: { status: 422, title: 'The value would be nested too deeply' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The request line and headers are too large' },
  CLIENT_GONE: { status: 499, title: 'The client did not wait for the answer' },
  INTERNAL_ERROR: { status: 500, title: 'The node failed to serve the request' },
  DISK_FAILED: { status: 500, title: 'The disk of the owner does not work' },
  UNSUPPORTED_TRANSFER_CODING: { status: 501, title: 'The transfer coding is not known' },
  NOT_SUPPORTED: { status: 501, title: 'The engine of this node does not do that' },
  OVERLOADED: { status: 503, title: 'The node has too much to do', retryAfterSeconds: 1 },
  NOT_READY: { status: 503, title: 'The node is not a member yet', retryAfterSeconds: 1 },
  OWNER_UNAVAILABLE: { status: 503, title: 'The owner is not reachable', retryAfterSeconds: 1 },
  OUTCOME_UNKNOWN: { status: 504, title: 'The owner may or may not have done it' },
  NOT_REPLICATED: { status: 504, title: 'The owner has done it, too few replicas have' },
  DISK_FULL: { status: 507, title: 'The disk of the owner is full' },
  MEMORY_FULL: { status: 507, title: 'The memory of the owner is full' },
} as const satisfies Record<string, FailureKind>;

interface FailureKind {
  readonly status: number;
  readonly title: string;
  /** Given where the same request, sent again after this time, may well succeed. */
  readonly retryAfterSeconds?: number;
}

/** The stable name of a failure, such as `KEY_NOT_FOUND`. */
export type FailureCode = keyof typeof FAILURES;

/** A failed request, as data: a miss is an everyday answer and must not cost an exception. */
export interface Failure {
  readonly status: 'failed';
  readonly code: FailureCode;
  /** What happened this time, for a person to read. */
  readonly detail: string;
  /** The version that the record is at, where that is what failed a condition. */
  readonly version?: string;
}

/** Makes the failure `code`; `detail` says what happened this time. */
export function failure(code: FailureCode, detail: string): Failure {
  return { status: 'failed', code, detail: bounded(detail) };
}

/** A detail may quote what a client has sent: it is cut, and never between two halves of a character. */
function bounded(detail: string): string {
  if (detail.length <= DETAIL_CHARS_MAX) return detail;
  return `${detail
    .slice(0, DETAIL_CHARS_MAX - 1)
    .toWellFormed()
    .replace(/\ufffd$/, '')}…`;
}

/** The HTTP status that answers a failure. */
export function httpStatus(code: FailureCode): number {
  return FAILURES[code].status;
}

/** The summary of a failure, the same for every occurrence. */
export function failureTitle(code: FailureCode): string {
  return FAILURES[code].title;
}

/** The seconds after which a failed request is worth sending again; undefined where it is not. */
export function retryAfterSeconds(code: FailureCode): number | undefined {
  const kind: FailureKind = FAILURES[code];
  return kind.retryAfterSeconds;
}

/** Every failure there is. */
export const FAILURE_CODES = Object.keys(FAILURES) as readonly FailureCode[];

/** Tells the name of a failure from any other text. */
export function isFailureCode(text: string): text is FailureCode {
  return Object.hasOwn(FAILURES, text);
}

/** Tells a failure from the outcome that was hoped for. */
export function isFailure(outcome: object): outcome is Failure {
  // Outcomes have many shapes, among which V8 finds a property faster than out whether it is there.
  return (outcome as { readonly status?: unknown }).status === 'failed';
}
