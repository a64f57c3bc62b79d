/** Keys as clients name them. */

import { failure, type Failure } from '../base/errors.ts';
import { keyFromPath, type Key } from '../base/key.ts';
import { KEY_BYTES_MAX } from '../base/limits.ts';

/** The key that a path segment names. */
export function keyOf(segment: string): Key | Failure {
  const key = keyFromPath(segment);
  if (key === undefined) return failure('INVALID_KEY', 'the key is not percent-encoded UTF-8');
  return checkKey(key);
}

/** Refuses a key that is too short or too long. */
export function checkKey(key: Key): Key | Failure {
  if (key.length > 0 && key.length <= KEY_BYTES_MAX) return key;
  const found = key.length === 0 ? 'none' : `${key.length}`;
  return failure('INVALID_KEY', `a key has 1 to ${KEY_BYTES_MAX} bytes, this one has ${found}`);
}
