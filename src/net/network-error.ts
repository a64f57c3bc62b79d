/** What errors of sockets mean, in words. */

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
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS, and this node does (-tls-cert)'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'it does not speak TLS, and this node does (-tls-cert)'],
  ['ERR_SSL_HTTP_REQUEST', 'it speaks plain HTTP, and this node TLS (-tls-cert)'],
]);

/** Why a socket failed. */
export function describeNetworkError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return MEANINGS.get(code) ?? error.message;
}
