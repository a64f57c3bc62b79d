/** `POST /v1/keys/{key}/increment`: adds to a number, exactly. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import type { Range } from '../base/json/range.ts';
import { NUMBER_CHARS_MAX } from '../base/limits.ts';
import { isNumber } from '../record/decimal.ts';
import type { IncrementRequest } from '../record/request.ts';
import { decode, documentForm, pointerOf, ttlOf } from './document.ts';
import { servingDocument } from './serve.ts';

/** `{"by": 1, "pointer": "/hits", "initial": 0, "max": 100, "expire_time": "60s", "expire": "created"}` */
type Increment = Omit<IncrementRequest, 'action' | 'key' | 'condition'>;

const INCREMENT_DOCUMENT = documentForm<Increment>(
  'Increment',
  (body, [by, initial, min, max, pointer, expireTime, expire]) => {
    const numbers = numbersOf(body, { by, initial, min, max });
    if (isFailure(numbers)) return numbers;
    const place = pointerOf(body, pointer);
    if (typeof place !== 'string') return place;
    const ttlNs = ttlOf(body, expireTime);
    if (typeof ttlNs === 'object') return ttlNs;
    const when = expire === undefined ? 'created' : decode(body, expire);
    if (when !== 'created' && when !== 'always') {
      return failure('INVALID_PARAMETER', 'expire is "created" or "always"');
    }
    return { ...numbers, pointer: place, ttlNs, expire: when };
  },
);

/** Adds `by`, 1 if nothing is said, and answers the new number. */
export const incrementRecord = servingDocument(INCREMENT_DOCUMENT, (key, increment, terms) => {
  return { action: 'increment', key, ...terms, ...increment };
});

type Numbers = Pick<Increment, 'by' | 'initial' | 'min' | 'max'>;

/** The numbers as they are written, for they may have any number of digits. */
function numbersOf(
  body: Buffer,
  ranges: Record<keyof Numbers, Range | undefined>,
): Numbers | Failure {
  const numbers: { -readonly [Name in keyof Numbers]: string | undefined } = {
    by: '1',
    initial: '0',
  };
  for (const name of ['by', 'initial', 'min', 'max'] as const) {
    const range = ranges[name];
    if (range === undefined) continue;
    const isLong = range.end - range.start > NUMBER_CHARS_MAX;
    const text = isLong ? '' : body.toString('latin1', range.start, range.end);
    if (!isNumber(text)) return failure('INVALID_NUMBER', `${name} is a number, not too long`);
    numbers[name] = text;
  }
  return numbers as Numbers;
}
