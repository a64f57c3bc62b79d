/** The server of the HTTP API: its port, its connections, their time limits, and its end. */

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createSecureServer, Server as SecureServer } from 'node:tls';

import {
  ANSWER_PACE,
  BODY_PACE,
  CLOSE_GRACE_MS,
  CLOSE_TIMEOUT_MS,
  CONNECTIONS_MAX,
  HANDSHAKE_TIMEOUT_MS,
} from '../base/limits.ts';
import { Turns } from '../base/turns.ts';
import type { Address } from '../net/address.ts';
import { listen } from '../net/listen.ts';
import { clientTls, type TlsMaterial } from '../net/tls.ts';
import { HeadEnds } from './answer-head.ts';
import { BodyBudget, UnreadBudget } from './budget.ts';
import { Connection, type Host } from './connection.ts';
import type { Application } from './exchange.ts';
import { Lateness } from './lateness.ts';
import { Pace } from './pace.ts';
import { PATIENCE, type Patience } from './patience.ts';

interface HttpServerOptions {
  readonly tls?: TlsMaterial | undefined;
  readonly patience?: Patience;
}

/** How often the server looks for clients that take too long. */
const SWEEP_MAX_MS = 500;

export class HttpServer implements Host {
  readonly application: Application;
  readonly patience: Patience;
  readonly bodies = new BodyBudget();
  readonly unread = new UnreadBudget();
  readonly headEnds: HeadEnds;
  readonly turns = new Turns();
  readonly pace = new Pace(BODY_PACE);
  readonly answerPace = new Pace(ANSWER_PACE);
  readonly lateness = new Lateness();
  nowMs = 0;
  isClosing = false;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  /** Sockets that have not finished their TLS handshake, by the other side's address. */
  readonly #greeting = new Map<string, Socket>();
  readonly #sweepMs: number;
  #sweeps: NodeJS.Timeout | undefined;

  /** With `tls` the server speaks HTTPS. */
  constructor(application: Application, { tls, patience = PATIENCE }: HttpServerOptions = {}) {
    this.application = application;
    this.patience = patience;
    this.headEnds = new HeadEnds(patience.idleMs);
    this.#sweepMs = Math.min(SWEEP_MAX_MS, Math.ceil(patience.headersMs / 4));
    const options = { allowHalfOpen: true, noDelay: true };
    this.#server = tls === undefined ? createServer(options) : secureServer(options, tls);
    this.#server.maxConnections = CONNECTIONS_MAX;
    if (tls === undefined) {
      this.#server.on('connection', (socket: Socket) => this.#serve(socket));
      return;
    }
    this.#server.on('connection', (socket: Socket) => {
      const name = nameOf(socket);
      this.#greeting.set(name, socket);
      socket.on('close', () => this.#greeting.delete(name));
    });
    this.#server.on('secureConnection', (socket) => {
      this.#greeting.delete(nameOf(socket));
      // Nobody needs it, and it makes the server work for next to nothing.
      socket.disableRenegotiation();
      this.#serve(socket);
    });
    // Plain HTTP on the port for HTTPS, among others: nothing can be said to it.
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** Starts to listen; returns the address, with the port that the system chose for port 0. */
  async listen(address: Address): Promise<Address> {
    const taken = await listen(this.#server, address);
    this.#sweeps = setInterval(() => this.#sweep(), this.#sweepMs);
    return taken;
  }

  /** Uses other certificates from the next connection on. */
  reload(tls: TlsMaterial): void {
    if (this.#server instanceof SecureServer) this.#server.setSecureContext(clientTls(tls));
  }

  /** Stops listening, lets running requests finish for a bounded time, and closes all connections. */
  async close(): Promise<void> {
    if (!this.#server.listening || this.isClosing) return;
    this.isClosing = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#greeting.values()) socket.destroy();
    // A client that is about to ask again learns from the answer that it must go elsewhere.
    const grace = setTimeout(() => this.#endIdle(), CLOSE_GRACE_MS);
    const deadline = setTimeout(() => this.destroy(), CLOSE_TIMEOUT_MS);
    await closed;
    clearTimeout(grace);
    clearTimeout(deadline);
    clearInterval(this.#sweeps);
  }

  /** Closes everything now. */
  destroy(): void {
    this.isClosing = true;
    this.#server.close();
    clearInterval(this.#sweeps);
    for (const socket of this.#greeting.values()) socket.destroy();
    for (const connection of this.#connections) connection.destroy();
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection);
  }

  #serve(socket: Socket): void {
    this.#connections.add(new Connection(socket, this));
  }

  #endIdle(): void {
    for (const connection of this.#connections) connection.endIdle();
  }

  /** Time passes in steps of the sweep: a server that was held up does not blame its clients. */
  #sweep(): void {
    this.nowMs += this.#sweepMs;
    this.headEnds.renew();
    for (const connection of this.#connections) connection.sweep();
  }
}

function secureServer(options: object, tls: TlsMaterial): SecureServer {
  return createSecureServer({
    ...options,
    ...clientTls(tls),
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
