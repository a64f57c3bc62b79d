/** Putting a value at a place inside another, and taking one out. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import type { Range } from '../base/json/range.ts';
import { Children, kindOf, OVER, PAUSE, type Pace, type Steps } from '../base/json/scan.ts';
import { follow, survey, tokensOf, type Site, type Token } from './pointer.ts';
import type { ByteRange } from './reply.ts';
import type { Pointer } from './request.ts';
import { Removals, textOf, type Splice } from './splice.ts';

/**
 * How a value is put where one may be: `add` moves the elements of a list on (RFC 6902 §4.1), `set`
 * replaces what is there, `replace` does that only where something is.
 */
export type Mode = 'add' | 'set' | 'replace';

/** The splices that put `value` at `pointer` in `text`. */
export function* put(
  text: ByteRange,
  pointer: Pointer,
  value: ByteRange,
  mode: Mode,
  pace: Pace,
): Steps<Splice[] | Failure> {
  const site = yield* siteOf(text, pointer, pace);
  if (site === undefined) return [{ start: text.start, end: text.end, texts: [value] }];
  if (isFailure(site)) return site;
  const { kind, found, length } = site;
  const isInsert = kind === 'array' && mode === 'add';
  if (found !== undefined) {
    if (!isInsert) return [{ ...found, texts: [value] }];
    return [{ start: found.start, end: found.start, texts: [value, COMMA] }];
  }
  const { index } = site.token;
  const isAtEnd = index === Infinity || (isInsert && index === length);
  if (mode === 'replace' || (kind === 'array' && !isAtEnd)) return nowhere(pointer);
  return [insertLast(site, kind === 'object' ? named(site.token, value) : [value])];
}

/** The splice that adds a child after all others. */
export function insertLast(
  { lastEnd, length }: Pick<Site, 'lastEnd' | 'length'>,
  texts: readonly ByteRange[],
): Splice {
  return { start: lastEnd, end: lastEnd, texts: length === 0 ? texts : [COMMA, ...texts] };
}

/** The splices that take out what is at `pointer`: an element, or all members of that name. */
export function* remove(text: ByteRange, pointer: Pointer, pace: Pace): Steps<Splice[] | Failure> {
  const site = yield* siteOf(text, pointer, pace);
  if (site === undefined) {
    return failure('TARGET_NOT_FOUND', 'the whole of a value cannot be removed from it');
  }
  if (isFailure(site)) return site;
  if (site.found === undefined) return nowhere(pointer);
  const children = new Children(text.bytes, site.container, pace);
  const removals = new Removals();
  let position = 0;
  for (let next = children.next(); next !== OVER; next = children.next()) {
    if (next === PAUSE) {
      yield;
      continue;
    }
    const isObject = site.kind === 'object';
    const isGone = isObject ? children.isNamed(site.token.name) : position === site.token.index;
    const { start } = isObject ? children.name : children.value;
    removals.add(start, children.value.end, isGone);
    if (!isObject && position++ > site.token.index!) break;
  }
  return removals.finish();
}

/** The failure of a change at a place that is not there. */
export function nowhere(pointer: Pointer): Failure {
  return failure('TARGET_NOT_FOUND', `there is nothing at ${JSON.stringify(pointer)}`);
}

/** Where the last step of a pointer leads from; undefined for the whole of the text. */
function* siteOf(
  text: ByteRange,
  pointer: Pointer,
  pace: Pace,
): Steps<(Site & { readonly token: Token }) | Failure | undefined> {
  const tokens = tokensOf(pointer);
  const token = tokens.pop();
  if (token === undefined) return undefined;
  const container: Range | undefined = yield* follow(text, tokens, pace);
  if (container === undefined) return nowhere(pointer);
  const site = yield* survey(text.bytes, container, token, pace);
  if (site === undefined || (site.kind === 'array' && token.index === undefined)) {
    const kind = kindOf(text.bytes, container.start);
    const detail = `there is no ${JSON.stringify(token.text)} in a value of the type ${kind}`;
    return failure('TARGET_NOT_FOUND', detail);
  }
  return { ...site, token };
}

const COMMA = textOf(',');

function named({ text }: Token, value: ByteRange): ByteRange[] {
  return [textOf(`${JSON.stringify(text)}:`), value];
}
