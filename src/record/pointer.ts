/** JSON pointers (RFC 6901): places inside a value. */

import { failure, type Failure } from '../base/errors.ts';
import { nameBytes } from '../base/json/name.ts';
import { POINTER_CHARS_MAX } from '../base/limits.ts';
import type { Pointer } from './request.ts';

/** One step of a pointer: into an object by name, into a list by position. */
export interface Token {
  readonly name: Uint8Array;
  /** Undefined if it cannot be a position, Infinity for the one after the last (`-`). */
  readonly index: number | undefined;
}

/**
 * The pointer that a text is.
 *
 * @example checkPointer('/users/0/a~1b') // the member "a/b" of the first of "users"
 * @returns INVALID_POINTER if it is none.
 */
export function checkPointer(text: string): Pointer | Failure {
  if (text.length > POINTER_CHARS_MAX) {
    return failure('INVALID_POINTER', `a pointer has at most ${POINTER_CHARS_MAX} characters`);
  }
  if (text !== '' && !text.startsWith('/')) {
    return failure('INVALID_POINTER', 'a pointer is empty or begins with a slash');
  }
  if (/~(?![01])/.test(text)) {
    return failure('INVALID_POINTER', 'in a pointer ~ is written ~0, and a slash in a name ~1');
  }
  if (/\p{Surrogate}/u.test(text)) {
    return failure('INVALID_POINTER', 'a pointer has no lone surrogates');
  }
  return text;
}

/** The steps of a pointer that {@link checkPointer} has accepted. */
export function tokensOf(pointer: Pointer): Token[] {
  return pointer.split('/').slice(1).map(tokenOf);
}

function tokenOf(escaped: string): Token {
  const name = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
  return { name: nameBytes(name), index: indexOf(name) };
}

/** Positions have no zeros in front (RFC 6901 §4). */
function indexOf(name: string): number | undefined {
  if (name === '-') return Infinity;
  return /^(0|[1-9]\d*)$/.test(name) ? Number(name) : undefined;
}
