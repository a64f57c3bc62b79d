/** Listing the keys of several members, one member after the other. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyFromText, type Key } from '../base/key.ts';
import { KEY_BYTES_MAX, PAGE_KEYS_MAX } from '../base/limits.ts';
import type { Fence } from '../peer/fence.ts';
import { Link } from '../peer/link.ts';
import type { PageQuery } from '../peer/page.ts';
import type { KeyGroup, ListQuery } from '../record/engine.ts';
import type { KeyQuery, Lister } from '../record/lister.ts';

/** The store of this node, or a link to another. */
export type MemberLister = Lister | Link;

/**
 * Lists the members in the order given. A member that cannot be listed ends the listing with a
 * failure, before the first key if that is known by then: no list is ever silently shorter.
 */
export async function* listMembers(
  members: ReadonlyMap<string, MemberLister>,
  { prefix, cursor }: Pick<ListQuery, 'prefix' | 'cursor'>,
  fence: Fence,
): AsyncGenerator<KeyGroup | Failure> {
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  if (after === null) {
    yield failure('INVALID_PARAMETER', 'cursor is not one that a page gave out');
    return;
  }
  const addresses = [...members.keys()];
  const first = after === undefined ? 0 : addresses.indexOf(after.member);
  if (first < 0) {
    yield failure('INVALID_PARAMETER', `cursor is of ${after?.member}, which is not listed here`);
    return;
  }
  for (const member of addresses.slice(first)) {
    const lister = members.get(member)!;
    if (lister instanceof Link && lister.status.kind !== 'up') {
      yield unreachable(member);
      return;
    }
  }
  for (const member of addresses.slice(first)) {
    const lister = members.get(member)!;
    const from = member === after?.member ? after.key : undefined;
    if (lister instanceof Link) {
      for await (const keys of pages(lister, { prefix, after: from }, fence)) {
        yield isFailure(keys) ? keys : groupOf(member, keys);
        if (isFailure(keys)) return;
      }
    } else {
      for await (const keys of lister.list({ prefix, after: from })) yield groupOf(member, keys);
    }
  }
}

/** Where a list stands: at a key of a member. */
interface Position {
  readonly member: string;
  readonly key: Key;
}

function groupOf(member: string, keys: readonly Key[]): KeyGroup {
  return { keys, cursorAfter: (key) => encodeCursor({ member, key }) };
}

/** Where a cursor stands; null if it is not one. */
function decodeCursor(cursor: string): Position | null {
  const [, member, text] =
    /^([^ ]+) (.+)$/s.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  const key = text === undefined ? undefined : keyFromText(text);
  if (member === undefined || key === undefined || key.length > KEY_BYTES_MAX) return null;
  return encodeCursor({ member, key }) === cursor ? { member, key } : null;
}

function encodeCursor({ member, key }: Position): string {
  return Buffer.from(`${member} ${key}`, 'latin1').toString('base64url');
}

/** The pages of one member, each asked for when it is needed. */
async function* pages(
  link: Link,
  { prefix, after }: KeyQuery,
  fence: Fence,
): AsyncGenerator<readonly Key[] | Failure> {
  const life = lifeOf(link);
  let at: Pick<PageQuery, 'after' | 'from'> = { after };
  for (;;) {
    // A member that has restarted meanwhile has lost the keys that are still to be listed.
    if (life === undefined || lifeOf(link) !== life) {
      yield unreachable(link.address);
      return;
    }
    const page = await link.list({ prefix, ...at, limit: PAGE_KEYS_MAX }, fence);
    if (page.status !== 'page') {
      yield page.status === 'failed' ? page : moved(link.address);
      return;
    }
    yield page.keys;
    if (page.next === undefined) return;
    at = page.next === 'after' ? { after: page.keys.at(-1) } : { from: page.next };
  }
}

/** The id of the node that a link leads to now. */
function lifeOf({ status }: Link): string | undefined {
  return status.kind === 'up' ? status.peer.id : undefined;
}

function moved(member: string): Failure {
  return failure('OWNER_UNAVAILABLE', `the member ${member} goes by another topology`);
}

function unreachable(member: string): Failure {
  return failure('OWNER_UNAVAILABLE', `the member ${member} is not reachable or has restarted`);
}
