/** The server of the HTTP API: its socket, its time limits, and requests that are no proper HTTP. */

import { once } from 'node:events';
import {
  createServer,
  STATUS_CODES,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createSecureServer, Server as SecureServer } from 'node:https';
import type { Duplex } from 'node:stream';

import { failure, httpStatus, type Failure } from '../base/errors.ts';
import {
  CLOSE_TIMEOUT_MS,
  CONNECTIONS_MAX,
  HANDSHAKE_TIMEOUT_MS,
  HEADER_BYTES_MAX,
  HEADERS_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  LINGER_MS,
  REQUEST_TIMEOUT_MS,
} from '../base/limits.ts';
import type { Address } from '../net/address.ts';
import { listen } from '../net/listen.ts';
import { clientTls, type TlsMaterial } from '../net/tls.ts';
import { BodyReceiver } from './body.ts';
import type { Application, Exchange, Piece } from './exchange.ts';
import { NodeExchange } from './node-exchange.ts';
import { oneByOne } from './pipeline.ts';

/** How often a closing server looks for connections that have become idle. */
const CLOSE_POLL_MS = 20;

/** How often the server looks for requests that take too long. */
const TIMEOUT_POLL_MS = 1000;

/** How long a client may take, in milliseconds. */
interface Patience {
  /** For the headers of a request. */
  readonly headersMs: number;
  /** For a whole request. */
  readonly requestMs: number;
  /** Between two signs of life on a connection. */
  readonly idleMs: number;
}

interface HttpServerOptions {
  readonly tls?: TlsMaterial | undefined;
  readonly patience?: Patience;
}

const PATIENCE: Patience = {
  headersMs: HEADERS_TIMEOUT_MS,
  requestMs: REQUEST_TIMEOUT_MS,
  idleMs: IDLE_TIMEOUT_MS,
};

export class HttpServer {
  readonly #server: Server | SecureServer;
  readonly #application: Application;

  /** With `tls` the server speaks HTTPS. */
  constructor(application: Application, { tls, patience = PATIENCE }: HttpServerOptions = {}) {
    this.#application = application;
    const bodies = new BodyReceiver();
    const handle = oneByOne((req, res) => {
      // A closing server has stopped listening: this connection ends with this answer.
      if (!this.#server.listening) res.shouldKeepAlive = false;
      if (req.headers.host === undefined && req.httpVersion === '1.1') {
        this.#answerProblem(res, failure('MALFORMED_REQUEST', 'the Host header is missing'));
      } else {
        application.handle(new NodeExchange(req, res, bodies));
      }
    });
    const options = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: patience.headersMs,
      requestTimeout: patience.requestMs,
      keepAliveTimeout: patience.idleMs,
      connectionsCheckingInterval: TIMEOUT_POLL_MS,
      // The API answers this itself: Node's own answer has no body.
      requireHostHeader: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    };
    this.#server =
      tls === undefined
        ? createServer(options)
        : createSecureServer({ ...options, ...clientTls(tls) });
    this.#server.timeout = patience.idleMs;
    // Their bytes are limited. Past a limit on their number Node drops headers, conditions too.
    this.#server.maxHeadersCount = 0;
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server
      .on('request', handle)
      // The body's receiver decides whether the client may go on.
      .on('checkContinue', handle)
      .on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => {
        const detail = `the expectation ${req.headers.expect} is not 100-continue`;
        this.#answerProblem(res, failure('EXPECTATION_FAILED', detail));
      })
      .on('connect', (req: IncomingMessage, socket: Duplex) => {
        application.handle(strangeExchange(socket, 'CONNECT', req.url ?? ''));
      })
      .on('clientError', (error: ClientError, socket: Connection) =>
        this.#onClientError(error, socket),
      );
  }

  /** Starts to listen; returns the address, with the port that the system chose for port 0. */
  listen(address: Address): Promise<Address> {
    return listen(this.#server, address);
  }

  /** Uses other certificates from the next connection on. */
  reload(tls: TlsMaterial): void {
    if (this.#server instanceof SecureServer) this.#server.setSecureContext(clientTls(tls));
  }

  /** Stops listening, lets running requests finish for a bounded time, and closes all connections. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    const poll = setInterval(() => this.#server.closeIdleConnections(), CLOSE_POLL_MS);
    const deadline = setTimeout(() => this.#server.closeAllConnections(), CLOSE_TIMEOUT_MS);
    await closed;
    clearInterval(poll);
    clearTimeout(deadline);
  }

  /** Closes everything now. */
  destroy(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #answerProblem(res: ServerResponse, problem: Failure): void {
    const { headers, body } = this.#application.describe(problem);
    const length = ['Content-Length', String(body.length)];
    res.writeHead(httpStatus(problem.code), [...headers, ...length]);
    res.end(body, 'latin1');
  }

  /** Answers what the parser could not read, after the requests before it, and ends the connection. */
  #onClientError(error: ClientError, socket: Connection): void {
    if (socket.writableEnded) return;
    const current = socket._httpMessage ?? undefined;
    if (error.code === 'ECONNRESET' || socket.destroyed || isTlsError(error)) socket.destroy();
    else if (current === undefined) this.#refuse(error, socket);
    else if (current.req.complete) {
      current.once('finish', () => this.#onClientError(error, socket));
    } else if (current.headersSent) socket.end(() => socket.destroy());
    else this.#refuse(error, socket);
  }

  #refuse(error: ClientError, socket: Connection): void {
    const strange = unknownMethod(error, socket);
    if (strange !== undefined) {
      this.#application.handle(strange);
      return;
    }
    const problem = clientFailure(error);
    const { headers, body } = this.#application.describe(problem);
    refuse(socket, httpStatus(problem.code), headers, body);
  }
}

