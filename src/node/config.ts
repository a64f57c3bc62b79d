/** The settings of a node and the flags they come from. */

import { parseDuration } from '../base/duration.ts';
import { keyFromText, type Key } from '../base/key.ts';
import {
  MAX_MEMORY_BYTES_MAX,
  LEAVE_WAIT_MAX_MS,
  MIGRATION_BYTES_PER_SECOND_MIN,
  PARTITIONS_MAX,
  SNAPSHOTS_MAX,
  VALKEY_PREFIX_BYTES_MAX,
  VALUE_BYTES_MAX,
} from '../base/limits.ts';
import { FSYNC_MODES } from '../disk/journal.ts';
import { formatAddress, isUnspecified, parseAddress, type Address } from '../net/address.ts';
import { EVICTIONS } from '../store/eviction.ts';
import { LOG_FORMATS, LOG_LEVELS } from './log.ts';
import { UsageError, type Flag, type FlagValues } from './flags.ts';

/** Every flag of `memhashd`, in the order of the help text. */
export const FLAGS = {
  'server-addr': {
    placeholder: 'HOST:PORT',
    help: 'The address for other nodes; answers name it as the address of this node.',
    fallback: '127.0.0.1:2373',
    parse: address,
  },
  'advertise-addr': {
    placeholder: 'HOST:PORT',
    help: 'The address that other nodes reach this one by, where it is not -server-addr itself.',
    fallback: undefined,
    parse: reachableAddress,
  },
  'client-addr': {
    placeholder: 'HOST:PORT',
    help: 'The address for clients, who speak HTTP to it.',
    fallback: '127.0.0.1:8001',
    parse: address,
  },
  join: {
    placeholder: 'HOST:PORT',
    help: 'The server address of another node of the cluster; a host name will do.',
    fallback: undefined,
    repeatable: true,
    parse: (text: string) => text.split(',').map(reachableAddress),
  },
  'join-retries': {
    placeholder: 'N',
    help: 'How often to try again to reach a first node of -join, after 1 s, 2 s, 4 s ...',
    fallback: '5',
    parse: (text: string) => wholeNumber(text, 0, 1000),
  },
  'migration-rate': {
    placeholder: 'SIZE',
    help: `How many bytes a second this node copies to other members when members join or leave, such
      as 16mib; users go first.`,
    fallback: '64mib',
    parse: (text: string) => size(text, MIGRATION_BYTES_PER_SECOND_MIN, MAX_MEMORY_BYTES_MAX),
  },
  'leave-on-stop': {
    placeholder: 'DURATION',
    help: `On SIGTERM, hand all keys over to the other members first, for so long at most, such as
      30s; without it the keys of a node that stops are gone.`,
    fallback: '0s',
    parse: (text: string) => milliseconds(text, 0, LEAVE_WAIT_MAX_MS),
  },
  'tls-key': {
    placeholder: 'FILE',
    help: 'The private key of -tls-cert, in PEM form.',
    fallback: undefined,
    parse: (text: string) => text,
  },
  'tls-cert': {
    placeholder: 'FILE',
    help: 'An X.509 certificate in PEM form; with it both addresses speak TLS.',
    fallback: undefined,
    parse: (text: string) => text,
  },
  'tls-ca': {
    placeholder: 'FILE',
    help: `The certificates, in PEM form, one of which must have signed that of another node.
      Without it all nodes have the same -tls-cert.`,
    fallback: undefined,
    parse: (text: string) => text,
  },
  'cluster-secret-file': {
    placeholder: 'FILE',
    help: `The secret by which nodes prove to each other that they are of one cluster, the same on all
      of them; memhashd secret makes one. What they say to each other is encrypted with it.`,
    fallback: undefined,
    parse: (text: string) => text,
  },
  'insecure-peers': {
    placeholder: 'true|false',
    help: `Lets other machines reach -server-addr though nothing proves who a peer is: whoever reaches it
      can read, change and take over everything.`,
    fallback: 'false',
    isSwitch: true,
    parse: (text: string) => oneOf(['true', 'false'], text) === 'true',
  },
  'auth-file': {
    placeholder: 'FILE',
    help: `The tokens that clients must bear, as memhashd token makes them; without it everybody may do
      everything.`,
    fallback: undefined,
    parse: (text: string) => text,
  },
  'num-partitions': {
    placeholder: 'N',
    help: `The number of partitions that the keys are divided into, 1 to ${PARTITIONS_MAX};
      the same on all nodes.`,
    fallback: '16384',
    parse: (text: string) => wholeNumber(text, 1, PARTITIONS_MAX),
  },
  'max-value-size': {
    placeholder: 'SIZE',
    help: 'The largest value that is stored, such as 64kb or 1mib; 16mib at most.',
    fallback: '16mib',
    parse: (text: string) => size(text, 1, VALUE_BYTES_MAX),
  },
  'cors-origin': {
    placeholder: 'ORIGIN',
    help: 'An origin whose web pages may use the API, such as https://example.com, or * for all.',
    fallback: undefined,
    repeatable: true,
    parse: (text: string) => text.split(',').map(origin),
  },
  'max-memory': {
    placeholder: 'SIZE',
    help: `The memory for records and their key table, such as 512mb or 2gib, 27gib at most; 0 for no
      bound.`,
    fallback: '0',
    parse: (text: string) => size(text, 0, MAX_MEMORY_BYTES_MAX),
  },
  eviction: {
    placeholder: EVICTIONS.join('|'),
    help: `What goes when -max-memory is reached: nothing (stores are refused), the least recently
      used records, or those that expire soonest.`,
    fallback: 'none',
    parse: (text: string) => oneOf(EVICTIONS, text),
  },
  'data-dir': {
    placeholder: 'DIR',
    help: `Where the records are kept on disk, so that they survive a restart; an empty directory, or
      that of a node that was stopped. Without it they are in memory only.`,
    fallback: undefined,
    parse: (text: string) => text,
  },
  fsync: {
    placeholder: FSYNC_MODES.join('|'),
    help: `When changes are made safe from a failure of the machine: before they are answered, every
      -fsync-interval, or when the system does it. A failure of the process loses none that was
      answered with always, and at most the last 10 ms otherwise.`,
    fallback: 'interval',
    parse: (text: string) => oneOf(FSYNC_MODES, text),
  },
  'fsync-interval': {
    placeholder: 'DURATION',
    help: 'The time between two syncs of the disk with -fsync interval, such as 1s or 250ms.',
    fallback: '1s',
    parse: (text: string) => milliseconds(text, 10, 3_600_000),
  },
  snapshots: {
    placeholder: 'N',
    help: 'How many snapshots (POST /v1/snapshot) are kept in -data-dir; the oldest go.',
    fallback: '3',
    parse: (text: string) => wholeNumber(text, 1, SNAPSHOTS_MAX),
  },
  restore: {
    placeholder: 'FILE',
    help: `A snapshot that the node begins with, unless its -data-dir has records already. With -join
      each record goes to its owner, once the node is a member.`,
    fallback: undefined,
    parse: (text: string) => text,
  },
  'log-format': {
    placeholder: LOG_FORMATS.join('|'),
    help: 'How lines of the log are written; text on a terminal, json elsewhere, unless it is given.',
    fallback: undefined,
    parse: (text: string) => oneOf(LOG_FORMATS, text),
  },
  'log-level': {
    placeholder: LOG_LEVELS.join('|'),
    help: 'The lowest level that is logged.',
    fallback: 'info',
    parse: (text: string) => oneOf(LOG_LEVELS, text),
  },
  'log-requests': {
    placeholder: 'true|false',
    help: 'Logs a line for each request.',
    fallback: 'false',
    isSwitch: true,
    parse: (text: string) => oneOf(['true', 'false'], text) === 'true',
  },
  engine: {
    placeholder: 'memory|valkey',
    help: `What holds the records: the memory of this node and its cluster, or the servers of
      -valkey-addr. (redis is another name for valkey.)`,
    fallback: 'memory',
    parse: engine,
  },
  'valkey-addr': {
    placeholder: 'HOST:PORT',
    help: `The address of a Valkey or Redis server, 6.2 or newer, single or of a cluster; the others
      of a cluster are found through it.`,
    fallback: undefined,
    repeatable: true,
    parse: (text: string) => text.split(',').map(reachableAddress),
  },
  'valkey-user': {
    placeholder: 'NAME',
    help: 'The user to log in as at the servers.',
    fallback: undefined,
    parse: (text: string) => text,
  },
  'valkey-password-file': {
    placeholder: 'FILE',
    help: 'The file that holds the password; a line end at its end is left out.',
    fallback: undefined,
    parse: (text: string) => text,
  },
  'valkey-password': {
    placeholder: 'TEXT',
    help: 'The password, in the environment; it is no flag, because ps shows flags to everyone.',
    fallback: undefined,
    isSecret: true,
    parse: (text: string) => text,
  },
  'valkey-db': {
    placeholder: 'N',
    help: 'The number of the database at a single server.',
    fallback: '0',
    parse: (text: string) => wholeNumber(text, 0, 999_999),
  },
  'valkey-prefix': {
    placeholder: 'TEXT',
    help: 'Stands before every key at the servers, so that they can hold other things too.',
    fallback: '',
    parse: prefix,
  },
  'valkey-accessed': {
    placeholder: 'exact|lazy',
    help: `Whether each load notes its time at the server, or only one in a minute for a record,
      which spares most writes.`,
    fallback: 'exact',
    parse: (text: string) => oneOf<'exact' | 'lazy'>(['exact', 'lazy'], text),
  },
  'valkey-tls-ca': {
    placeholder: 'FILE',
    help: 'The certificates, in PEM form, that sign those of the servers; with it the connections use TLS.',
    fallback: undefined,
    parse: (text: string) => text,
  },
  'valkey-tls-cert': {
    placeholder: 'FILE',
    help: 'The certificate, in PEM form, by which this node shows the servers who it is.',
    fallback: undefined,
    parse: (text: string) => text,
  },
  'valkey-tls-key': {
    placeholder: 'FILE',
    help: 'The private key of -valkey-tls-cert, in PEM form.',
    fallback: undefined,
    parse: (text: string) => text,
  },
} as const satisfies Record<string, Flag<unknown>>;

