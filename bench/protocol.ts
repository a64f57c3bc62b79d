/** The protocols that contestants speak: bytes of a request, end of a reply. */

/** What is asked in a measurement. */
export type Operation = 'get' | 'put';

export interface Protocol {
  /** The bytes that ask for `key`, or store `value`, a JSON text without special characters. */
  request(operation: Operation, key: string, value: string): string;
  /** The bytes that do so for many keys together; undefined where there is no way to. */
  batch?(operation: Operation, keys: readonly string[], value: string): string;
  /**
   * Where the reply at the start of `bytes` to so many operations together ends; undefined if there is
   * more to come.
   */
  replyEnd(bytes: Buffer, operations: number): number | undefined;
  isSuccess(bytes: Buffer): boolean;
}

/** By the name that the load process is given. */
export const PROTOCOLS = {
  memhashd: {
    ...http((operation, key, value) =>
      operation === 'get'
        ? httpRequest('GET', `/v1/keys/${key}`)
        : httpRequest('PUT', `/v1/keys/${key}`, 'application/json', `{"data":${value}}`),
    ),
    batch: (operation, keys, value) => {
      const operations = keys.map((key) =>
        operation === 'get' ? `{"load":"${key}"}` : `{"store":"${key}","data":${value}}`,
      );
      return httpRequest('POST', '/v1/batch', 'application/json', `[${operations.join()}]`);
    },
  },
  webdis: http((operation, key, value) =>
    operation === 'get'
      ? httpRequest('GET', `/GET/${key}`)
      : httpRequest('PUT', `/SET/${key}`, 'application/json', value),
  ),
  etcd: http((operation, key, value) =>
    operation === 'get'
      ? httpRequest('GET', `/v2/keys/${key}`)
      : httpRequest(
          'PUT',
          `/v2/keys/${key}`,
          'application/x-www-form-urlencoded',
          `value=${encodeURIComponent(value)}`,
        ),
  ),
  redis: {
    request: redisCommand,
    batch: (operation, keys, value) =>
      keys.map((key) => redisCommand(operation, key, value)).join(''),
    replyEnd: respRepliesEnd,
    isSuccess: (bytes) => bytes[0] === 0x2b || (bytes[0] === 0x24 && bytes[1] !== 0x2d), // +, $, not $-
  },
} as const satisfies Record<string, Protocol>;

export type ProtocolName = keyof typeof PROTOCOLS;

function redisCommand(operation: Operation, key: string, value: string): string {
  return operation === 'get' ? respCommand('GET', key) : respCommand('SET', key, value);
}

function http(request: Protocol['request']): Protocol {
  return {
    request,
    replyEnd: httpReplyEnd,
    // HTTP/1.1 2xx
    isSuccess: (bytes) => bytes[9] === 0x32,
  };
}

function httpRequest(method: string, path: string, type?: string, body?: string): string {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1'];
  if (type !== undefined) lines.push(`Content-Type: ${type}`, `Content-Length: ${body?.length}`);
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`;
}

/** All contestants announce the length of what they answer. */
function httpReplyEnd(bytes: Buffer): number | undefined {
  const bodyAt = bytes.indexOf('\r\n\r\n') + 4;
  if (bodyAt < 4) return undefined;
  const length = /content-length: *(\d+)/i.exec(bytes.toString('latin1', 0, bodyAt))?.[1];
  const end = bodyAt + Number(length ?? 0);
  return end <= bytes.length ? end : undefined;
}

/** A command in RESP, the protocol of Redis. */
export function respCommand(...words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}

/** Where the last of so many replies ends. */
function respRepliesEnd(bytes: Buffer, count: number): number | undefined {
  let end = 0;
  for (let replies = 0; replies < count; replies++) {
    const length = respReplyEnd(bytes.subarray(end));
    if (length === undefined) return undefined;
    end += length;
  }
  return end;
}

/** Simple strings, errors, integers and bulk strings: what single commands answer. */
export function respReplyEnd(bytes: Buffer): number | undefined {
  const lineEnd = bytes.indexOf('\r\n') + 2;
  if (lineEnd < 2) return undefined;
  const length = bytes[0] === 0x24 ? Number(bytes.toString('latin1', 1, lineEnd - 2)) : -1; // $
  const end = length < 0 ? lineEnd : lineEnd + length + 2;
  return end <= bytes.length ? end : undefined;
}
