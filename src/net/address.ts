/** Addresses as the flags write them: `host:port`, with Go's short forms. */

export interface Address {
  /** A host name or an IP address, without brackets; empty for every interface. */
  readonly host: string;
  /** 0 to 65,535; 0 lets the system choose. */
  readonly port: number;
}

/**
 * Parses `host:port`, `:port` (every interface) or `[ipv6]:port`.
 *
 * @returns `undefined` if the text has another form.
 */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([\da-fA-F:.]+(?:%[\w.]+)?)\]|([\w.-]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  return port > 65_535 ? undefined : { host: match[1] ?? match[2] ?? '', port };
}

/** Writes an address in the form that {@link parseAddress} reads. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether an address stands for every interface, so that nobody can dial it. */
export function isUnspecified({ host }: Address): boolean {
  return host === '' || host === '0.0.0.0' || /^[0:]+$/.test(host);
}

/** Whether only this machine reaches an address; `localhost` is taken for what it says. */
export function isLoopback({ host }: Address): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