export type Config = FlagValues<typeof FLAGS>;

function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined)
    throw new Error(`it takes HOST:PORT, such as ${formatAddress(EXAMPLE)}`);
  return parsed;
}

/** An address that can be dialled, which one for every interface cannot. */
function reachableAddress(text: string): Address {
  const parsed = address(text);
  if (isUnspecified(parsed) || parsed.port === 0) {
    throw new Error('it takes an address that other nodes can reach');
  }
  return parsed;
}

/** An origin as browsers write it in the `Origin` header. */
function origin(text: string): string {
  if (text === '*' || (URL.canParse(text) && new URL(text).origin === text)) return text;
  throw new Error('it takes * or an origin such as https://example.com, without a path');
}

const EXAMPLE: Address = { host: '127.0.0.1', port: 2373 };

function oneOf<Name extends string>(names: readonly Name[], text: string): Name {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new Error(`it takes ${names.join(', ')}`);
  return found;
}

function engine(text: string): 'memory' | 'valkey' {
  const name = oneOf(['memory', 'valkey', 'redis'], text);
  return name === 'redis' ? 'valkey' : name;
}

/** A hash tag in a prefix would put all keys into one slot. */
function prefix(text: string): Key {
  const bytes = keyFromText(text);
  if (bytes === undefined || bytes.length > VALKEY_PREFIX_BYTES_MAX || /[{}]/.test(text)) {
    throw new Error(`it takes up to ${VALKEY_PREFIX_BYTES_MAX} bytes of UTF-8 without braces`);
  }
  return bytes;
}

