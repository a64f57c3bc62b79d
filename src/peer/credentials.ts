/** Credentials: by what members prove to each other who they are, and how their sockets are made with it. */

import { connect, createServer, type LookupFunction, type Server, type Socket } from 'node:net';
import * as tls from 'node:tls';

import { HANDSHAKE_TIMEOUT_MS } from '../base/limits.ts';
import type { Address } from '../net/address.ts';
import { refuseBySecret, secretClientOptions, secretServerOptions } from '../net/secret.ts';
import { peerTls, refusePeer, type TlsMaterial } from '../net/tls.ts';

export type Credentials =
  /** Nothing is proved, and nothing is encrypted. */
  | { readonly kind: 'none' }
  /** Both sides show a certificate. */
  | { readonly kind: 'certificate'; readonly material: TlsMaterial }
  /** Both sides have the same key. */
  | { readonly kind: 'secret'; readonly key: Buffer };

/** A socket that is being connected to an address, each of a name in turn; the second is its event when it can be used. */
export function openSocket(
  { host, port }: Address,
  credentials: Credentials,
  lookup: LookupFunction,
): readonly [Socket, 'connect' | 'secureConnect'] {
  const address = { host, port, lookup };
  switch (credentials.kind) {
    case 'none':
      return [connect(address), 'connect'];
    case 'certificate': {
      // Who is a peer is decided by `refusal`, and not by the host's name.
      const options = { rejectUnauthorized: false, checkServerIdentity: () => undefined };
      const socket = tls.connect({ ...address, ...peerTls(credentials.material), ...options });
      return [socket, 'secureConnect'];
    }
    case 'secret':
      return [
        tls.connect({ ...address, ...secretClientOptions(credentials.key) }),
        'secureConnect',
      ];
  }
}

/** A server for peers. The credentials it goes by are asked for; their kind never changes. */
export function makeServer(credentials: () => Credentials): Server {
  const now = credentials();
  switch (now.kind) {
    case 'none':
      return createServer();
    case 'certificate':
      return tls.createServer({
        ...peerTls(now.material),
        requestCert: true,
        // Refused here with a reason instead of there with an alert.
        rejectUnauthorized: false,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      });
    case 'secret': {
      const key = (): Buffer => {
        const current = credentials();
        return current.kind === 'secret' ? current.key : now.key;
      };
      return tls.createServer({
        ...secretServerOptions(key),
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      });
    }
  }
}

/** Has a server go by renewed credentials from the next handshake on. */
export function renew(server: Server, credentials: Credentials): void {
  if (credentials.kind === 'certificate' && server instanceof tls.Server) {
    server.setSecureContext(peerTls(credentials.material));
  }
}

/** Why the other side of a connection is no peer, undefined if it is one. */
export function refusal(socket: Socket, credentials: Credentials): string | undefined {
  if (!(socket instanceof tls.TLSSocket)) return undefined;
  switch (credentials.kind) {
    case 'none':
      return undefined;
    case 'certificate':
      return refusePeer(socket, credentials.material);
    case 'secret':
      return refuseBySecret(socket);
  }
}
