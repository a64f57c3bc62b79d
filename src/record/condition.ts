/** Conditional requests: whether the record, as it is now, lets a request go on (RFC 9110 §13). */

import { failure, type Failure } from '../base/errors.ts';
import { keyText } from '../base/key.ts';
import type { Meta } from './reply.ts';
import type { Condition, Request, Versions } from './request.ts';
import { versionOf } from './version.ts';

/** Whether the current version, `undefined` for no record, is among those listed. */
function matches(versions: Versions, current: string | undefined): boolean {
  if (current === undefined) return false;
  return versions === '*' || versions.includes(current);
}

/**
 * Which part of a condition, if any, does not hold for a record; `meta` is undefined where there is
 * none. `ifMatch` comes first (RFC 9110 §13.2.2).
 */
export function brokenCondition(
  condition: Condition | undefined,
  meta: Meta | undefined,
): keyof Condition | undefined {
  if (condition === undefined) return undefined;
  const current = meta && versionOf(meta);
  if (condition.ifMatch !== undefined && !matches(condition.ifMatch, current)) return 'ifMatch';
  if (condition.ifNoneMatch !== undefined && matches(condition.ifNoneMatch, current)) {
    return 'ifNoneMatch';
  }
  return undefined;
}

/** The failure of a request whose condition does not hold. */
export function preconditionFailed(request: Request, meta: Meta | undefined): Failure {
  const current = meta === undefined ? 'does not exist' : `is at version "${versionOf(meta)}"`;
  const key = keyText(request.key);
  const detail = `unable to ${request.action} ${key} key, ${key} ${current}`;
  const failed = failure('PRECONDITION_FAILED', detail);
  return meta === undefined ? failed : { ...failed, version: versionOf(meta) };
}
