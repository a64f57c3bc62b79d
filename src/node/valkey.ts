/** The engine on Valkey or Redis, by the flags of a node. */

import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';

import { formatAddress } from '../net/address.ts';
import { ValkeyEngine } from '../valkey/engine.ts';
import type { Backend, Setting } from './backend.ts';
import type { Config } from './config.ts';
import { UsageError } from './flags.ts';

/**
 * Makes the engine; it has not reached a server yet.
 *
 * @throws Error that names the flag which is wrong.
 */
export function openValkey({ config, log, scheduler }: Setting): Backend {
  const seeds = config['valkey-addr']!.map(formatAddress);
  const engine = new ValkeyEngine({
    seeds,
    access: {
      user: config['valkey-user'],
      password: readPassword(config),
      database: config['valkey-db'],
      tls: readTls(config),
    },
    valueBytesMax: config['max-value-size'],
    accessed: config['valkey-accessed'],
    prefix: config['valkey-prefix'],
    scheduler,
    log,
  });
  return {
    engine,
    facts: { engine: 'valkey', valkey: seeds },
    host: '127.0.0.1',
    checks: () => [{ name: 'servers', problem: engine.problem() }],
    reload() {},
    close: () => engine.close(),
  };
}

function readPassword(config: Config): string | undefined {
  const file = config['valkey-password-file'];
  const password = config['valkey-password'];
  if (file !== undefined && password !== undefined) {
    throw new UsageError('-valkey-password-file and MEMHASHD_VALKEY_PASSWORD exclude each other');
  }
  const text = file === undefined ? password : read('valkey-password-file', file).toString();
  if (text === undefined && config['valkey-user'] !== undefined) {
    throw new UsageError('-valkey-user needs -valkey-password-file or MEMHASHD_VALKEY_PASSWORD');
  }
  return text?.replace(/\r?\n$/, '');
}

/** Never goes on with less than what the flags ask for. */
function readTls(config: Config): ConnectionOptions | undefined {
  const { 'valkey-tls-ca': ca, 'valkey-tls-cert': cert, 'valkey-tls-key': key } = config;
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError('-valkey-tls-cert and -valkey-tls-key go together');
  }
  if (ca === undefined) {
    if (cert !== undefined) throw new UsageError('-valkey-tls-cert needs -valkey-tls-ca');
    return undefined;
  }
  return {
    ca: read('valkey-tls-ca', ca),
    minVersion: 'TLSv1.2',
    ...(cert !== undefined && { cert: read('valkey-tls-cert', cert) }),
    ...(key !== undefined && { key: read('valkey-tls-key', key) }),
  };
}

function read(flag: keyof Config, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const { message } = error as Error;
    throw new Error(`-${flag} ${file} cannot be read: ${message}`, { cause: error });
  }
}
