import { expect, test } from 'vitest';

import { finish } from '../base/json/scan.ts';
import { keyFromText } from '../base/key.ts';
import { select } from './part.ts';

const key = keyFromText('k')!;

/** What `select` finds in `value`, which stands in the middle of other bytes, or the failure's code. */
function selected(value: string, part: number | string): string {
  const bytes = Buffer.from(`[[${value}]]`);
  const slice = { bytes, start: 2, end: bytes.length - 2 };
  const found =
    typeof part === 'number'
      ? finish(select({ action: 'index', key, index: part }, slice))
      : finish(select({ action: 'item', key, item: part }, slice));
  return 'code' in found ? found.code : found.bytes.toString('utf8', found.start, found.end);
}

test.each([
  ['[1.0, "b" , {"c": [ ]}]', 0, '1.0'],
  ['[1.0, "b" , {"c": [ ]}]', 1, '"b"'],
  ['[1.0, "b" , {"c": [ ]}]', 2, '{"c": [ ]}'],
  ['[1]', 1, 'INDEX_OUT_OF_RANGE'],
  ['[]', 0, 'INDEX_OUT_OF_RANGE'],
  ['[1]', Infinity, 'INDEX_OUT_OF_RANGE'],
  ['{"0": 1}', 0, 'WRONG_TYPE'],
  ['"abc"', 0, 'WRONG_TYPE'],
  ['null', 0, 'WRONG_TYPE'],
  ['1', 0, 'WRONG_TYPE'],
  ['{"a": 1e400, "b": 2}', 'a', '1e400'],
  ['{"a": 1, "a": 2}', 'a', '2'],
  ['{"": null}', '', 'null'],
  [String.raw`{"\u00e9": true}`, 'é', 'true'],
  ['{"__proto__": 1}', '__proto__', '1'],
  ['{"a": 1}', '__proto__', 'ITEM_NOT_FOUND'],
  ['{"a": {"b": 1}}', 'b', 'ITEM_NOT_FOUND'],
  ['["a"]', 'a', 'WRONG_TYPE'],
  ['null', 'a', 'WRONG_TYPE'],
])('of %s the part %j is %s', (value, part, expected) => {
  expect(selected(value, part)).toBe(expected);
});
