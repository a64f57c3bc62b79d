/** Access: what the bearer of a token may do, and with which keys. */

import { hash, randomBytes } from 'node:crypto';

import { failure, type Failure } from '../base/errors.ts';
import { keyFromText, keyText, type Key } from '../base/key.ts';
import { KEY_BYTES_MAX, TOKENS_MAX, TOKEN_NAME_CHARS_MAX } from '../base/limits.ts';

/** What a route may ask for: reading records, changing them, changing the cluster. */
export const RIGHTS = ['read', 'write', 'admin'] as const;

export type Right = (typeof RIGHTS)[number];

/** What an entry of the file of tokens says. */
export interface TokenFacts {
  /** What the log calls the bearer. */
  readonly name: string;
  readonly rights: readonly Right[];
  /** Only keys that start with one of these; undefined for all keys. */
  readonly prefixes: readonly Key[] | undefined;
}

/** An entry of the file of tokens. */
interface TokenEntry extends TokenFacts {
  /** The SHA-256 of the token, in hexadecimal: the token itself is nowhere but with its bearer. */
  readonly sha256: string;
}

/** What somebody may do. */
export class Grant {
  readonly name: string;
  readonly #rights: ReadonlySet<Right>;
  readonly #prefixes: readonly Key[] | undefined;

  constructor({ name, rights, prefixes }: TokenFacts) {
    this.name = name;
    this.#rights = new Set(rights);
    this.#prefixes = prefixes;
  }

  /** Why this right is not there, undefined if it is. */
  refusal(right: Right): Failure | undefined {
    if (this.#rights.has(right)) return undefined;
    return failure('FORBIDDEN', `the token ${this.name} has no right to ${right}`);
  }

  /** Why this key may not be touched, undefined if it may. */
  keyRefusal(key: Key): Failure | undefined {
    if (this.covers(key)) return undefined;
    const detail = `the token ${this.name} is for keys with other prefixes than ${keyText(key)}`;
    return failure('FORBIDDEN', detail);
  }

  /** Whether it is for this key. */
  covers(key: Key): boolean {
    return this.#prefixes?.some((prefix) => key.startsWith(prefix)) ?? true;
  }

  /** Whether it is for every key. */
  get coversAll(): boolean {
    return this.#prefixes === undefined;
  }
}

/** What it takes to see what everybody may see. */
export const NOTHING = new Grant({ name: 'nobody', rights: [], prefixes: [] });

/** What everybody has where there are no tokens. */
const EVERYTHING = new Grant({ name: 'anybody', rights: RIGHTS, prefixes: undefined });

/** Headers that are known without hashing them: those of the clients that ask most. */
const KNOWN_MAX = 8;

/** Tells who may do what. */
export class Access {
  /** By the hash of the token. */
  #grants: ReadonlyMap<string, Grant> | undefined;
  readonly #known: { readonly authorization: string; readonly grant: Grant }[] = [];

  /** Without `entries` everybody may do everything. */
  constructor(entries?: readonly TokenEntry[]) {
    this.replace(entries);
  }

  /** Goes by other tokens from now on. */
  replace(entries: readonly TokenEntry[] | undefined): void {
    this.#known.length = 0;
    this.#grants =
      entries && new Map(entries.map((entry) => [entry.sha256, new Grant(entry)] as const));
  }

