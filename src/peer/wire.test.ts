import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Key } from '../base/key.ts';
import type { RequestNames } from '../base/request-names.ts';
import type { Meta, NodeRef, Reply, ByteRange } from '../record/reply.ts';
import type { Condition, Request } from '../record/request.ts';
import { FieldReader } from './fields.ts';
import { FrameReader, FrameWriter, ProtocolError } from './frame.ts';
import {
  readReply,
  readRequest,
  replyBytesMax,
  requestBytesMax,
  writeReply,
  writeRequest,
} from './wire.ts';

const node: NodeRef = { id: 'id', addr: 'a:1' };

const keys = fc
  .string({
    unit: fc.nat(255).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 4096,
  })
  .map((text) => text as Key);
const slices = fc
  .uint8Array({ minLength: 1, maxLength: 200 })
  .map((bytes): ByteRange => ({ bytes: Buffer.from(bytes), start: 0, end: bytes.length }));
const ttls = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const versions = fc.option(
  fc.oneof(fc.constant<'*'>('*'), fc.array(fc.stringMatching(/^[!#-~]{0,30}$/), { maxLength: 64 })),
  { nil: undefined },
);
const conditions = fc
  .record({ ifMatch: versions, ifNoneMatch: versions })
  .map((condition): Condition | undefined =>
    condition.ifMatch === undefined && condition.ifNoneMatch === undefined ? undefined : condition,
  );
const times = fc.nat(Number.MAX_SAFE_INTEGER);
const metas: fc.Arbitrary<Meta> = fc.record({
  index: times,
  ttlNs: ttls,
  accessedAt: times,
  createdAt: times,
  updatedAt: times,
});
const pointers = fc
  .array(fc.string({ unit: 'grapheme' }), { maxLength: 5 })
  .map((names) => names.map((name) => `/${name.replaceAll(/[~/]/g, '')}`).join(''));
const optionalTtls = fc.option(ttls, { nil: undefined });
const numbers = fc.oneof(fc.bigInt().map(String), fc.constantFrom('0', '-0.50', '1e3'));
const optionalNumbers = fc.option(numbers, { nil: undefined });
const edits: fc.Arbitrary<Request> = fc.oneof(
  fc.record({
    action: fc.constant('load' as const),
    key: keys,
    condition: conditions,
    pointer: pointers,
  }),
  fc.record({
    action: fc.constant('store' as const),
    key: keys,
    condition: conditions,
    pointer: pointers,
    ttlNs: optionalTtls,
    value: slices,
  }),
  fc.record({
    action: fc.constant('delete' as const),
    key: keys,
    condition: conditions,
    pointer: pointers,
  }),
  fc.record({
    action: fc.constant('patch' as const),
    key: keys,
    condition: conditions,
    ttlNs: optionalTtls,
    format: fc.constantFrom('merge' as const, 'json' as const),
    patch: slices,
  }),
  fc.record({
    action: fc.constant('increment' as const),
    key: keys,
    condition: conditions,
    ttlNs: optionalTtls,
    expire: fc.constantFrom('created' as const, 'always' as const),
    pointer: pointers,
    by: numbers,
    initial: numbers,
    min: optionalNumbers,
    max: optionalNumbers,
  }),
  fc.record({
    action: fc.constant('append' as const),
    key: keys,
    condition: conditions,
    ttlNs: optionalTtls,
    pointer: pointers,
    maxLength: fc.option(fc.integer({ min: 1 }), { nil: undefined }),
    values: slices,
  }),
  fc.record({
    action: fc.constant('expire' as const),
    key: keys,
    condition: conditions,
    ttlNs: ttls,
  }),
);
const requests: fc.Arbitrary<Request> = fc.oneof(
  edits,
  fc.record({ action: fc.constant('load' as const), key: keys, condition: conditions }),
  fc.record({ action: fc.constant('delete' as const), key: keys, condition: conditions }),
  fc.record({
    action: fc.constant('store' as const),
    key: keys,
    condition: conditions,
    ttlNs: ttls,
    value: slices,
  }),
  fc.record({ action: fc.constant('index' as const), key: keys, index: times }),
  fc.record({
    action: fc.constant('item' as const),
    key: keys,
    item: fc.string({ unit: 'grapheme' }),
  }),
);
const replies: fc.Arbitrary<Reply> = fc.oneof(
  fc.record({
    status: fc.constant('ok' as const),
    node: fc.constant(node),
    meta: metas,
    value: slices,
  }),
  fc.record({ status: fc.constant('unchanged' as const), node: fc.constant(node), meta: metas }),
  fc.record({
    status: fc.constant('ok' as const),
    node: fc.constant(node),
    meta: metas,
    value: fc.constant(undefined),
  }),
  fc.record({
    status: fc.constant('failed' as const),
    code: fc.constantFrom('KEY_NOT_FOUND' as const, 'PRECONDITION_FAILED' as const),
    detail: fc.string({ unit: 'grapheme' }),
  }),
  fc.record({
    status: fc.constant('failed' as const),
    code: fc.constant('PRECONDITION_FAILED' as const),
    detail: fc.string({ unit: 'grapheme' }),
    version: fc.constantFrom('3zcsl-qbglm-1', '0-0-1-0a1b2c3d4e'),
  }),
);

/** The body of the one frame that `write` writes. */
function bodyOf(bytesMax: number, write: (to: FrameWriter) => void): ByteRange {
  const writer = new FrameWriter();
  writer.begin('request', 1, bytesMax);
  write(writer);
  expect(writer.end()).toBeLessThanOrEqual(9 + bytesMax);
  const reader = new FrameReader();
  for (const buffer of writer.take()) reader.push(buffer);
  return reader.next(true)!;
}

function copy({ bytes, start, end }: ByteRange): number[] {
  return [...bytes.subarray(start, end)];
}

/** With values copied out, to be compared. */
function plain(message: Request | Reply): unknown {
  const copied = Object.entries(message).map(([name, field]) =>
    typeof field === 'object' && field !== null && 'bytes' in field
      ? [name, copy(field)]
      : [name, field],
  );
  return Object.fromEntries(copied);
}

test('a request comes out as it went in', () => {
  fc.assert(
    fc.property(requests, (request) => {
      const body = bodyOf(requestBytesMax(request), (to) => writeRequest(to, request));
      const from = new FieldReader(body);
      expect(plain(readRequest(from))).toEqual(plain(request));
      from.done();
    }),
  );
});

test('a reply comes out as it went in', () => {
  fc.assert(
    fc.property(replies, (reply) => {
      const body = bodyOf(replyBytesMax(reply), (to) => writeReply(to, reply));
      expect(plain(readReply(new FieldReader(body), node))).toEqual(plain(reply));
    }),
  );
});

test('bytes that are no request or reply are refused, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      const body = { bytes: Buffer.from(bytes), start: 0, end: bytes.length };
      for (const read of [readRequest, (from: FieldReader) => readReply(from, node)]) {
        expect(failureOf(() => read(new FieldReader(body)))).toEqual(
          expect.toSatisfy((error) => error === undefined || error instanceof ProtocolError),
        );
      }
    }),
    { numRuns: 2000 },
  );
});

