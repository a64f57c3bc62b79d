/** TLS: the files of `-tls-cert`, `-tls-key` and `-tls-ca`, and who counts as a peer by them. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls';

/** The values of the three flags. */
export interface TlsFiles {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly ca: string | undefined;
}

/** What the files hold, checked to fit together. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who may sign a peer's certificate; undefined if a peer must have the same certificate as we. */
  readonly ca: Buffer | undefined;
}

/**
 * Reads the files; undefined if none is named.
 *
 * @throws Error that names the flag and the file which are wrong: a node never goes on without TLS,
 * or with less of it, than it was told to have.
 */
export function loadTls({ cert, key, ca }: TlsFiles): TlsMaterial | undefined {
  if (cert === undefined || key === undefined) {
    if (cert !== undefined) throw new Error('-tls-cert needs -tls-key');
    if (key !== undefined) throw new Error('-tls-key needs -tls-cert');
    if (ca !== undefined) throw new Error('-tls-ca needs -tls-cert and -tls-key');
    return undefined;
  }
  const material = {
    cert: read('-tls-cert', cert),
    key: read('-tls-key', key),
    ca: ca === undefined ? undefined : read('-tls-ca', ca),
  };
  const [leaf] = check('-tls-cert', cert, 'certificate', () => parseAll(material.cert));
  const privateKey = check('-tls-key', key, 'private key', () => createPrivateKey(material.key));
  if (material.ca !== undefined) {
    check('-tls-ca', ca!, 'certificate', () => parseAll(material.ca!));
  }
  if (!leaf!.checkPrivateKey(privateKey)) {
    throw new Error(`-tls-key ${key} is not the key of the certificate -tls-cert ${cert}`);
  }
  check('-tls-cert', cert, 'usable certificate', () => createSecureContext(clientTls(material)));
  return material;
}

/** Each certificate of a file: one that is damaged would else be left out without a word. */
function parseAll(pem: Buffer): X509Certificate[] {
  const blocks = pem.toString('latin1').split(/(?=-----BEGIN CERTIFICATE-----)/);
  const certificates = blocks.filter((block) => block.startsWith('-----BEGIN'));
  // Where there is none at all, it is the parser that says so.
  return (certificates.length === 0 ? blocks : certificates).map(
    (block) => new X509Certificate(block),
  );
}

function read(flag: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new Error(`${flag} ${file} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function check<T>(flag: string, file: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`${flag} ${file} holds no ${what} in PEM form: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** How the port for clients speaks TLS. */
export function clientTls({ cert, key }: TlsMaterial): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2' };
}

/** How the peer port speaks TLS, in both directions. */
export function peerTls(material: TlsMaterial): SecureContextOptions {
  return {
    ...clientTls(material),
    ca: material.ca ?? material.cert,
  };
}

/** What is found where -tls-ca has no root, but the very certificate that has signed. */
const NO_ROOT = new Set(['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY']);

/**
 * Whether a certificate of -tls-ca that is no root has signed `leaf`. OpenSSL can be told to be content
 * with that (`allowPartialTrustChain`), but servers of Node 20 do not hand the option on.
 */
function isSignedByIntermediate(socket: TLSSocket, leaf: X509Certificate, ca: Buffer): boolean {
  if (!NO_ROOT.has(String(socket.authorizationError))) return false;
  const now = Date.now();
  const isValid = ({ validFrom, validTo }: X509Certificate): boolean =>
    Date.parse(validFrom) <= now && now < Date.parse(validTo);
  return parseAll(ca).some(
    (signer) =>
      signer.ca &&
      isValid(signer) &&
      isValid(leaf) &&
      leaf.checkIssued(signer) &&
      leaf.verify(signer.publicKey),
  );
}

/** Why the other side of a connection is no peer, undefined if it is one. */
export function refusePeer(socket: TLSSocket, material: TlsMaterial): string | undefined {
  const theirs = socket.getPeerX509Certificate();
  if (theirs === undefined) return 'it presents no certificate';
  const name = `its certificate (${theirs.subject.replaceAll('\n', ', ')}; ${theirs.fingerprint256})`;
  if (material.ca !== undefined) {
    if (socket.authorized || isSignedByIntermediate(socket, theirs, material.ca)) return undefined;
    return `${name} is not one that -tls-ca signed: ${String(socket.authorizationError)}`;
  }
  const ours = new X509Certificate(material.cert);
  if (theirs.raw.equals(ours.raw)) return undefined;
  return `${name} is not ours (${ours.fingerprint256}), and there is no -tls-ca`;
}
