// Pages of keys: bounded in keys, bytes and time; each says where the next one starts.
import { expect, test } from 'vitest';

import { keyFromText, type Key } from '../base/key.ts';
import { PEER_PAGE_BYTES_MAX } from '../base/limits.ts';
import { Scheduler, type Lane } from '../base/scheduler.ts';
import type { ListPiece } from '../record/lister.ts';
import { FieldReader } from './fields.ts';
import { FrameReader, FrameWriter, ProtocolError, type Frame } from './frame.ts';
import {
  collectPage,
  PAGE_QUERY_BYTES_MAX,
  pageBytesMax,
  readPage,
  readPageQuery,
  writePage,
  writePageQuery,
  type KeyPage,
  type PageQuery,
} from './page.ts';

const lane = (): Lane => new Scheduler().enter('peer') as Lane;
const keyOf = (text: string): Key => keyFromText(text) as Key;
const never = (): boolean => false;

/** Pieces without keys, and how many of them were asked for. */
function* barren(count: number, asked: { pieces: number }): Generator<ListPiece> {
  for (let n = 1; n <= count; n++) {
    asked.pieces++;
    yield { keys: [], next: { partition: n, hash: 7 } };
  }
}

test('a page that takes long is answered with what was found and where it goes on', async () => {
  const asked = { pieces: 0 };
  const page = await collectPage(barren(9, asked), 10, lane(), () => asked.pieces === 4);
  expect(page).toEqual({ status: 'page', keys: [], next: { partition: 4, hash: 7 } });
});

test('however late it is, a page gets on by one piece', async () => {
  const page = await collectPage(barren(9, { pieces: 0 }), 10, lane(), () => true);
  expect(page.next).toEqual({ partition: 1, hash: 7 });
});

test('the end of a list is an end', async () => {
  const page = await collectPage(barren(9, { pieces: 0 }), 10, lane(), never);
  expect(page).toEqual({ status: 'page', keys: [], next: undefined });
});

test('a page is full at its limit and at its bytes, and goes on behind its last key', async () => {
  const keys = Array.from({ length: 40 }, (_, n) => keyOf(`${n}`.padEnd(4000, 'x')));
  const pieces = [{ keys, next: { partition: 1, hash: 0 } }];
  const three = await collectPage(pieces, 3, lane(), never);
  expect(three).toEqual({ status: 'page', keys: keys.slice(0, 3), next: 'after' });
  const long = await collectPage(pieces, 1000, lane(), never);
  expect(long.next).toBe('after');
  expect(pageBytesMax(long)).toBeLessThan(PEER_PAGE_BYTES_MAX + 16);
});

test('nothing is collected for a peer that has gone', async () => {
  const asked = { pieces: 0 };
  const gone = new Scheduler().enter('peer', () => true) as Lane;
  await collectPage(barren(9, asked), 10, gone, never);
  expect(asked.pieces).toBe(0);
});

function frameOf(bytesMax: number, write: (to: FrameWriter) => void): Frame {
  const writer = new FrameWriter();
  writer.begin('listReply', 1, bytesMax);
  write(writer);
  expect(writer.end()).toBeLessThanOrEqual(9 + bytesMax);
  const reader = new FrameReader();
  for (const buffer of writer.take()) reader.push(buffer);
  return reader.next(true)!;
}

const longest = keyOf('k'.repeat(4096));
const queries: PageQuery[] = [
  { prefix: keyOf(''), limit: 1 },
  { prefix: longest, after: longest, limit: 10_000 },
  { prefix: longest, limit: 5, from: { partition: 65_535, hash: 2 ** 32 - 1 } },
];

test.each(queries)('a query comes out as it went in', (query) => {
  const frame = frameOf(PAGE_QUERY_BYTES_MAX, (to) => writePageQuery(to, query));
  expect(readPageQuery(new FieldReader(frame))).toEqual({
    after: undefined,
    from: undefined,
    ...query,
  });
});

const pages: KeyPage[] = [
  { status: 'page', keys: [], next: undefined },
  { status: 'page', keys: [keyOf('a'), longest], next: 'after' },
  { status: 'page', keys: [], next: { partition: 3, hash: 2 ** 32 - 1 } },
];

test.each(pages)('a page comes out as it went in', (page) => {
  const frame = frameOf(pageBytesMax(page), (to) => writePage(to, page));
  expect(readPage(frame)).toEqual(page);
});

test('a page that cannot go on is refused', () => {
  for (const bytes of [[1], [2, 0, 0], [3]]) {
    const frame = frameOf(9, (to) => bytes.forEach((byte) => to.u8(byte)));
    expect(() => readPage(frame)).toThrow(ProtocolError);
  }
});
