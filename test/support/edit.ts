/** Edits of values, told as texts. */

import { isFailure } from '../../src/base/errors.ts';
import { finish } from '../../src/base/json/scan.ts';
import { keyFromText } from '../../src/base/key.ts';
import { edit } from '../../src/record/edit.ts';
import type { ByteRange } from '../../src/record/reply.ts';
import type { EditRequest } from '../../src/record/request.ts';

/** An edit without its key. */
type Part<R> = R extends unknown ? Omit<R, 'key'> : never;
export type Edit = Part<EditRequest>;

const key = keyFromText('k')!;

/** JSON text in the middle of other bytes. */
export function inside(text: string): ByteRange {
  const bytes = Buffer.from(`[[${text}]]`);
  return { bytes, start: 2, end: bytes.length - 2 };
}

export function textAt({ bytes, start, end }: ByteRange): string {
  return bytes.toString('utf8', start, end);
}

/** What an edit makes of a text, and what its answer shows; or the code of its failure. */
export function outcomeOf(
  text: string | undefined,
  request: Edit,
  bytesMax = 2 ** 24,
): { value: string; shown: string | undefined } | string {
  const value = text === undefined ? undefined : inside(text);
  const outcome = finish(edit({ ...request, key }, value, bytesMax));
  if (isFailure(outcome)) return outcome.code;
  return { value: textAt(outcome.value), shown: outcome.shown && textAt(outcome.shown) };
}

/** What an edit makes of a text, or the code of its failure. */
export function edited(text: string | undefined, request: Edit, bytesMax?: number): string {
  const outcome = outcomeOf(text, request, bytesMax);
  return typeof outcome === 'string' ? outcome : outcome.value;
}

export const jsonPatchOf = (patch: string): Edit => ({
  action: 'patch',
  format: 'json',
  patch: inside(patch),
});

export const mergePatchOf = (patch: string): Edit => ({
  action: 'patch',
  format: 'merge',
  patch: inside(patch),
});
