/** Writing answers: record documents with the value spliced in, and problem documents. */

import type { ServerResponse } from 'node:http';

import { formatDuration } from '../base/duration.ts';
import {
  failure,
  failureTitle,
  httpStatus,
  retryAfterSeconds,
  type Failure,
} from '../base/errors.ts';
import { formatTimestamp } from '../base/timestamp.ts';
import type { Reply, Served } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import { entityTag } from './condition.ts';

/**
 * Values up to this many bytes travel through a string, the cheapest way for small answers: Node
 * writes it together with the headers. Larger ones are copied once, as bytes.
 */
const STRING_VALUE_BYTES_MAX = 16 * 1024;

/** Sends a reply to a client, at once: the reply's value may not be there later. */
export function sendReply(res: ServerResponse, request: Request, reply: Reply): void {
  if (reply.status === 'failed') {
    sendFailure(res, reply);
    return;
  }
  const tag = request.action === 'load' || request.action === 'store' ? entityTag(reply.meta) : '';
  if (reply.status === 'unchanged') {
    res.writeHead(304, ['ETag', tag]);
    res.end();
    return;
  }
  const body = renderRecord(request.action, reply);
  const headers = ['Content-Type', 'application/json', 'Content-Length', String(body.length)];
  if (tag !== '') headers.push('ETag', tag);
  res.writeHead(200, headers);
  // A byte string: each character is one byte, whatever the bytes mean.
  if (typeof body === 'string') res.end(body, 'latin1');
  else res.end(body);
}

/** The answer's JSON text, in bytes or, one character a byte, in a string. */
function renderRecord(action: Request['action'], { meta, node, value }: Served): string | Buffer {
  const expireTime = formatDuration(meta.ttlNs).replace('\u00b5', '\u00c2\u00b5');
  const head =
    `{"action":"${action}","meta":{"index":${meta.index},"expire_time":"${expireTime}",` +
    `"accessed_at":"${formatTimestamp(meta.accessedAt)}",` +
    `"created_at":"${formatTimestamp(meta.createdAt)}",` +
    `"updated_at":"${formatTimestamp(meta.updatedAt)}"}`;
  const tail = `,"node":{"id":"${node.id}","addr":"${node.addr}"}}\n`;
  if (value === undefined) return head + tail;
  const { bytes, start, end } = value;
  if (end - start <= STRING_VALUE_BYTES_MAX) {
    return `${head},"data":${bytes.toString('latin1', start, end)}${tail}`;
  }
  const before = Buffer.from(`${head},"data":`, 'latin1');
  return Buffer.concat([before, bytes.subarray(start, end), Buffer.from(tail, 'latin1')]);
}

/** Sends any document as JSON. */
export function sendJson(res: ServerResponse, document: unknown, headers: string[] = []): void {
  sendText(res, 200, 'application/json', JSON.stringify(document), headers);
}

/** Sends a failure as a problem document. */
export function sendFailure(res: ServerResponse, problem: Failure, headers: string[] = []): void {
  const text = renderProblem(problem);
  const retryAfter = retryAfterSeconds(problem.code);
  const all = retryAfter === undefined ? headers : [...headers, 'Retry-After', `${retryAfter}`];
  sendText(res, httpStatus(problem.code), 'application/problem+json', text, all);
}

/** The failure of a request for a path where nothing is. */
export function routeNotFound(target: string): Failure {
  return failure('ROUTE_NOT_FOUND', `there is nothing at ${target}`);
}

/** The failure of a request with a method that is not among `methods`, and its `Allow` header. */
export function methodNotAllowed(method: string, methods: readonly string[]): [Failure, string[]] {
  const allow = methods.join(', ');
  const detail = `${method} is not served here (Allow: ${allow})`;
  return [failure('METHOD_NOT_ALLOWED', detail), ['Allow', allow]];
}

function sendText(
  res: ServerResponse,
  status: number,
  contentType: string,
  text: string,
  headers: string[],
): void {
  const body = Buffer.from(`${text}\n`);
  const length = String(body.length);
  res.writeHead(status, ['Content-Type', contentType, 'Content-Length', length, ...headers]);
  res.end(body);
}

/** A problem document (RFC 9457). `text` is what the original memhashd called `detail`. */
export function renderProblem({ code, detail }: Failure): string {
  return JSON.stringify({
    type: `urn:memhashd:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title: failureTitle(code),
    status: httpStatus(code),
    detail,
    code,
    text: detail,
  });
}
