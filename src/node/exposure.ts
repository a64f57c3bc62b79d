/** Who may reach a node: what is refused, and what is said, before strangers do. */

import { formatAddress, isLoopback, isUnspecified, type Address } from '../net/address.ts';
import type { Config } from './config.ts';
import { UsageError } from './flags.ts';
import type { Log } from './log.ts';

/** Refuses to trust whoever reaches the port for peers, unless it was told to. */
export function checkPeersProveThemselves(config: Config): void {
  const server = config['server-addr'];
  const hasProof = config['cluster-secret-file'] !== undefined || config['tls-cert'] !== undefined;
  if (config.engine !== 'memory' || hasProof || isLoopback(server)) return;
  if (config['insecure-peers']) return;
  const addr = formatAddress(server);
  throw new UsageError(
    `other machines reach -server-addr ${addr}, and nothing proves who a peer is: give all nodes ` +
      'the same -cluster-secret-file (memhashd secret makes one), or -tls-cert, or -insecure-peers',
  );
}

/** Refuses to tell peers an address that means nothing to them. */
export function checkReachable(config: Config): void {
  const server = config['server-addr'];
  if (config.join === undefined || config['advertise-addr'] || !isUnspecified(server)) return;
  const addr = formatAddress(server);
  throw new UsageError(`peers cannot reach -server-addr ${addr}: -advertise-addr must say where`);
}

/** Says it once where strangers may reach the data. */
export function warnIfExposed(client: Address, config: Config, log: Log): void {
  if (isLoopback(client)) return;
  const facts = { client: formatAddress(client) };
  if (config['auth-file'] === undefined) {
    log.warn(facts, 'whoever reaches this address may read and change everything: see -auth-file');
  }
  if (config['tls-cert'] === undefined) {
    log.warn(facts, 'what clients send and get can be read and changed on the way: see -tls-cert');
  }
}
