/** The transport between peers: TCP or, when the node has a certificate, mutual TLS. */

import { connect, createServer, type Server, type Socket } from 'node:net';
import * as tls from 'node:tls';

import { DIAL_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS, PEER_CONNECTIONS_MAX } from '../base/limits.ts';
import { parseAddress, type Address } from '../net/address.ts';
import { listen } from '../net/listen.ts';
import { describeNetworkError } from '../net/network-error.ts';
import { peerTls, refusePeer, type TlsMaterial } from '../net/tls.ts';

/** What comes of dialling. */
export interface SocketUser {
  /** There is a connection to a peer; what it says is still to be checked. */
  onSocket(socket: Socket): void;
  /** There is none to `remote`. */
  onFailure(remote: string, reason: string): void;
}

/** What comes of others dialling here. */
export interface ServerUser extends SocketUser {
  /** There is a connection to somebody who is no peer, and can be told so. */
  onStranger(socket: Socket, reason: string): void;
}

export class Transport {
  #material: TlsMaterial | undefined;
  #server: Server | undefined;

  constructor(material: TlsMaterial | undefined) {
    this.#material = material;
  }

  /** Uses other certificates from the next connection on; those that are open stay. */
  reload(material: TlsMaterial): void {
    this.#material = material;
    if (this.#server instanceof tls.Server) this.#server.setSecureContext(peerTls(material));
  }

  /** Dials `address`, in bounded time. To give up, destroy what this returns. */
  dial(address: string, user: SocketUser): Socket {
    const { host, port } = parseAddress(address)!;
    const material = this.#material;
    const socket =
      material === undefined
        ? connect({ host, port })
        : tls.connect({
            host,
            port,
            ...peerTls(material),
            // Who is a peer is decided by `refusePeer`, and not by the host's name.
            rejectUnauthorized: false,
            checkServerIdentity: () => undefined,
          });
    let isDone = false;
    const done = (reason?: string): void => {
      if (isDone) return;
      isDone = true;
      clearTimeout(deadline);
      socket.off('error', onError).off('close', onClose);
      if (reason === undefined) return user.onSocket(socket);
      // What it may still report is of no interest.
      socket.on('error', () => {}).destroy();
      user.onFailure(address, reason);
    };
    const onError = (error: Error): void => done(describeNetworkError(error));
    const onClose = (): void => done('it closed the connection at once');
    const deadline = setTimeout(() => done('nobody answers there'), DIAL_TIMEOUT_MS);
    socket.on('error', onError).on('close', onClose);
    socket.on(material === undefined ? 'connect' : 'secureConnect', () =>
      done(material && refusePeer(socket as tls.TLSSocket, material)),
    );
    return socket;
  }

  /**
   * Takes the address; returns it with the port that the system chose for port 0. Whoever connects
   * before {@link Transport.accept} is sent away.
   */
  listen(address: Address): Promise<Address> {
    const material = this.#material;
    this.#server =
      material === undefined
        ? createServer()
        : tls.createServer({
            ...peerTls(material),
            requestCert: true,
            // Refused here with a reason instead of there with an alert.
            rejectUnauthorized: false,
            handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
          });
    this.#server.maxConnections = PEER_CONNECTIONS_MAX;
    this.#server.on('connection', this.#turnAway);
    return listen(this.#server, address);
  }

  /** Hands those who connect from now on to `user`. */
  accept(user: ServerUser): void {
    const server = this.#server!.off('connection', this.#turnAway);
    if (!(server instanceof tls.Server)) {
      server.on('connection', (socket) => user.onSocket(socket));
      return;
    }
    server.on('secureConnection', (socket) => {
      const reason = refusePeer(socket, this.#material!);
      if (reason === undefined) user.onSocket(socket);
      else user.onStranger(socket, reason);
    });
    server.on('tlsClientError', (error, socket) => {
      const remote = remoteOf(socket);
      socket.on('error', () => {}).destroy();
      user.onFailure(remote, describeNetworkError(error));
    });
  }

  readonly #turnAway = (socket: Socket): void => void socket.on('error', () => {}).destroy();

  /** Stops listening. */
  close(): void {
    this.#server?.close();
  }
}

/** The host of somebody who has not said who it is. */
export function remoteOf({ remoteAddress = 'an unknown host' }: Socket): string {
  return remoteAddress;
}
