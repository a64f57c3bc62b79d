/** The transport between the nodes of a real cluster: TCP, or TLS by what members prove themselves with. */

import type { Server, Socket } from 'node:net';
import * as tls from 'node:tls';

import {
  DIAL_TIMEOUT_MS,
  DIALLED_TLS_TIMEOUT_MS,
  MUTE_TIMEOUT_MS,
  PEER_CONNECTIONS_MAX,
} from '../base/limits.ts';
import type { Cancel, Timers } from '../base/timers.ts';
import { parseAddress, type Address } from '../net/address.ts';
import { listen } from '../net/listen.ts';
import { describeNetworkError } from '../net/network-error.ts';
import { Resolver, systemLookup } from '../net/resolver.ts';
import { makeServer, openSocket, refusal, renew, type Credentials } from './credentials.ts';
import type { Guest, NoPipe, Pipe, PipeUser, Transport } from './transport.ts';

export class SocketTransport implements Transport {
  readonly #timers: Timers;
  readonly #resolver: Resolver;
  #credentials: Credentials;
  #server: Server | undefined;

  constructor(credentials: Credentials, timers: Timers) {
    this.#credentials = credentials;
    this.#timers = timers;
    this.#resolver = new Resolver(systemLookup, timers);
  }

  /** Uses other credentials of the same kind from the next handshake on; what is open stays. */
  reload(credentials: Credentials): void {
    this.#credentials = credentials;
    if (this.#server !== undefined) renew(this.#server, credentials);
  }

  dial(address: string, done: (outcome: Pipe | NoPipe) => void): Cancel {
    const credentials = this.#credentials;
    const [socket, event] = openSocket(
      parseAddress(address)!,
      credentials,
      this.#resolver.socketLookup,
    );
    const finish = (reason?: string): void => {
      stop();
      if (reason === undefined) return done(new SocketPipe(socket, address));
      discard(socket);
      done({ remote: address, reason });
    };
    const onError = (error: Error): void => finish(describeNetworkError(error));
    const onClose = (): void => finish('it closed the connection at once');
    const onOpen = (): void => finish(refusal(socket, credentials));
    let giveUp = this.#timers.after(DIAL_TIMEOUT_MS, () => finish('nobody answers there'));
    const onConnect = (): void => {
      giveUp();
      giveUp = this.#timers.after(DIALLED_TLS_TIMEOUT_MS, () =>
        finish('it does not go on with the handshake of TLS'),
      );
    };
    const stop = (): void => {
      giveUp();
      socket.off('error', onError).off('close', onClose).off(event, onOpen);
      socket.off('connect', onConnect);
    };
    socket.on('error', onError).on('close', onClose).on(event, onOpen);
    if (event !== 'connect') socket.on('connect', onConnect);
    return () => {
      stop();
      discard(socket);
    };
  }

  /** Takes the address; returns it with the port that the system chose for port 0. */
  async listen(address: Address): Promise<Address> {
    const server = makeServer(() => this.#credentials);
    this.#server = server;
    server.maxConnections = PEER_CONNECTIONS_MAX;
    server.on('connection', discard);
    return listen(server, address);
  }

  accept(onGuest: (guest: Guest | NoPipe) => void): void {
    const server = this.#server!.off('connection', discard);
    const welcome = (socket: Socket): void =>
      onGuest({
        pipe: new SocketPipe(socket, remoteOf(socket)),
        refusal: refusal(socket, this.#credentials),
      });
    if (!(server instanceof tls.Server)) {
      server.on('connection', welcome);
      return;
    }
    server.on('connection', (socket) => this.#sendAwayIfMute(socket));
    server.on('secureConnection', welcome);
    server.on('tlsClientError', (error, socket) => {
      const remote = remoteOf(socket);
      discard(socket);
      onGuest({ remote, reason: describeNetworkError(error) });
    });
  }

  close(): void {
    this.#server?.close();
  }

  /** Whoever begins no handshake at all need not have the time that one may take. */
  #sendAwayIfMute(socket: Socket): void {
    const cancel = this.#timers.after(MUTE_TIMEOUT_MS, () => {
      if (socket.bytesRead === 0) socket.destroy();
    });
    socket.once('close', cancel);
  }
}

/** A pipe over a socket that is connected. */
class SocketPipe implements Pipe {
  readonly remote: string;
  readonly #socket: Socket;
  #onSent = (): void => {};

  constructor(socket: Socket, remote: string) {
    this.#socket = socket.setNoDelay(true);
    this.remote = remote;
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  attach(user: PipeUser): void {
    let isClosed = false;
    const onClose = (reason: string): void => {
      if (!isClosed) user.onClose(reason);
      isClosed = true;
    };
    this.#onSent = () => user.onSent();
    this.#socket
      .on('data', (chunk: Buffer) => user.onBytes(chunk))
      .on('error', (error) => onClose(describeNetworkError(error)))
      .on('close', () => onClose('the other side closed the connection'));
  }

  write(buffers: readonly Buffer[]): void {
    const socket = this.#socket;
    if (buffers.length > 1) socket.cork();
    for (const [at, buffer] of buffers.entries()) {
      if (at === buffers.length - 1) socket.write(buffer, this.#onSent);
      else socket.write(buffer);
    }
    if (buffers.length > 1) socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** Closes a socket; what it may still report is of no interest. */
function discard(socket: Socket): void {
  socket.on('error', () => {}).destroy();
}

/** The host of somebody who has not said who it is. */
function remoteOf({ remoteAddress = 'an unknown host' }: Socket): string {
  return remoteAddress;
}