function failureOf(attempt: () => unknown): unknown {
  try {
    attempt();
    return undefined;
  } catch (error) {
    return error;
  }
}

const NAMES: RequestNames = { request: 'a-1', trace: 'a'.repeat(32), span: 'b'.repeat(16) };

function bytesOf(request: Request): Buffer {
  const writer = new FrameWriter();
  writer.begin('request', 1, requestBytesMax(request));
  writeRequest(writer, request);
  writer.end();
  return Buffer.concat(writer.take()).subarray(9);
}

function readBack(bytes: Buffer): Request {
  return readRequest(new FieldReader({ bytes, start: 0, end: bytes.length }));
}

test('names travel with a request, with a trace or without; one that has none is no byte longer', () => {
  const load: Request = {
    action: 'load',
    key: 'k' as Key,
    condition: undefined,
    pointer: undefined,
  };
  const bare = bytesOf(load);
  expect(bare[0]).toBe(1);
  for (const names of [NAMES, { request: 'x' }]) {
    const named = bytesOf({ ...load, names });
    expect(readBack(named)).toEqual({ ...load, names });
    const traceBytes = 'trace' in names ? 49 : 0;
    expect(named.length - bare.length).toBe(2 + names.request.length + traceBytes);
  }
});

test.each([
  { ...NAMES, request: 'two\nlines' },
  { ...NAMES, trace: '0'.repeat(32) },
  { ...NAMES, span: 'B'.repeat(16) },
])('the names %j are refused', (names) => {
  const bytes = bytesOf({ action: 'index', key: 'k' as Key, index: 1, names });
  expect(() => readBack(bytes)).toThrow(ProtocolError);
});
