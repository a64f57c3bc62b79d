// Every field at its bounds, within them and past them: what one end sends the other takes, and what the
// other would refuse is never sent.
import { expect, test } from 'vitest';

import { DETAIL_CHARS_MAX } from '../base/limits.ts';
import { failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import { NO_META, type ByteRange, type Reply } from '../record/reply.ts';
import type { Request } from '../record/request.ts';
import { BOUNDS, isTtl, isWithin, unsendable, type Field } from './bounds.ts';
import { FieldReader } from './fields.ts';
import { FrameWriter, ProtocolError } from './frame.ts';
import {
  readReply,
  readRequest,
  replyBytesMax,
  requestBytesMax,
  writeReply,
  writeRequest,
} from './wire.ts';

const key = 'key' as Key;
const text = (length: number): string => 'x'.repeat(length);
const bytes = (length: number): ByteRange => ({
  bytes: Buffer.alloc(length, 49),
  start: 0,
  end: length,
});
const json = bytes(1);

/** Requests in which a field is a number or has a length of so much. */
const withField: Partial<Record<Field, ((value: number) => Request)[]>> = {
  keyBytes: [(n) => ({ action: 'load', key: text(n) as Key })],
  valueBytes: [
    (n) => ({ action: 'store', key, value: bytes(n), ttlNs: 0n }),
    (n) => ({ action: 'store', key, value: bytes(n), pointer: '' }),
    (n) => ({ action: 'patch', key, format: 'json', patch: bytes(n) }),
    (n) => ({ action: 'append', key, pointer: '', values: bytes(n) }),
  ],
  itemBytes: [(n) => ({ action: 'item', key, item: text(n) })],
  versions: [
    (n) => ({ action: 'delete', key, condition: { ifMatch: Array(n).fill('1.1') } }),
    (n) => ({ action: 'expire', key, ttlNs: 1n, condition: { ifNoneMatch: Array(n).fill('1.1') } }),
  ],
  versionBytes: [(n) => ({ action: 'load', key, condition: { ifMatch: [text(n)] } })],
  requestIdBytes: [(n) => ({ action: 'load', key, names: { request: text(n) } })],
  traceBytes: [
    (n) => ({
      action: 'load',
      key,
      names: { request: '1', trace: 'a'.repeat(n - 17), span: 'b'.repeat(16) },
    }),
  ],
  index: [(n) => ({ action: 'index', key, index: n })],
  listLength: [(n) => ({ action: 'append', key, pointer: '', values: json, maxLength: n })],
  pointerBytes: [
    (n) => ({ action: 'load', key, pointer: pointerOf(n) }),
    (n) => ({ action: 'store', key, value: json, pointer: pointerOf(n) }),
    (n) => ({
      action: 'increment',
      key,
      pointer: pointerOf(n),
      by: '1',
      initial: '0',
      expire: 'always',
    }),
  ],
  numberBytes: [
    (n) => ({
      action: 'increment',
      key,
      pointer: '',
      by: digits(n),
      initial: '0',
      expire: 'created',
    }),
    (n) => ({
      action: 'increment',
      key,
      pointer: '',
      by: '1',
      initial: digits(n),
      expire: 'always',
    }),
    (n) => ({
      action: 'increment',
      key,
      pointer: '',
      by: '1',
      initial: '0',
      max: digits(n),
      expire: 'always',
    }),
  ],
};

const digits = (length: number): string => '1'.repeat(length);

/** A pointer of so many bytes, of characters of three where there may be no more characters. */
function pointerOf(length: number): string {
  if (length === 0) return '';
  const wide = length > 4096 ? Math.floor((length - 1) / 3) : 0;
  return `/${'€'.repeat(wide)}${text(length - 1 - 3 * wide)}`;
}

function bodyOf(bytesMax: number, write: (to: FrameWriter) => void): FieldReader {
  const writer = new FrameWriter(bytesMax);
  writer.begin('request', 1, bytesMax);
  write(writer);
  writer.end();
  const [frame] = writer.take();
  return new FieldReader({ bytes: frame!, start: 9, end: frame!.length });
}

function sent(request: Request): Request {
  const from = bodyOf(requestBytesMax(request), (to) => writeRequest(to, request));
  const got = readRequest(from);
  from.done();
  return got;
}

const fields = Object.entries(withField).flatMap(([field, makers]) =>
  makers.map((make, at): [string, Field, (value: number) => Request] => [
    `${field} (${at + 1})`,
    field as Field,
    make,
  ]),
);

test.each(fields)('%s: what is within its bounds is sent and taken', (_, field, make) => {
  const { least, most } = BOUNDS[field];
  const between = [least + 1, Math.floor(most / 2), most - 4].filter((n) => n > least && n < most);
  for (const value of [least, ...between, most]) {
    // Not every length is one of a pointer: the longest has one byte and characters of three.
    const request = make(field === 'pointerBytes' && value > most - 4 ? most - 2 : value);
    expect(unsendable(request)).toBeUndefined();
    expect(sent(request).action).toBe(request.action);
  }
});

test.each(fields)(
  '%s: what is past its bounds is not sent, and would be refused',
  (_, field, make) => {
    const { least, most } = BOUNDS[field];
    const past = [most + 1, ...(least > 0 ? [least - 1] : [])];
    for (const value of past) {
      const request = make(value);
      expect(unsendable(request)).toBe(BOUNDS[field].name);
      expect(() => sent(request)).toThrow(ProtocolError);
    }
  },
);

test('numbers that are no whole numbers are not sent', () => {
  for (const index of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    expect(isWithin(BOUNDS.index, index)).toBe(false);
    expect(unsendable({ action: 'index', key, index })).toBe('index');
    expect(() => sent({ action: 'index', key, index })).toThrow(ProtocolError);
  }
});

const store = (ttlNs: bigint): Request => ({ action: 'store', key, value: json, ttlNs });

test('a time to live is sent up to its bound, and not past it', () => {
  for (const ttlNs of [0n, 1n, 2n ** 63n - 1n]) {
    expect(isTtl(ttlNs)).toBe(true);
    expect(sent(store(ttlNs))).toMatchObject({ ttlNs });
  }
  expect(unsendable(store(2n ** 63n))).toBe('time to live');
  expect(() => sent(store(2n ** 63n))).toThrow(ProtocolError);
  expect(unsendable(store(-1n))).toBe('time to live');
});

function answered(reply: Reply): Reply {
  const from = bodyOf(replyBytesMax(reply), (to) => writeReply(to, reply));
  return readReply(from, { id: '', addr: '' });
}

test('whatever a failure quotes, its detail is taken by the other end', () => {
  for (const quoted of ['x', '€', '😀', '\ud800']) {
    const reply = failure('ITEM_NOT_FOUND', quoted.repeat(2_000_000));
    expect(reply.detail.length).toBeLessThanOrEqual(DETAIL_CHARS_MAX);
    expect(answered(reply)).toMatchObject({ code: 'ITEM_NOT_FOUND' });
  }
  const short = failure('ITEM_NOT_FOUND', 'x'.repeat(DETAIL_CHARS_MAX));
  expect(answered(short)).toEqual(short);
});

function madeAt(createdAt: number): Reply {
  const meta = { ...NO_META, createdAt };
  return { status: 'unchanged', node: { id: '', addr: '' }, meta };
}

test('the numbers of a meta are taken up to their bound, and not past it', () => {
  const most = BOUNDS.metaNumber.most;
  expect(answered(madeAt(most))).toMatchObject({ meta: { createdAt: most } });
  expect(() => answered(madeAt(most + 1))).toThrow(ProtocolError);
});
