import fc from 'fast-check';
import { expect, test } from 'vitest';

import { isFailure } from '../base/errors.ts';
import {
  INDEX_DOCUMENT,
  ITEM_DOCUMENT,
  parseIndex,
  readSmallDocument,
  STORE_DOCUMENT,
} from './document.ts';

/** What a body stores: its value as text and its time to live, or the code of its failure. */
function stored(body: string | Buffer): [string, bigint] | string {
  const document = readSmallDocument(STORE_DOCUMENT, Buffer.from(body));
  if (isFailure(document)) return document.code;
  const { bytes, start, end } = document.value;
  return [bytes.toString('utf8', start, end), document.ttlNs ?? 0n];
}

/** A body that nests `depth` arrays and objects. */
function nested(depth: number): string {
  return `{"data":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
}

test.each([
  ['{"data":1}', '1', 0n],
  [' {\n"data" :\t1.0e+0 } \r\n', '1.0e+0', 0n],
  ['{"data": null}', 'null', 0n],
  ['{"data": {"b" : 1, "a":[ ]}}', '{"b" : 1, "a":[ ]}', 0n],
  ['{"expire_time": "1m30s", "data": ""}', '""', 90_000_000_000n],
  ['{"data": 1, "expire_time": "0s"}', '1', 0n],
  ['{"data": 1, "expire_time": "2562047h47m16.854775807s"}', '1', 2n ** 63n - 1n],
  ['{"other": {"data": 3}, "data": 2, "Data": 4}', '2', 0n],
  ['{"data": 1, "data": 2}', '2', 0n],
  [String.raw`{"\u0064ata": "\u00e9\/"}`, String.raw`"\u00e9\/"`, 0n],
  ['{"data": "é😀"}', '"é😀"', 0n],
])('%s stores %s for %i ns', (body, value, ttlNs) => {
  expect(stored(body)).toEqual([value, ttlNs]);
});

test.each([
  ['', 'MALFORMED_BODY'],
  [' ', 'MALFORMED_BODY'],
  ['{', 'MALFORMED_BODY'],
  ['{"data": 1', 'MALFORMED_BODY'],
  ['{"data": 1} {}', 'MALFORMED_BODY'],
  ['{"data": 01}', 'MALFORMED_BODY'],
  ["{'data': 1}", 'MALFORMED_BODY'],
  ['{"data": NaN}', 'MALFORMED_BODY'],
  ['{}', 'MALFORMED_BODY'],
  ['{"Data": 1}', 'MALFORMED_BODY'],
  ['[{"data": 1}]', 'MALFORMED_BODY'],
  ['null', 'MALFORMED_BODY'],
  ['"data"', 'MALFORMED_BODY'],
  ['\ufeff{"data": 1}', 'MALFORMED_BODY'],
  [Buffer.from('{"data": "\xff"}', 'latin1'), 'MALFORMED_BODY'],
  [Buffer.from('{"data": 1}', 'utf16le'), 'MALFORMED_BODY'],
  ['{"data": 1, "expire_time": "10x"}', 'INVALID_EXPIRE_TIME'],
  ['{"data": 1, "expire_time": 10}', 'INVALID_EXPIRE_TIME'],
  ['{"data": 1, "expire_time": ""}', 'INVALID_EXPIRE_TIME'],
  ['{"data": 1, "expire_time": null}', 'INVALID_EXPIRE_TIME'],
  ['{"data": 1, "expire_time": "-1s"}', 'INVALID_EXPIRE_TIME'],
  ['{"data": 1, "expire_time": "2562047h47m16.854775808s"}', 'INVALID_EXPIRE_TIME'],
  ['{"data": 1, "expire_time": "0.5ns"}', 'INVALID_EXPIRE_TIME'],
  ['{"data": 1, "expire_time": "-0.1ns"}', 'INVALID_EXPIRE_TIME'],
  ['{"data": 1, "expire_time": "0.0000001us"}', 'INVALID_EXPIRE_TIME'],
])('%s is refused: %s', (body, code) => {
  expect(stored(body)).toBe(code);
});

test('a body nests 512 arrays and objects, its own object counted, and no more', () => {
  expect(stored(nested(512))).toHaveLength(2);
  expect(stored(nested(513))).toBe('NESTED_TOO_DEEPLY');
  expect(stored(nested(200_000))).toBe('NESTED_TOO_DEEPLY');
});

test('any JSON text is stored byte for byte', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'grapheme' }), fc.nat(2), (json, indent) => {
      const value = JSON.stringify(JSON.parse(json), null, indent);
      expect(stored(`{"data": ${value} }`)).toEqual([value, 0n]);
    }),
  );
});

test.each([
  ['0', 0],
  ['12', 12],
  ['9007199254740993', 9007199254740991],
  ['9'.repeat(300), 9007199254740991],
])('%s is the index %i', (text, index) => {
  expect(parseIndex(text)).toBe(index);
  expect(readSmallDocument(INDEX_DOCUMENT, Buffer.from(`{"index": ${text}}`))).toBe(index);
});

test.each(['-1', '1.5', '"1"', 'null', '[]', 'true'])('%s is no index', (text) => {
  expect(parseIndex(text)).toMatchObject({ code: 'INVALID_INDEX' });
  const body = Buffer.from(`{"index": ${text}}`);
  expect(readSmallDocument(INDEX_DOCUMENT, body)).toMatchObject({ code: 'INVALID_INDEX' });
});

test('a body without an index or an item is refused', () => {
  expect(readSmallDocument(INDEX_DOCUMENT, Buffer.from('{}'))).toMatchObject({
    code: 'INVALID_INDEX',
  });
  expect(readSmallDocument(ITEM_DOCUMENT, Buffer.from('{}'))).toMatchObject({
    code: 'INVALID_ITEM',
  });
  expect(readSmallDocument(ITEM_DOCUMENT, Buffer.from('[]'))).toMatchObject({
    code: 'MALFORMED_BODY',
  });
});

test.each([
  ['"user"', 'user'],
  ['""', ''],
  [String.raw`"\u00e9\n"`, 'é\n'],
])('%s is the item %j', (text, item) => {
  expect(readSmallDocument(ITEM_DOCUMENT, Buffer.from(`{"item": ${text}}`))).toBe(item);
});

test.each(['1', 'null', '["user"]', `"${'x'.repeat(16_385)}"`])('%s is no item', (text) => {
  const body = Buffer.from(`{"item": ${text}}`);
  expect(readSmallDocument(ITEM_DOCUMENT, body)).toMatchObject({ code: 'INVALID_ITEM' });
});
