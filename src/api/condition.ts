/** Entity tags: how versions look in `ETag`, `If-Match` and `If-None-Match` (RFC 9110 §8.8.3). */

import { failure, type Failure } from '../base/errors.ts';
import { ENTITY_TAGS_MAX } from '../base/limits.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Meta } from '../record/reply.ts';
import type { Condition, Versions } from '../record/request.ts';
import { versionOf } from '../record/version.ts';

/** The `ETag` of a record: another one after every store, also of a key that was deleted between. */
export function entityTag(meta: Meta): string {
  return `"${versionOf(meta)}"`;
}

/** The condition that a request's headers state; undefined if they state none. */
export function conditionOf(exchange: Pick<Exchange, 'header'>): Condition | Failure | undefined {
  const match = exchange.header('if-match');
  const noneMatch = exchange.header('if-none-match');
  if (match === undefined && noneMatch === undefined) return undefined;
  const ifMatch = match === undefined ? undefined : parseVersions(match, 'strong');
  const ifNoneMatch = noneMatch === undefined ? undefined : parseVersions(noneMatch, 'weak');
  if (ifMatch === null || ifNoneMatch === null) {
    const expected = `"*" or at most ${ENTITY_TAGS_MAX} entity tags in double quotes`;
    const header = ifMatch === null ? 'If-Match' : 'If-None-Match';
    return failure('INVALID_CONDITION', `${header} takes ${expected}`);
  }
  return { ifMatch, ifNoneMatch };
}

/**
 * The versions in a list of entity tags; null if it is malformed or too long. In a strong
 * comparison a weak tag matches nothing (RFC 9110 §8.8.3.2), so it is left out.
 */
function parseVersions(text: string, comparison: 'strong' | 'weak'): Versions | null {
  if (text.trim() === '*') return '*';
  const versions: string[] = [];
  // Elements may be empty (RFC 9110 §5.6.1.2), so any number of commas stands between two tags.
  const list = text.replace(/^[\t ,]+/, '');
  const element = /(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[\t ]*(?:,[\t ,]*|$)/y;
  for (let tags = 0; tags < ENTITY_TAGS_MAX; tags++) {
    const match = element.exec(list);
    if (match === null) return null;
    if (match[1] === undefined || comparison === 'weak') versions.push(match[2] ?? '');
    if (element.lastIndex === list.length) return versions;
  }
  return null;
}
