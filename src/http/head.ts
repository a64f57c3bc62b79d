/** Heads: what one must say for its request to be served, and the text of those that answer. */

import { failure, type Failure } from '../base/errors.ts';
import { HEADER_BYTES_MAX } from '../base/limits.ts';
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
const SINGLE = ['content-type', 'authorization', 'origin', 'last-event-id'];

/** Every field that matters before the application has its say, by the length of its name. */
const NAMES_BY_LENGTH: (readonly string[] | undefined)[] = [];
for (const name of ['host', 'expect', 'content-length', 'transfer-encoding', ...SINGLE]) {
  NAMES_BY_LENGTH[name.length] = [...(NAMES_BY_LENGTH[name.length] ?? []), name];
}

/** `host:port`, the host a name or an IP address, and no list; what it names is not checked. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+;=%-]+)(?::\d{0,5})?$/i;

/** A Host that was in order: clients say the same one again and again. */
let goodHost = 'localhost';

/** Reads the head of a message; a failure if the request must not be served. */
export function readHead(message: Message): HeadFacts | Failure {
  const minorVersion = message.minorVersion;
  if (minorVersion < 0) return malformed('the request is not HTTP/1.1 or HTTP/1.0');
  const isHttp10 = minorVersion === 0;
  let host = -1;
  let bodyBytes = 0;
  let coding: string | undefined;
  let expectation: string | undefined;
  for (let n = 0; n < message.fields; n++) {
    switch (nameOf(message, n)) {
      case undefined:
        break;
      case 'host':
        if (host >= 0) return malformed('there is more than one Host header');
        host = n;
        break;
      case 'content-length':
        // The parser has seen to it that it comes once, and is a number below 2^64.
        bodyBytes = message.number(n);
        break;
      case 'transfer-encoding':
        coding = valueOf(message, 'transfer-encoding');
        break;
      case 'expect':
        expectation = isHttp10 ? undefined : valueOf(message, 'expect');
        break;
      default:
        if (isOfTwoMinds(message, n)) return malformed('a header of one value comes with two');
    }
  }
  const refusal = checkHost(message, host, isHttp10) ?? checkWay(coding, expectation);
  if (refusal !== undefined) return refusal;
  return {
    isHttp10,
    bodyBytes: coding === undefined ? bodyBytes : undefined,
    awaitsContinue: expectation !== undefined,
    keepsAlive: message.keepsAlive && !isDubious(message, isHttp10, coding),
  };
}

/** The name of field `n` if it is one that matters here. */
function nameOf(message: Message, n: number): string | undefined {
  const names = NAMES_BY_LENGTH[message.nameLength(n)];
  if (names === undefined) return undefined;
  for (const name of names) if (message.isNamed(n, name)) return name;
  return undefined;
}

/** Refuses ways of sending a body that are not known here. */
function checkWay(
  coding: string | undefined,
  expectation: string | undefined,
): Failure | undefined {
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    const detail = `the Transfer-Encoding is ${coding}, not chunked`;
    return failure('UNSUPPORTED_TRANSFER_CODING', detail);
  }
  if (expectation !== undefined && expectation.toLowerCase() !== '100-continue') {
    const detail = `the expectation ${expectation} is not 100-continue`;
    return failure('EXPECTATION_FAILED', detail);
  }
  return undefined;
}

/** Whether somebody between here and the client may be of another mind about what follows. */
function isDubious(message: Message, isHttp10: boolean, coding: string | undefined): boolean {
  // RFC 9112 §6.1: nobody of HTTP/1.0 knows chunks. After a CONNECT comes another protocol.
  return (isHttp10 && coding !== undefined) || message.method === 'CONNECT';
}

/** RFC 9112 §3.2: one Host, and a proper one; the field at `at`, below 0 if there is none. */
function checkHost(message: Message, at: number, isHttp10: boolean): Failure | undefined {
  if (at < 0) return isHttp10 ? undefined : malformed('the Host header is missing');
  if (message.isValue(at, goodHost)) return undefined;
  const host = message.value(at);
  if (!HOST.test(host)) return malformed('the Host header is not a host and a port');
  goodHost = host;
  return undefined;
}

function malformed(detail: string): Failure {
  return failure('MALFORMED_REQUEST', detail);
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

/** Whether field `n` has come before, with another value. */
function isOfTwoMinds(message: Message, n: number): boolean {
  const first = message.find(nameOf(message, n)!);
  return first !== n && message.value(first) !== message.value(n);
}

/** What is wrong with a message that could not be read on. */
export function troubleOf(message: Message): Failure {
  switch (message.trouble) {
    case 'headers too large': {
      const detail = `request line and headers have at most ${HEADER_BYTES_MAX} bytes together`;
      return failure('HEADERS_TOO_LARGE', detail);
    }
    case 'chunks too small':
      return failure('MALFORMED_REQUEST', 'the heads of chunks and the trailers take too much');
    case 'malformed':
    case undefined:
    default: {
      const detail = `the request is not HTTP/1.1: ${message.reason}`;
      return failure('MALFORMED_REQUEST', detail);
    }
  }
}
