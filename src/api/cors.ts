/** Cross-origin requests: which foreign web pages may use the API, and how they are told so (Fetch §3.2). */

import { failure, type Failure } from '../base/errors.ts';
import { headerLine, type Exchange, type HeaderLines } from '../http/exchange.ts';

/** Headers that a page may send. */
const ALLOWED_HEADERS = [
  'Authorization',
  'Content-Type',
  'If-Match',
  'If-None-Match',
  'Last-Event-ID',
  'Prefer',
  'X-Request-Id',
].join(', ');

/** Headers of answers that a page may read. */
const EXPOSED_HEADERS = 'ETag, Link, Location, Retry-After';

/** How long a browser may remember what it may send, in seconds. */
const MAX_AGE_SECONDS = '600';

/** The headers that let the page of `exchange` read its answer; none where it may not. */
export function corsHeaders(exchange: Exchange, origins: readonly string[]): HeaderLines {
  const isForAll = origins.includes('*');
  const origin = exchange.header('origin');
  // The answer depends on who asks, also where there is no origin.
  const vary = isForAll ? '' : headerLine('Vary', 'Origin');
  if (origin === undefined || !(isForAll || origins.includes(origin))) return vary;
  const allowed = headerLine('Access-Control-Allow-Origin', isForAll ? '*' : origin);
  return allowed + vary + headerLine('Access-Control-Expose-Headers', EXPOSED_HEADERS);
}

/**
 * Why the page that sends a request may not change anything. A browser asks before it sends most things,
 * but not before a POST with a body of no type.
 */
export function pageRefusal(exchange: Exchange, origins: readonly string[]): Failure | undefined {
  if (exchange.method === 'GET' || exchange.method === 'HEAD') return undefined;
  const origin = exchange.header('origin');
  if (origin === undefined) return undefined;
  if (origins.includes('*') || origins.includes(origin)) return undefined;
  if (origin.replace(/^https?:\/\//, '') === exchange.header('host')) return undefined;
  return failure('FORBIDDEN', `pages of ${origin} may change nothing here: see -cors-origin`);
}

/** What a browser is told that asks before it sends; none where it does not ask. */
export function preflightHeaders(exchange: Exchange, allow: string): HeaderLines {
  if (exchange.header('access-control-request-method') === undefined) return '';
  return (
    headerLine('Access-Control-Allow-Methods', allow) +
    headerLine('Access-Control-Allow-Headers', ALLOWED_HEADERS) +
    headerLine('Access-Control-Max-Age', MAX_AGE_SECONDS)
  );
}
