/** Listing the keys of several members, one member after the other. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyFromText, type Key } from '../base/key.ts';
import { KEY_BYTES_MAX, PAGE_KEYS_MAX } from '../base/limits.ts';
import type { Fence } from '../peer/fence.ts';
import { Link } from '../peer/link.ts';
import type { PageQuery } from '../peer/page.ts';
import type { KeyGroup, ListQuery } from '../record/engine.ts';
import type { KeyQuery, Lister } from '../record/lister.ts';

/** This node: its store, and the id that tells its lives apart where it keeps nothing on disk. */
interface OwnLister extends Lister {
  readonly id: string;
  /** Why the list cannot go on: the members are others by now. */
  readonly obstacle: () => Failure | undefined;
}

/** The store of this node, or a link to another. */
export type MemberLister = OwnLister | Link;

/**
 * Lists the members in the order given. A member that cannot be listed ends the listing with a
 * failure, before the first key if that is known by then: no list is ever silently shorter. What it lists
 * is pinned to one topology; keys that move to another member meanwhile end it.
 */
export async function* listMembers(
  members: ReadonlyMap<string, MemberLister>,
  { prefix, cursor }: Pick<ListQuery, 'prefix' | 'cursor'>,
  fence: Fence,
): AsyncGenerator<KeyGroup | Failure> {
  const after = cursor === undefined ? undefined : positionOf(cursor, members, fence);
  if (after !== undefined && isFailure(after)) {
    yield after;
    return;
  }
  const addresses = [...members.keys()];
  const listed = addresses.slice(after === undefined ? 0 : addresses.indexOf(after.member));
  const down = listed.find((member) => idOf(members.get(member)!) === undefined);
  if (down !== undefined) {
    yield unreachable(down);
    return;
  }
  for (const member of listed) {
    const lister = members.get(member)!;
    const from = member === after?.member ? after.key : undefined;
    const query = { prefix, after: from };
    const groups = lister instanceof Link ? pages(lister, query, fence) : ownKeys(lister, query);
    const { epoch } = fence;
    const id = idOf(lister) ?? '';
    for await (const keys of groups) {
      if (isFailure(keys)) {
        yield keys;
        return;
      }
      yield { keys, cursorAfter: (key) => encodeCursor({ epoch, member, id, key }) };
    }
  }
}

/** Where a list stands: at a key of a member, by one topology. */
interface Position {
  readonly epoch: number;
  readonly member: string;
  /** The id of the member, as far as {@link ID_CHARS}. */
  readonly id: string;
  readonly key: Key;
}

/** How much of an id a cursor tells. */
const ID_CHARS = 8;

/** Where a cursor stands, if that is a place in this list. */
function positionOf(
  cursor: string,
  members: ReadonlyMap<string, MemberLister>,
  { epoch }: Fence,
): Position | Failure {
  const position = decodeCursor(cursor);
  if (position === undefined) return invalid('it is not one that a page gave out');
  if (position.epoch !== epoch) return invalid('the members of the cluster are others by now');
  const lister = members.get(position.member);
  if (lister === undefined) return invalid(`it is of ${position.member}, which is not listed here`);
  const id = idOf(lister);
  if (id === undefined || id.startsWith(position.id)) return position;
  return invalid(`${position.member} has restarted since`);
}

function invalid(why: string): Failure {
  return failure('INVALID_PARAMETER', `cursor leads nowhere, list from the start: ${why}`);
}

function decodeCursor(cursor: string): Position | undefined {
  const text = Buffer.from(cursor, 'base64url').toString();
  const [, number, member, id, rest] = /^(\d+) ([^ ]+) ([\da-f]+) (.+)$/s.exec(text) ?? [];
  const key = rest === undefined ? undefined : keyFromText(rest);
  if (member === undefined || id === undefined || key === undefined) return undefined;
  const position = { epoch: Number(number), member, id, key };
  const isExact = key.length <= KEY_BYTES_MAX && encodeCursor(position) === cursor;
  return isExact ? position : undefined;
}

function encodeCursor({ epoch, member, id, key }: Position): string {
  const text = `${epoch} ${member} ${id.slice(0, ID_CHARS)} ${key}`;
  return Buffer.from(text, 'latin1').toString('base64url');
}

/** The keys of this node, as long as they stay here. */
async function* ownKeys(
  lister: OwnLister,
  query: KeyQuery,
): AsyncGenerator<readonly Key[] | Failure> {
  for await (const keys of lister.list(query)) {
    const obstacle = lister.obstacle();
    yield obstacle ?? keys;
    if (obstacle !== undefined) return;
  }
  const obstacle = lister.obstacle();
  if (obstacle !== undefined) yield obstacle;
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
    if (page.next === undefined) break;
    at = page.next === 'after' ? { after: page.keys.at(-1) } : { from: page.next };
  }
  // It may have given keys away while it made the last page; by the same topology it has not.
  const check = await link.list({ prefix, ...at, limit: 1 }, fence);
  if (check.status !== 'page') yield check.status === 'failed' ? check : moved(link.address);
}

/** The id of a member; undefined while it is not reachable. */
function idOf(lister: MemberLister): string | undefined {
  return lister instanceof Link ? lifeOf(lister) : lister.id;
}

/** The id of the node that a link leads to now. */
function lifeOf({ status }: Link): string | undefined {
  return status.kind === 'up' ? status.peer.id : undefined;
}

function moved(member: string): Failure {
  return failure('OWNER_UNAVAILABLE', `keys of the member ${member} move to another just now`);
}

function unreachable(member: string): Failure {
  return failure('OWNER_UNAVAILABLE', `the member ${member} is not reachable or has restarted`);
}
