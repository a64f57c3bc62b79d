/** Listing the keys of several members, one member after the other. */

import { failure, isFailure, type Failure } from '../errors.ts';
import type { Key } from '../key.ts';
import { PAGE_KEYS_MAX } from '../limits.ts';
import type { Lister } from '../store/request.ts';
import { Link } from './link.ts';

/** Where a listing stands: at a key of a member. */
export interface Position {
  readonly member: string;
  readonly key: Key;
}

/** Which keys to list. */
export interface MemberQuery {
  /** Those of the node that is asked, or those of all members. */
  readonly scope: 'node' | 'cluster';
  /** Only keys that start with these bytes; empty for all. */
  readonly prefix: Key;
  /** Only what comes after this in the order of the listing. */
  readonly after: Position | undefined;
}

/** Some keys of one member. */
export interface MemberSlice {
  readonly member: string;
  readonly keys: readonly Key[];
}

/** The store of this node, or a link to another. */
export type MemberLister = Lister | Link;

/**
 * Lists the members in the order given. A member that cannot be listed ends the listing with a
 * failure, before the first key if that is known by then: no list is ever silently shorter.
 */
export async function* listMembers(
  members: ReadonlyMap<string, MemberLister>,
  { prefix, after }: MemberQuery,
): AsyncGenerator<MemberSlice | Failure> {
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
      for await (const keys of pages(lister, prefix, from)) {
        yield isFailure(keys) ? keys : { member, keys };
        if (isFailure(keys)) return;
      }
    } else {
      for await (const keys of lister.list({ prefix, after: from })) yield { member, keys };
    }
  }
}

/** The pages of one member, each asked for when it is needed. */
async function* pages(
  link: Link,
  prefix: Key,
  from: Key | undefined,
): AsyncGenerator<readonly Key[] | Failure> {
  const life = lifeOf(link);
  for (let after = from; ; ) {
    // A member that has restarted meanwhile has lost the keys that are still to be listed.
    if (life === undefined || lifeOf(link) !== life) {
      yield unreachable(link.address);
      return;
    }
    const page = await link.list({ prefix, after, limit: PAGE_KEYS_MAX });
    if (page.status === 'failed') {
      yield page;
      return;
    }
    yield page.keys;
    if (!page.hasMore) return;
    after = page.keys.at(-1);
  }
}

/** The id of the node that a link leads to now. */
function lifeOf({ status }: Link): string | undefined {
  return status.kind === 'up' ? status.peer.id : undefined;
}

function unreachable(member: string): Failure {
  return failure('OWNER_UNAVAILABLE', `the member ${member} is not reachable or has restarted`);
}