/** What Node's parser and timers report; `bytesParsed` and `reason` come from the parser. */
interface ClientError extends Error {
  readonly code?: string;
  readonly reason?: string;
  readonly rawPacket?: Buffer;
  readonly bytesParsed?: number;
}

/** A connection as Node keeps it: with the answer that is under way, until it is sent. */
type Connection = Duplex & { _httpMessage?: ServerResponse | null };

/** After a failed handshake, plain HTTP on the port for HTTPS among others, nothing can be said. */
function isTlsError({ code = '' }: ClientError): boolean {
  return code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS');
}

/** The failure that a parser error means. */
function clientFailure(error: ClientError): Failure {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return failure('REQUEST_TIMEOUT', 'the request did not arrive in time');
    case 'HPE_HEADER_OVERFLOW': {
      const detail = `request line and headers have at most ${HEADER_BYTES_MAX} bytes together`;
      return failure('HEADERS_TOO_LARGE', detail);
    }
    case undefined:
    default: {
      const reason = error.reason ?? error.message;
      return failure('MALFORMED_REQUEST', `the request is not HTTP/1.1: ${reason}`);
    }
  }
}

/** The request of a method that the parser does not know, if it heads a proper request line. */
function unknownMethod(error: ClientError, socket: Duplex): Exchange | undefined {
  if (error.code !== 'HPE_INVALID_METHOD') return undefined;
  const { rawPacket, bytesParsed } = error;
  const packet = rawPacket?.toString('latin1') ?? '';
  const requestLine = /([!#$%&'*+.^`|~\w-]+) (\S+) HTTP\/1\.[01]\r?\n/y;
  requestLine.lastIndex = packet.lastIndexOf('\n', bytesParsed) + 1;
  const [, method, target] = requestLine.exec(packet) ?? [];
  if (method === undefined || target === undefined) return undefined;
  return strangeExchange(socket, method, target);
}

/** A request on a connection that Node's parser has given up: it is answered, no more. */
function strangeExchange(socket: Duplex, method: string, target: string): Exchange {
  return {
    method,
    target,
    header: () => undefined,
    receive: () => {},
    send: (status, headers, body) => refuse(socket, status, headers, body as Piece),
    begin: () => {},
    write: () => true,
    end: () => {},
    drained: () => Promise.resolve(),
    abort: () => socket.destroy(),
    isAnswered: false,
    isGone: false,
  };
}

/** Answers on the bare connection and ends it. */
function refuse(socket: Duplex, status: number, headers: readonly string[], body: Piece): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Length: ${body.length}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
  ];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body.toString()}`, 'latin1');
  // Closed at once, the connection would be reset under a client that is still sending, and the
  // answer lost.
  socket.resume();
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(linger));
}
