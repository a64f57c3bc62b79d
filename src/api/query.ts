/** The query part of a request target. */

import { failure, type Failure } from '../base/errors.ts';
import { keyFromPath, keyText } from '../base/key.ts';

/**
 * Reads `name=value&…`, as browsers write it (a plus is a space). A name that is not in `names`, or
 * is there twice, is refused: a misspelt parameter that is ignored is found too late.
 */
export function parseQuery<Name extends string>(
  query: string,
  names: readonly Name[],
): Partial<Record<Name, string>> | Failure {
  const parameters: Partial<Record<Name, string>> = {};
  if (query === '') return parameters;
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
    if (name in parameters) return failure('INVALID_PARAMETER', `${name} is given twice`);
    const value = keyFromPath(equals < 0 ? '' : pair.slice(equals + 1).replaceAll('+', ' '));
    if (value === undefined) {
      return failure('INVALID_PARAMETER', `${name} is not percent-encoded UTF-8`);
    }
    parameters[name] = keyText(value);
  }
  return parameters;
}
