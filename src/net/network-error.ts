/** What errors of sockets mean, in words. */

const NO_TLS = 'it does not speak TLS, and this node does (-tls-cert, -cluster-secret-file)';

const OTHER_PROOF =
  'it proves itself otherwise than this node (-tls-cert, -cluster-secret-file: the same on all)';

const MEANINGS: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'the address is in use'],
  ['EADDRNOTAVAIL', 'this machine does not have the address'],
  ['EACCES', 'the port needs a privilege'],
  ['ECONNREFUSED', 'nobody listens there'],
  ['ECONNRESET', 'the other side broke off the connection'],
  ['EPIPE', 'the other side broke off the connection'],
  ['EHOSTUNREACH', 'there is no way to that host'],
  ['ENETUNREACH', 'there is no way to that network'],
  ['ENOTFOUND', 'there is no host of that name'],
  ['EAI_AGAIN', 'there is no host of that name at present'],
  ['ETIMEDOUT', 'nobody answers there'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', NO_TLS],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', NO_TLS],
  ['ERR_SSL_BINDER_DOES_NOT_VERIFY', 'its -cluster-secret-file holds another secret'],
  ['ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER', 'the -cluster-secret-file there holds another secret'],
  ['ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM', 'it has no -cluster-secret-file, and this node has'],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'it has no -cluster-secret-file, and this node has'],
  ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', OTHER_PROOF],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', OTHER_PROOF],
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', OTHER_PROOF],
  ['SELF_SIGNED_CERT_IN_CHAIN', OTHER_PROOF],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', OTHER_PROOF],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', OTHER_PROOF],
  ['ERR_SSL_HTTP_REQUEST', 'it speaks plain HTTP, and this node TLS (-tls-cert)'],
]);

/** Why a socket failed. */
export function describeNetworkError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  // The message of OpenSSL names threads, functions and lines of its own source.
  const own = 'reason' in error ? `TLS failed: ${String(error.reason)}` : error.message;
  return MEANINGS.get(code) ?? own;
}
