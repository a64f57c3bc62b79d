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
  /** The body, parsed, as the document of a record or of a problem. */
  readonly body: AnswerBody;
}

/** Members of documents that tests read; which are there depends on the answer. */
interface AnswerBody {
  readonly data?: unknown;
  readonly meta?: { readonly index: number; readonly created_at: string };
  readonly node?: { readonly id: string; readonly addr: string };
  readonly code?: string;
  readonly detail?: string;
}

export interface Question {
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
  /** The certificate to trust, in PEM form; without it none is checked, as by `curl -k`. */
  readonly ca?: Buffer;
}

/** Asks one thing of whatever answers. */
export type Send = (method: string, target: string, question?: Question) => Promise<Answer>;

/** Where to send a request: the URL of a node, or what answers without a socket. */
export type Server = string | Send;

/** Sends one request. */
export async function ask(
  server: Server,
  method: string,
  target: string,
  question: Question = {},
): Promise<Answer> {
  if (typeof server !== 'string') return server(method, target, question);
  const { headers = {}, body = '', ca } = question;
  const { protocol, hostname, port } = new URL(server);
  const request = protocol === 'https:' ? httpsRequest : httpRequest;
  const length = body === '' ? {} : { 'Content-Length': Buffer.byteLength(body) };
  const tls =
    ca === undefined
      ? { rejectUnauthorized: false }
      : { ca, servername: 'localhost', agent: false as const };
  const req = request({
    hostname,
    port,
    method,
    path: target,
    headers: { ...length, ...headers },
    ...tls,
  });
  req.end(body);
  const [res] = await once(req, 'response');
  return answerOf(res.statusCode, res.headers, await buffer(res));
}

/** An answer as tests look at it. */
export function answerOf(status: number, headers: IncomingHttpHeaders, bytes: Buffer): Answer {
  return {
    status,
    headers,
    bytes,
    text: bytes.toString(),
    get json(): unknown {
      return JSON.parse(bytes.toString());
    },
    get body(): AnswerBody {
      return JSON.parse(bytes.toString()) as AnswerBody;
    },
  };
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** Stores JSON text under a key, with further members of the body if any. */
export function put(
  server: Server,
  key: string,
  value: string,
  { expireTime, headers }: { expireTime?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const expiry = expireTime === undefined ? '' : `,"expire_time":${JSON.stringify(expireTime)}`;
  return ask(server, 'PUT', pathOf(key), {
    headers: { ...JSON_TYPE, ...headers },
    body: `{"data":${value}${expiry}}`,
  });
}

export function get(server: Server, key: string, headers: Record<string, string> = {}) {
  return ask(server, 'GET', pathOf(key), { headers });
}

export function pathOf(key: string): string {
  return `/v1/keys/${encodeURIComponent(key)}`;
}

/** The JSON text of `data` in the answer to a load or a store, which stands before `node`. */
export function dataOf({ text }: Answer): string {
  return text.slice(text.indexOf('"data":') + 7, text.lastIndexOf(',"node":'));
}
