/** Heads: what one must say for its request to be served, and the text of those that answer. */

import { failure, type Failure } from '../base/errors.ts';
import type { Message } from './message.ts';

/** What the head of a request says about the way it travels. */
export interface HeadFacts {
  readonly isHttp10: boolean;
  /** The length of the body as announced; undefined for one in chunks. */
  readonly bodyBytes: number | undefined;
  /** Whether the client waits to be told before it sends its body. */
  readonly awaitsContinue: boolean;
  readonly keepsAlive: boolean;
}

/** Fields that have one value: several that differ are a request of two minds. */
const SINGLE = ['authorization', 'content-type', 'origin', 'last-event-id'];

/** `host:port`, the host a name or an IP address, and no list; what it names is not checked. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+;=%-]+)(?::\d{0,5})?$/i;

/** Reads the head of a message; a failure if the request must not be served. */
export function readHead(message: Message): HeadFacts | Failure {
  const version = message.version;
  if (version !== '1.1' && version !== '1.0') {
    return failure('MALFORMED_REQUEST', 'the request is not HTTP/1.1 or HTTP/1.0');
  }
  const isHttp10 = version === '1.0';
  const host = checkHost(message, isHttp10);
  if (host !== undefined) return host;
  const coding = valueOf(message, 'transfer-encoding');
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    return failure(
      'UNSUPPORTED_TRANSFER_CODING',
      `the Transfer-Encoding is ${coding}, not chunked`,
    );
  }
  const expectation = isHttp10 ? undefined : valueOf(message, 'expect');
  if (expectation !== undefined && expectation.toLowerCase() !== '100-continue') {
    const detail = `the expectation ${expectation} is not 100-continue`;
    return failure('EXPECTATION_FAILED', detail);
  }
  const double = SINGLE.find((name) => isOfTwoMinds(message, name));
  if (double !== undefined) {
    return failure('MALFORMED_REQUEST', `the header ${double} comes twice, with different values`);
  }
  return {
    isHttp10,
    bodyBytes: coding === undefined ? lengthOf(message) : undefined,
    awaitsContinue: expectation !== undefined,
    keepsAlive: message.keepsAlive && !isDubious(message, isHttp10, coding),
  };
}

/** Whether somebody between here and the client may be of another mind about what follows. */
function isDubious(message: Message, isHttp10: boolean, coding: string | undefined): boolean {
  // RFC 9112 §6.1: nobody of HTTP/1.0 knows chunks. After a CONNECT comes another protocol.
  return (isHttp10 && coding !== undefined) || message.method === 'CONNECT';
}

/** RFC 9112 §3.2: one Host, and a proper one. */
function checkHost(message: Message, isHttp10: boolean): Failure | undefined {
  const at = message.find('host');
  if (at < 0) {
    if (isHttp10) return undefined;
    return failure('MALFORMED_REQUEST', 'the Host header is missing');
  }
  if (message.find('host', at + 1) >= 0) {
    return failure('MALFORMED_REQUEST', 'there is more than one Host header');
  }
  if (HOST.test(message.value(at))) return undefined;
  return failure('MALFORMED_REQUEST', 'the Host header is not a host and a port');
}

/** The values of a header, joined as a list is; undefined if there is none. */
export function valueOf(message: Message, name: string): string | undefined {
  const first = message.find(name);
  if (first < 0) return undefined;
  let value = message.value(first);
  if (SINGLE.includes(name)) return value;
  for (let at = message.find(name, first + 1); at >= 0; at = message.find(name, at + 1)) {
    value += `, ${message.value(at)}`;
  }
  return value;
}

function isOfTwoMinds(message: Message, name: string): boolean {
  const first = message.find(name);
  if (first < 0) return false;
  for (let at = message.find(name, first + 1); at >= 0; at = message.find(name, at + 1)) {
    if (message.value(at) !== message.value(first)) return true;
  }
  return false;
}

/** The parser has seen to it that a length is there once, and is a number below 2^64. */
function lengthOf(message: Message): number {
  const at = message.find('content-length');
  return at < 0 ? 0 : Number(message.value(at));
}
