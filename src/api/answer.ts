/** Writing answers: record documents with the value spliced in, other documents, and problem documents. */

import { formatDuration } from '../base/duration.ts';
import { failureTitle, httpStatus, retryAfterSeconds, type Failure } from '../base/errors.ts';
import { PROBLEM_DETAIL_CHARS_MAX } from '../base/limits.ts';
import { formatTimestamp } from '../base/timestamp.ts';
import { headerLine, type Exchange, type HeaderLines, type Piece } from '../http/exchange.ts';
import { isKept, type Meta, type NodeRef, type Reply, type Served } from '../record/reply.ts';
import { ACTIONS, type Action, type Request } from '../record/request.ts';
import { entityTag } from './condition.ts';

/**
 * Values up to this many bytes travel through a string, the cheapest way for small answers: it is
 * written together with the head. Larger ones go out as the bytes that they are.
 */
const STRING_VALUE_BYTES_MAX = 16 * 1024;

/** The head of an answer in JSON. */
export const JSON_HEAD: HeaderLines = headerLine('Content-Type', 'application/json');

/** Sends a reply to a client, at once: the reply's value may not be there later, unless it is kept. */
export function sendReply(exchange: Exchange, request: Request, reply: Reply): void {
  if (reply.status === 'failed') {
    sendFailure(exchange, reply);
    return;
  }
  const etag = hasTag(request) ? headerLine('ETag', entityTag(reply.meta)) : '';
  if (reply.status === 'unchanged') {
    exchange.send(304, etag, '');
    return;
  }
  const { value } = reply;
  const kept = value !== undefined && isKept(value) ? value : undefined;
  exchange.send(200, JSON_HEAD + etag, renderRecord(request.action, reply), kept);
}

/** Whether the answer shows the version: a record's is, but not that of what is gone or was picked out. */
function hasTag(request: Request): boolean {
  switch (request.action) {
    case 'index':
    case 'item':
      return false;
    case 'delete':
      return request.pointer !== undefined;
    case 'load':
    case 'store':
    case 'patch':
    case 'increment':
    case 'append':
    case 'expire':
      return true;
  }
}

/** How the text of an answer begins. */
const OPENINGS = Object.fromEntries(
  Object.keys(ACTIONS).map((action) => [action, `{"action":"${action}","meta":`]),
) as Readonly<Record<Action, string>>;

/** The answer's JSON text: one character a byte, whatever the bytes mean, or bytes. */
function renderRecord(action: Action, { meta, node, value }: Served): Piece | Piece[] {
  const head = OPENINGS[action] + renderMeta(meta);
  const tail = `,"node":${renderNode(node)}}\n`;
  if (value === undefined) return head + tail;
  const { bytes, start, end } = value;
  if (end - start <= STRING_VALUE_BYTES_MAX) {
    return `${head},"data":${bytes.toString('latin1', start, end)}${tail}`;
  }
  return [`${head},"data":`, bytes.subarray(start, end), tail];
}

/** Meta as JSON text, one character a byte. */
export function renderMeta(meta: Meta): string {
  const { index, ttlNs, accessedAt, createdAt, updatedAt } = meta;
  const expireTime = ttlNs === 0n ? '0s' : formatDuration(ttlNs).replace('\u00b5', '\u00c2\u00b5');
  const created = formatTimestamp(createdAt);
  // As a rule a record was stored once.
  const updated = updatedAt === createdAt ? created : formatTimestamp(updatedAt);
  return (
    `{"index":${index},"expire_time":"${expireTime}",` +
    `"accessed_at":"${formatTimestamp(accessedAt)}",` +
    `"created_at":"${created}","updated_at":"${updated}"}`
  );
}

/** The node that was shown last: as a rule it is always the same. */
let lastNode: NodeRef | undefined;
let lastNodeText = '';

/** A node as JSON text. */
export function renderNode(node: NodeRef): string {
  if (node !== lastNode) {
    lastNodeText = `{"id":"${node.id}","addr":"${node.addr}"}`;
    lastNode = node;
  }
  return lastNodeText;
}

/** Sends any document as JSON. */
export function sendJson(exchange: Exchange, document: unknown): void {
  exchange.send(200, JSON_HEAD, `${byteString(JSON.stringify(document))}\n`);
}

/** Sends a failure as a problem document; `headers` are those that belong to it alone. */
export function sendFailure(exchange: Exchange, problem: Failure, headers: HeaderLines = ''): void {
  const { headers: common, body } = describeProblem(problem);
  exchange.send(httpStatus(problem.code), common + headers, body);
}

/** Sends a failure where nothing was answered yet, and else breaks off: what has begun is not whole. */
export function failLate(exchange: Exchange, problem: Failure): void {
  if (exchange.isAnswered) exchange.abort();
  else sendFailure(exchange, problem);
}

/** How a client proves who it is (RFC 6750 §3). */
const CHALLENGE = headerLine('WWW-Authenticate', 'Bearer realm="memhashd"');

const PROBLEM_HEAD = headerLine('Content-Type', 'application/problem+json');

/** When to try again, where that is known. */
export function retryLine({ code }: Failure): HeaderLines {
  const seconds = retryAfterSeconds(code);
  return seconds === undefined ? '' : headerLine('Retry-After', `${seconds}`);
}

/** The headers and the text, one character a byte, of a problem document. */
export function describeProblem(problem: Failure): { headers: HeaderLines; body: string } {
  let headers = PROBLEM_HEAD + retryLine(problem);
  if (problem.code === 'UNAUTHENTICATED') headers += CHALLENGE;
  return { headers, body: `${byteString(renderProblem(problem))}\n` };
}

/** A problem document (RFC 9457). `text` is what the original memhashd called `detail`. */
function renderProblem({ code, detail: written }: Failure): string {
  const detail = written.slice(0, PROBLEM_DETAIL_CHARS_MAX);
  return JSON.stringify({
    type: `urn:memhashd:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title: failureTitle(code),
    status: httpStatus(code),
    detail,
    code,
    text: detail,
  });
}

/** Text as it goes out: one character for each byte of its UTF-8 form. */
export function byteString(text: string): string {
  return Buffer.from(text).toString('latin1');
}
