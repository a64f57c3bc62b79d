/** `POST /v1/keys/{key}/append`: adds elements to the end of a list. */

import { failure } from '../base/errors.ts';
import { kindOf } from '../base/json/scan.ts';
import { asKept, type ByteRange } from '../record/reply.ts';
import type { Pointer } from '../record/request.ts';
import { decode, documentForm, pointerOf, ttlOf } from './document.ts';
import { servingDocument } from './serve.ts';

/** `{"values": [1, 2], "pointer": "/log", "max_length": 100, "expire_time": "60s"}` */
interface Append {
  readonly values: ByteRange;
  readonly pointer: Pointer;
  readonly maxLength: number | undefined;
  readonly ttlNs: bigint | undefined;
}

const APPEND_DOCUMENT = documentForm<Append>(
  'Append',
  (body, [values, pointer, maxLength, expireTime]) => {
    if (values === undefined || kindOf(body, values.start) !== 'array') {
      return failure('MALFORMED_BODY', 'the body has no list "values"');
    }
    const place = pointerOf(body, pointer);
    if (typeof place !== 'string') return place;
    const ttlNs = ttlOf(body, expireTime);
    if (typeof ttlNs === 'object') return ttlNs;
    const most = maxLength && decode(body, maxLength);
    if (maxLength !== undefined && !(Number.isSafeInteger(most) && Number(most) > 0)) {
      return failure('INVALID_PARAMETER', 'max_length is a whole number from 1 on');
    }
    const range = asKept({ bytes: body, start: values.start, end: values.end });
    return { values: range, pointer: place, maxLength: most as number | undefined, ttlNs };
  },
);

/** Appends, and answers the record. */
export const appendToRecord = servingDocument(APPEND_DOCUMENT, (key, append, terms) => {
  return { action: 'append', key, ...terms, ...append };
});