/** What every engine makes use of. (`-server-addr` is for peers, but the image sets it.) */
const SHARED_FLAGS: ReadonlySet<string> = new Set<keyof Config>([
  'server-addr',
  'client-addr',
  'tls-key',
  'tls-cert',
  'auth-file',
  'max-value-size',
  'cors-origin',
  'log-format',
  'log-level',
  'log-requests',
  'engine',
]);

/**
 * Refuses flags that mean nothing to the engine that is chosen: to leave them out in silence would let
 * somebody believe that they hold.
 *
 * @throws UsageError that names the flag.
 */
export function checkEngine(config: Config): void {
  const flags = Object.keys(FLAGS) as (keyof Config)[];
  const isValkey = config.engine === 'valkey';
  for (const name of flags) {
    if (SHARED_FLAGS.has(name) || name.startsWith('valkey-') === isValkey) continue;
    const { fallback, parse } = FLAGS[name];
    const usual = fallback === undefined ? undefined : parse(fallback);
    if (config[name] === usual) continue;
    throw new UsageError(`-${name} has no meaning with -engine ${config.engine}`);
  }
  if (isValkey && config['valkey-addr'] === undefined) {
    throw new UsageError('-engine valkey needs -valkey-addr');
  }
}

/** Milliseconds from a duration. */
function milliseconds(text: string, min: number, max: number): number {
  const found = Number(parseDuration(text) ?? -1n) / 1e6;
  if (found < min || found > max) throw new Error(`it takes a duration of ${min}ms to ${max}ms`);
  return found;
}

function wholeNumber(text: string, min: number, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (value < min || value > max) throw new Error(`it takes a number from ${min} to ${max}`);
  return value;
}

/** Units of 1,000 (`kb`) and of 1,024 (`kib`) are different units. */
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** Bytes from a number and a unit. */
function size(text: string, min: number, max: number): number {
  const [, digits, unit = ''] = /^(\d{1,15})([a-z]*)$/.exec(text.toLowerCase()) ?? [];
  const scale = Object.hasOwn(SIZE_UNITS, unit) ? SIZE_UNITS[unit] : undefined;
  if (digits === undefined || scale === undefined) {
    throw new Error('it takes a whole number with b, kb, mb, gb, kib, mib or gib, such as 512mib');
  }
  const bytes = Number(digits) * scale;
  if (bytes < min || bytes > max) throw new Error(`it takes ${min} to ${max} bytes`);
  return bytes;
}
