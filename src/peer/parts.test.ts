// Large frames in parts: whole again at the other end, whatever goes between, and bounded there.
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { Budget } from '../base/budget.ts';
import { FRAME_BYTES_MAX, PART_BYTES_MAX } from '../base/limits.ts';
import { FrameReader, FrameWriter, ProtocolError, type Frame } from './frame.ts';
import { PartReader, PartWriter } from './parts.ts';

const MIB = 1024 * 1024;

/** A whole frame as a writer makes it, of a body of so many bytes that all say its number. */
function large(id: number, bodyBytes: number): readonly Buffer[] {
  const writer = new FrameWriter(bodyBytes);
  writer.begin('reply', id, bodyBytes);
  writer.copy({ bytes: Buffer.alloc(bodyBytes, id), start: 0, end: bodyBytes });
  writer.end();
  return writer.take();
}

/** All that waits in a writer, as the other end reads it. */
function* partsOf(writer: PartWriter): Generator<Frame> {
  const reader = new FrameReader();
  for (let part = writer.next(); part !== undefined; part = writer.next()) {
    for (const buffer of part.buffers) reader.push(buffer);
    for (let frame = reader.next(true); frame !== undefined; frame = reader.next(true)) yield frame;
  }
}

test('what is cut comes out as it went in, and every byte of the budgets is given back', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(4 * PART_BYTES_MAX), { maxLength: 12 }), (sizes) => {
      const [outgoing, incoming] = [new Budget(64 * MIB), new Budget(64 * MIB)];
      const writer = new PartWriter(outgoing);
      for (const [id, bytes] of sizes.entries()) writer.add(id, large(id, bytes));
      const reader = new PartReader(incoming);
      const got = new Map<number, number>();
      for (const part of partsOf(writer)) {
        const { frame, isWhole } = reader.take(part);
        if (!isWhole) continue;
        expect(frame.bytes.every((byte) => byte === frame.id)).toBe(true);
        got.set(frame.id, frame.end);
      }
      expect([...got].toSorted((a, b) => a[0] - b[0])).toEqual([...sizes.entries()]);
      expect([outgoing.takenBytes, incoming.takenBytes, writer.unsentBytes]).toEqual([0, 0, 0]);
    }),
    { numRuns: 50 },
  );
});

test('a large frame that comes last is done while an earlier and larger one is under way', () => {
  const writer = new PartWriter(new Budget(64 * MIB));
  writer.add(1, large(1, 8 * MIB));
  writer.add(2, large(2, 2 * PART_BYTES_MAX));
  const reader = new PartReader(new Budget(64 * MIB));
  const done: number[] = [];
  for (const part of partsOf(writer)) {
    const { frame, isWhole } = reader.take(part);
    if (isWhole) done.push(frame.id);
  }
  expect(done).toEqual([2, 1]);
});

test('a frame for which there is no room fails alone, without its body', () => {
  const writer = new PartWriter(new Budget(64 * MIB));
  writer.add(1, large(1, 3 * MIB));
  writer.add(2, large(2, MIB));
  const reader = new PartReader(new Budget(3 * MIB));
  const done: unknown[] = [];
  for (const part of partsOf(writer)) {
    const { frame, isWhole } = reader.take(part);
    if (isWhole) done.push([frame.id, frame.end, frame.isDropped]);
  }
  expect(done).toEqual([
    [2, 0, true],
    [1, 3 * MIB, false],
  ]);
});

test('what is given up gives back its room', () => {
  const [outgoing, incoming] = [new Budget(64 * MIB), new Budget(64 * MIB)];
  const writer = new PartWriter(outgoing);
  writer.add(1, large(1, 3 * MIB));
  const reader = new PartReader(incoming);
  reader.take(partsOf(writer).next().value as Frame);
  expect(incoming.takenBytes).toBe(3 * MIB);
  writer.close();
  reader.close();
  expect([outgoing.takenBytes, incoming.takenBytes]).toEqual([0, 0]);
});

/** A part of the frame `number` with this body. */
function partOf(number: number, body: Buffer): Frame {
  return { kind: 'part', id: number, bytes: body, start: 0, end: body.length };
}

function header(kind: number, length: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt32LE(length);
  bytes[4] = kind;
  return bytes;
}

const hostile: [string, Buffer[]][] = [
  ['too short for a header', [Buffer.alloc(8)]],
  ['of a kind that is never large', [header(1, 500)]],
  ['a part of a part', [header(10, 500)]],
  ['longer than any frame', [header(5, FRAME_BYTES_MAX + 6)]],
  ['shorter than its header', [header(5, 4)]],
  ['of an unknown kind', [header(99, 500)]],
  ['beyond its end', [header(5, 10), Buffer.alloc(6)]],
  ['empty', [header(5, 10), Buffer.alloc(0)]],
];

test.each(hostile)('a part %s is refused', (_, bodies) => {
  const reader = new PartReader(new Budget(64 * MIB));
  const takeAll = (): void => {
    for (const body of bodies) reader.take(partOf(1, body));
  };
  expect(takeAll).toThrow(ProtocolError);
});

test('more large frames at once than a writer sends are refused', () => {
  const reader = new PartReader(new Budget(FRAME_BYTES_MAX * 8));
  const begin = (number: number): unknown => reader.take(partOf(number, header(5, 500)));
  for (const number of [1, 2, 3, 4]) begin(number);
  expect(() => begin(5)).toThrow(ProtocolError);
});
