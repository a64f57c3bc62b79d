/** Listening: how a port is taken, the one for clients and the one for peers alike. */

import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';

import type { Address } from './address.ts';

/**
 * Has `server` take an address; returns it with the port that the system chose for port 0.
 *
 * @throws Error of the system if the address cannot be had.
 */
export async function listen(server: Server, { host, port }: Address): Promise<Address> {
  // Without a host Node listens on every interface, IPv4 and IPv6.
  server.listen({ port, ...(host && { host }) });
  await once(server, 'listening');
  return { host, port: (server.address() as AddressInfo).port };
}
