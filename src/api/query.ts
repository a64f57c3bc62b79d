/** The query part of a request target. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyFromPath, keyText } from '../base/key.ts';

const NONE = Object.freeze({});

/**
 * Reads `name=value&…`, as browsers write it (a plus is a space). A name that is not in `names`, or
 * is there twice, is refused: a misspelt parameter that is ignored is found too late.
 */
export function parseQuery<Name extends string>(
  query: string,
  names: readonly Name[],
): Partial<Record<Name, string>> | Failure {
  if (query === '') return NONE;
  const parameters: Partial<Record<Name, string>> = {};
  const pairs = parsePairs(query, names);
  if (isFailure(pairs)) return pairs;
  for (const [name, value] of pairs) {
    if (name in parameters) return failure('INVALID_PARAMETER', `${name} is given twice`);
    parameters[name] = value;
  }
  return parameters;
}

/** As {@link parseQuery}, for names that may be there several times: in the order in which they are. */
export function parsePairs<Name extends string>(
  query: string,
  names: readonly Name[],
): [Name, string][] | Failure {
  const pairs: [Name, string][] = [];
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const written = equals < 0 ? pair : pair.slice(0, equals);
    const name = names.find((known) => known === written);
    if (name === undefined) {
      const list = names.join(', ') || 'none';
      const hint = 'a question mark in a key is written %3F';
      return failure('INVALID_PARAMETER', `the parameters here are ${list} (${hint})`);
    }
    const value = keyFromPath(equals < 0 ? '' : pair.slice(equals + 1).replaceAll('+', ' '));
    if (value === undefined) {
      return failure('INVALID_PARAMETER', `${name} is not percent-encoded UTF-8`);
    }
    pairs.push([name, keyText(value)]);
  }
  return pairs;
}
