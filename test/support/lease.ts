/**
 * Addresses that must be known before anybody listens there. A lease is a listening socket of the
 * test's own process, beside what is leased: two processes never hold the same one, and it ends with
 * its process however that ends.
 */

import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** Leased hosts have this port taken, and all others free. */
const HOST_GUARD_PORT = 2370;

/** Port `PORTS_FROM + n` is guarded by `GUARDS_FROM + n`; both lie below what systems hand out. */
const PORTS_FROM = 24_000;
const GUARDS_FROM = 23_000;
const PORTS = 1000;

/** How many hosts there are to look at: 127.16.0.1 to 127.223.255.255, less the last number 0. */
const HOSTS = 208 * 256 * 255;

/** A loopback address that nobody else uses, with the ports that one likes. */
export async function leaseHost(): Promise<string> {
  for (let step = 0; step < HOSTS; step++) {
    const at = (process.pid * 64 + step) % HOSTS;
    const [high, low] = [Math.floor(at / 255), at % 255];
    const host = `127.${16 + Math.floor(high / 256)}.${high % 256}.${1 + low}`;
    if ((await guard(host, HOST_GUARD_PORT)) !== undefined) return host;
  }
  throw new Error('no loopback address is free');
}

/** A port that is free on every interface, for those who listen on all of them. */
export async function leasePort(): Promise<number> {
  for (let step = 0; step < PORTS; step++) {
    const at = (process.pid + step) % PORTS;
    const lease = await guard('127.0.0.1', GUARDS_FROM + at);
    if (lease === undefined) continue;
    const probe = await guard('::', PORTS_FROM + at);
    probe?.close();
    if (probe !== undefined) return PORTS_FROM + at;
  }
  throw new Error('no port is free');
}

/** Listens, without keeping the process alive; undefined if the address is in use. */
async function guard(host: string, port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return server.unref();
}
