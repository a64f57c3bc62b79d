import fc from 'fast-check';
import { expect, test } from 'vitest';

import { CONTROL_BYTES_MAX, FRAME_BYTES_MAX, PART_BYTES_MAX } from '../base/limits.ts';
import { FieldReader } from './fields.ts';
import { FrameReader, FrameWriter, ProtocolError, type FrameKind } from './frame.ts';

interface Sent {
  readonly kind: FrameKind;
  readonly id: number;
  readonly body: Uint8Array;
}

function bytesOf(frames: readonly Sent[]): Buffer {
  const writer = new FrameWriter();
  for (const { kind, id, body } of frames) {
    writer.begin(kind, id, body.length);
    writer.copy({ bytes: Buffer.from(body), start: 0, end: body.length });
    writer.end();
  }
  return Buffer.concat(writer.take());
}

function* read(reader: FrameReader): Generator<Sent> {
  for (let frame = reader.next(true); frame !== undefined; frame = reader.next(true)) {
    const { kind, id, bytes, start, end } = frame;
    yield { kind, id, body: Uint8Array.from(bytes.subarray(start, end)) };
  }
}

function summary({ kind, id, body }: Sent): string {
  return `${kind} ${id} ${Buffer.from(body).toString('base64')}`;
}

const frames = fc.array(
  fc.record({
    kind: fc.constantFrom<FrameKind>('hello', 'state', 'request', 'reply'),
    id: fc.nat(2 ** 32 - 1),
    // Up to what no buffer of the writer's usual size holds.
    body: fc
      .nat(PART_BYTES_MAX)
      .map((length) => Uint8Array.from({ length }, (_, at) => at * length)),
  }),
  { maxLength: 6 },
);

test('frames come out as they went in, however the bytes are cut', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(200_000), { maxLength: 8 }), (sent, cuts) => {
      const bytes = bytesOf(sent);
      const ends = [...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length];
      const reader = new FrameReader();
      const got: Sent[] = [];
      let start = 0;
      for (const end of ends.toSorted((a, b) => a - b)) {
        reader.push(bytes.subarray(start, end));
        got.push(...read(reader));
        start = end;
      }
      expect(got.map(summary)).toEqual(sent.map(summary));
    }),
    { numRuns: 60 },
  );
});

test('what was taken from a writer does not change when more is written', () => {
  const writer = new FrameWriter();
  const taken: [Buffer, string][] = [];
  for (let n = 0; n < 5000; n++) {
    writer.begin('request', n, 64);
    writer.latin1(`frame ${n}`);
    writer.end();
    if (n % 3 === 0)
      taken.push(...writer.take().map((b): [Buffer, string] => [b, b.toString('hex')]));
  }
  for (const [buffer, before] of taken) expect(buffer.toString('hex')).toBe(before);
});

function header(length: number, kind: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt32LE(length);
  bytes[4] = kind;
  return bytes;
}

const badHeaders: [string, Buffer][] = [
  ['a giant frame', header(0xffffffff, 5)],
  ['a frame longer than any value', header(FRAME_BYTES_MAX + 6, 5)],
  ['a giant hello', header(CONTROL_BYTES_MAX + 6, 1)],
  ['a beat with a body', header(6, 4)],
  ['an empty part', header(5, 10)],
  ['an unknown kind', header(5, 99)],
  ['a frame shorter than its own header', header(4, 5)],
];

test.each(badHeaders)('%s is refused by its header alone', (_, bytes) => {
  const reader = new FrameReader();
  reader.push(bytes);
  expect(() => reader.next(true)).toThrow(ProtocolError);
});

test('a part is handed out as it comes, however it is cut, and what follows it is found', () => {
  const body = Uint8Array.from({ length: 40_000 }, (_, at) => at);
  const bytes = bytesOf([
    { kind: 'part', id: 7, body },
    { kind: 'request', id: 8, body: body.subarray(0, 3) },
  ]);
  for (const size of [1, 9, 17, 18, 19, 1000, 65_536]) {
    const reader = new FrameReader();
    const got: Sent[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      reader.push(bytes.subarray(at, at + size));
      got.push(...read(reader));
    }
    expect(reader.isPartial).toBe(false);
    const last = got.pop()!;
    expect([last.id, last.body.length]).toEqual([8, 3]);
    expect(new Set(got.map(({ kind, id }) => `${kind} ${id}`))).toEqual(new Set(['part 7']));
    expect(Buffer.concat(got.map((part) => part.body)).equals(body)).toBe(true);
  }
});

test('before its hello a peer may say no more than that, and is refused by the header alone', () => {
  for (const kind of [2, 5, 7, 10, 11]) {
    const reader = new FrameReader();
    reader.push(header(500, kind));
    expect(() => reader.next(false)).toThrow(/before its hello/);
  }
});

test('a field beyond the end of its frame is refused', () => {
  const bytes = Buffer.from('0123456789');
  const reads: ((from: FieldReader) => unknown)[] = [
    (from) => from.u8(),
    (from) => from.u16(),
    (from) => from.u32(),
    (from) => from.u64(),
    (from) => from.f64(),
    (from) => from.latin1(1),
    (from) => from.utf8(0xffffffff),
    (from) => from.range(1),
  ];
  for (const readField of reads) {
    expect(() => readField(new FieldReader({ bytes, start: 3, end: 3 }))).toThrow(ProtocolError);
  }
});
