/** A plain HTTP client that, unlike `fetch`, sends a path as it stands and a body with any method. */

import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { buffer } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body, parsed. */
  readonly json: unknown;
}

export interface Question {
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

/** Sends one request; a certificate is not checked, as by `curl -k`. */
export async function ask(
  url: string,
  method: string,
  target: string,
  { headers = {}, body = '' }: Question = {},
): Promise<Answer> {
  const { protocol, hostname, port } = new URL(url);
  const request = protocol === 'https:' ? httpsRequest : httpRequest;
  const length = body === '' ? {} : { 'Content-Length': Buffer.byteLength(body) };
  const req = request({
    hostname,
    port,
    method,
    path: target,
    headers: { ...length, ...headers },
    rejectUnauthorized: false,
  });
  req.end(body);
  const [res] = await once(req, 'response');
  const bytes = await buffer(res);
  return {
    status: res.statusCode,
    headers: res.headers,
    bytes,
    text: bytes.toString(),
    get json(): unknown {
      return JSON.parse(bytes.toString());
    },
  };
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** Stores JSON text under a key, with further members of the body if any. */
export function put(
  url: string,
  key: string,
  value: string,
  { expireTime, headers }: { expireTime?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const expiry = expireTime === undefined ? '' : `,"expire_time":${JSON.stringify(expireTime)}`;
  return ask(url, 'PUT', pathOf(key), {
    headers: { ...JSON_TYPE, ...headers },
    body: `{"data":${value}${expiry}}`,
  });
}

export function get(url: string, key: string, headers: Record<string, string> = {}) {
  return ask(url, 'GET', pathOf(key), { headers });
}

export function pathOf(key: string): string {
  return `/v1/keys/${encodeURIComponent(key)}`;
}

/** The JSON text of `data` in the answer to a load or a store, which stands before `node`. */
export function dataOf({ text }: Answer): string {
  return text.slice(text.indexOf('"data":') + 7, text.lastIndexOf(',"node":'));
}
