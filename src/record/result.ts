/** What a value may become by a change: bounds on its size and its depth. */

import { failure, type Failure } from '../base/errors.ts';
import { depthOf, type Pace, type Steps } from '../base/json/scan.ts';
import { NESTING_MAX } from '../base/limits.ts';
import type { ByteRange } from './reply.ts';
import type { Pointer } from './request.ts';
import { splicedBytes, type Splice } from './splice.ts';

/** A value is one level below the body that stores it. */
const VALUE_NESTING_MAX = NESTING_MAX - 1;

/** Why `text` may not get `value` at `path` by `splices`, if it may not. */
export function* checkResult(
  text: ByteRange,
  splices: readonly Splice[],
  value: ByteRange,
  path: Pointer,
  bytesMax: number,
  pace: Pace,
): Steps<Failure | undefined> {
  return (
    checkSize(text, splices, bytesMax) ??
    (yield* checkDepth(value, path.split('/').length - 1, pace))
  );
}

/** Why `text` may not become what `splices` make of it, if it would be too large. */
export function checkSize(
  text: ByteRange,
  splices: readonly Splice[],
  bytesMax: number,
): Failure | undefined {
  if (splicedBytes(text, splices) <= bytesMax) return undefined;
  return failure('RESULT_TOO_LARGE', `a value has at most ${bytesMax} bytes`);
}

/** Why `value` may not stand `levels` deep in another, if it may not. */
export function* checkDepth(
  value: ByteRange,
  levels: number,
  pace: Pace,
): Steps<Failure | undefined> {
  // Each level takes two bytes, so small values need no look.
  if (levels + (value.end - value.start) / 2 <= VALUE_NESTING_MAX) return undefined;
  const depth = levels + (yield* depthOf(value.bytes, value, pace));
  if (depth <= VALUE_NESTING_MAX) return undefined;
  return failure('RESULT_TOO_DEEP', `a value nests at most ${VALUE_NESTING_MAX} lists and objects`);
}
