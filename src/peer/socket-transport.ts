/** The transport between the nodes of a real cluster: TCP or, when the node has a certificate, mutual TLS. */

import { connect, createServer, type Server, type Socket } from 'node:net';
import * as tls from 'node:tls';

import { DIAL_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS, PEER_CONNECTIONS_MAX } from '../base/limits.ts';
import type { Cancel, Timers } from '../base/timers.ts';
import { parseAddress, type Address } from '../net/address.ts';
import { listen } from '../net/listen.ts';
import { describeNetworkError } from '../net/network-error.ts';
import { peerTls, refusePeer, type TlsMaterial } from '../net/tls.ts';
import type { Guest, NoPipe, Pipe, PipeUser, Transport } from './transport.ts';

export class SocketTransport implements Transport {
  readonly #timers: Timers;
  #material: TlsMaterial | undefined;
  #server: Server | undefined;

  constructor(material: TlsMaterial | undefined, timers: Timers) {
    this.#material = material;
    this.#timers = timers;
  }

  /** Uses other certificates from the next connection on; those that are open stay. */
  reload(material: TlsMaterial): void {
    this.#material = material;
    if (this.#server instanceof tls.Server) this.#server.setSecureContext(peerTls(material));
  }

  dial(address: string, done: (outcome: Pipe | NoPipe) => void): Cancel {
    const material = this.#material;
    const socket = open(address, material);
    const finish = (reason?: string): void => {
      giveUp();
      socket.off('error', onError).off('close', onClose).off(event, onOpen);
      if (reason === undefined) return done(new SocketPipe(socket, address));
      discard(socket);
      done({ remote: address, reason });
    };
    const event = material === undefined ? 'connect' : 'secureConnect';
    const onError = (error: Error): void => finish(describeNetworkError(error));
    const onClose = (): void => finish('it closed the connection at once');
    const onOpen = (): void => finish(material && refusePeer(socket as tls.TLSSocket, material));
    const giveUp = this.#timers.after(DIAL_TIMEOUT_MS, () => finish('nobody answers there'));
    socket.on('error', onError).on('close', onClose).on(event, onOpen);
    return () => {
      giveUp();
      socket.off('error', onError).off('close', onClose).off(event, onOpen);
      discard(socket);
    };
  }

  /** Takes the address; returns it with the port that the system chose for port 0. */
  async listen(address: Address): Promise<Address> {
    const material = this.#material;
    const server = material === undefined ? createServer() : createSecureServer(material);
    this.#server = server;
    server.maxConnections = PEER_CONNECTIONS_MAX;
    server.on('connection', discard);
    return listen(server, address);
  }

  accept(onGuest: (guest: Guest | NoPipe) => void): void {
    const server = this.#server!.off('connection', discard);
    const welcome = (socket: Socket, refusal?: string): void =>
      onGuest({ pipe: new SocketPipe(socket, remoteOf(socket)), refusal });
    if (!(server instanceof tls.Server)) {
      server.on('connection', (socket) => welcome(socket));
      return;
    }
    server.on('secureConnection', (socket) => welcome(socket, refusePeer(socket, this.#material!)));
    server.on('tlsClientError', (error, socket) => {
      const remote = remoteOf(socket);
      discard(socket);
      onGuest({ remote, reason: describeNetworkError(error) });
    });
  }

  close(): void {
    this.#server?.close();
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

function open(address: string, material: TlsMaterial | undefined): Socket {
  const { host, port } = parseAddress(address)!;
  if (material === undefined) return connect({ host, port });
  // Who is a peer is decided by `refusePeer`, and not by the host's name.
  const options = { rejectUnauthorized: false, checkServerIdentity: () => undefined };
  return tls.connect({ host, port, ...peerTls(material), ...options });
}

function createSecureServer(material: TlsMaterial): tls.Server {
  return tls.createServer({
    ...peerTls(material),
    requestCert: true,
    // Refused here with a reason instead of there with an alert.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
}

/** Closes a socket; what it may still report is of no interest. */
function discard(socket: Socket): void {
  socket.on('error', () => {}).destroy();
}

/** The host of somebody who has not said who it is. */
function remoteOf({ remoteAddress = 'an unknown host' }: Socket): string {
  return remoteAddress;
}