  /** What the sender of this `Authorization` header may do, or why it may do nothing. */
  grantOf(authorization: string | undefined): Grant | Failure {
    if (this.#grants === undefined) return EVERYTHING;
    if (authorization === undefined) {
      return failure('UNAUTHENTICATED', 'an Authorization header with a bearer token is needed');
    }
    for (const known of this.#known) {
      if (isSame(known.authorization, authorization)) return known.grant;
    }
    return this.#lookUp(authorization);
  }

  #lookUp(authorization: string): Grant | Failure {
    const [, token] = /^bearer +([\w.~+/=-]+)$/i.exec(authorization) ?? [];
    if (token === undefined) {
      return failure('UNAUTHENTICATED', 'the Authorization header is not a bearer token');
    }
    // What is looked up is the hash of what came. How long that takes depends on that hash alone, and
    // nobody can choose a token by its hash: the time tells nothing about the tokens that there are.
    const grant = this.#grants?.get(hashOf(token));
    if (grant === undefined) return failure('UNAUTHENTICATED', 'the token is not known here');
    if (this.#known.unshift({ authorization, grant }) > KNOWN_MAX) this.#known.pop();
    return grant;
  }
}

/** Compares in a time that depends on the lengths alone, not on where two texts differ. */
function isSame(known: string, given: string): boolean {
  if (known.length !== given.length) return false;
  let difference = 0;
  for (let at = 0; at < known.length; at++)
    difference |= known.charCodeAt(at) ^ given.charCodeAt(at);
  return difference === 0;
}

/** Makes a token, and the entry by which it is known. */
export function makeToken(facts: TokenFacts): { token: string; entry: string } {
  // 256 random bits cannot be guessed, so one round of a fast hash is enough.
  const token = `mhd_${randomBytes(32).toString('base64url')}`;
  const { name, rights, prefixes } = facts;
  const shown = prefixes && { prefixes: prefixes.map(keyText) };
  return { token, entry: JSON.stringify({ name, rights, ...shown, sha256: hashOf(token) }) };
}

function hashOf(token: string): string {
  return hash('sha256', token);
}

/**
 * Reads a file of tokens: one JSON object a line; empty lines and those that start with `#` are skipped.
 *
 * @throws Error that names the line and what is wrong with it, and never quotes it.
 */
export function parseTokens(text: string): TokenEntry[] {
  const entries: TokenEntry[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    try {
      entries.push(parseEntry(line));
    } catch (error) {
      throw new Error(`line ${at + 1}: ${(error as Error).message}`, { cause: error });
    }
  }
  if (entries.length === 0) throw new Error('it has no token: nobody could do anything');
  if (entries.length > TOKENS_MAX) throw new Error(`it has more than ${TOKENS_MAX} tokens`);
  for (const field of ['name', 'sha256'] as const) {
    const values = new Set(entries.map((entry) => entry[field]));
    if (values.size < entries.length) throw new Error(`two tokens have the same ${field}`);
  }
  return entries;
}

function parseEntry(line: string): TokenEntry {
  const entry = parseObject(line);
  const { name, rights, prefixes, sha256, ...rest } = entry;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new Error(`there is no ${JSON.stringify(unknown)}`);
  if (typeof sha256 !== 'string' || !/^[\da-f]{64}$/.test(sha256)) {
    throw new Error('sha256 is a hash of 64 hexadecimal digits');
  }
  return {
    name: parseName(name),
    rights: parseRights(rights),
    prefixes: prefixesOf(prefixes),
    sha256,
  };
}

function parseObject(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // The parser's own message quotes the line.
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('it is not a JSON object');
  }
  return value as Record<string, unknown>;
}

/** @throws Error that says what a name is. */
export function parseName(name: unknown): string {
  if (typeof name === 'string' && /^[\w.@-]+$/.test(name) && name.length <= TOKEN_NAME_CHARS_MAX) {
    return name;
  }
  throw new Error(`a name has 1 to ${TOKEN_NAME_CHARS_MAX} letters, digits and . _ @ -`);
}

/** @throws Error that says which rights there are. */
export function parseRights(rights: unknown): Right[] {
  const isRight = (right: unknown): right is Right => RIGHTS.some((known) => known === right);
  if (Array.isArray(rights) && rights.length > 0 && rights.every(isRight)) return rights;
  throw new Error(`rights are ${RIGHTS.join(', ')}, at least one`);
}

function prefixesOf(prefixes: unknown): Key[] | undefined {
  if (prefixes === undefined) return undefined;
  if (Array.isArray(prefixes) && prefixes.length > 0) return prefixes.map(parsePrefix);
  throw new Error('prefixes is a list of texts, at least one, or left out');
}

/** @throws Error that says what a prefix is. */
export function parsePrefix(prefix: unknown): Key {
  const key = typeof prefix === 'string' ? keyFromText(prefix) : undefined;
  if (key !== undefined && key.length > 0 && key.length <= KEY_BYTES_MAX) return key;
  throw new Error(`a prefix is a text of 1 to ${KEY_BYTES_MAX} bytes`);
}
