/** The secret of a cluster: the file of `-cluster-secret-file`, and how peers prove by it who they are. */

import { hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';

import { SECRET_BYTES_MAX, SECRET_BYTES_MIN } from '../base/limits.ts';

/** Keeps this key apart from any other that may be derived from the same secret one day. */
const PURPOSE = 'memhashd peer port, TLS 1.3';

/** There is one secret, so its name tells nothing. */
const IDENTITY = 'memhashd';

/** A secret as `memhashd secret` prints it: 256 bits of chance, as text. */
export function makeSecret(): string {
  return randomBytes(SECRET_BYTES_MIN).toString('base64url');
}

/**
 * Reads the file; returns the key that all members derive from it. A line end at its end does not count.
 *
 * @throws Error that names the flag and the file if it cannot be read, or is too short to be a secret.
 */
export function loadSecret(file: string): Buffer {
  const secret = trimLineEnd(read(file));
  if (secret.length < SECRET_BYTES_MIN || secret.length > SECRET_BYTES_MAX) {
    const bounds = `${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} bytes`;
    throw new Error(
      `-cluster-secret-file ${file} has ${secret.length} bytes, and a secret has ${bounds}: memhashd secret makes one`,
    );
  }
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), PURPOSE, 32));
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const reason = (error as Error).message;
    throw new Error(`-cluster-secret-file ${file} cannot be read: ${reason}`, { cause: error });
  }
}

function trimLineEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end--;
  return bytes.subarray(0, end);
}

/** TLS 1.3 with a pre-shared key and, beside it, a key exchange: what was recorded stays unread. */
const PROTOCOL = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  // An external key belongs to the hash SHA-256 (RFC 8446 §4.2.11).
  ciphers: 'TLS_AES_128_GCM_SHA256',
} as const;

/** How the side that is dialled proves itself; `key` is asked for each time, for it may be renewed. */
export function secretServerOptions(key: () => Buffer) {
  return {
    ...PROTOCOL,
    // It has no certificate, so no handshake without the key can succeed.
    pskCallback: (_: TLSSocket, identity: string) => (identity === IDENTITY ? key() : null),
  };
}

/** How the side that dials proves itself. */
export function secretClientOptions(key: Buffer) {
  return {
    ...PROTOCOL,
    // Nobody's certificate will do.
    ca: [],
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk: key, identity: IDENTITY }),
  };
}

/** Why the other side of a handshake with a secret is no peer, undefined if it is one. */
export function refuseBySecret(socket: TLSSocket): string | undefined {
  // To OpenSSL a handshake with a key that both had before takes up a session again (RFC 8446 §2.2).
  const hasKey = socket.isSessionReused() && socket.getPeerX509Certificate() === undefined;
  return hasKey ? undefined : 'it does not prove itself by the -cluster-secret-file';
}
