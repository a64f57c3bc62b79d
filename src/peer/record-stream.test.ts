// Streams of records over pipes in memory: everything arrives in order, at the receiver's pace, or is
// known not to have.
import { EventEmitter, once } from 'node:events';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { FakeHost, helloOf } from '../../test/support/fake-host.ts';
import { FakeNetwork } from '../../test/support/fake-network.ts';
import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import { Budget } from '../base/budget.ts';
import { keyFromText, type Key } from '../base/key.ts';
import { NO_META } from '../record/reply.ts';
import { FieldReader } from './fields.ts';
import { FrameReader, FrameWriter, ProtocolError } from './frame.ts';
import type { StreamUser } from './host.ts';
import type { Hello } from './messages.ts';
import { Rate } from './rate.ts';
import { pieceBytesMax, readPiece, writePiece, type RecordPiece } from './record-piece.ts';
import { RecordStream } from './record-stream.ts';
import { Session } from './session.ts';

const MIB = 1024 * 1024;

/** What a receiver has applied, in words. */
class Applied implements StreamUser {
  readonly pieces: string[] = [];
  end: string | undefined;
  /** Set to hold up what is applied. */
  gate: Promise<string | undefined> | undefined;

  onPiece(piece: RecordPiece): string | undefined | Promise<string | undefined> {
    this.pieces.push('key' in piece ? piece.key : piece.kind);
    return this.gate;
  }
  onEnd(isWhole: boolean, reason: string): void {
    this.end = `${isWhole}: ${reason}`;
  }
}

interface Scene {
  readonly timers: SteppedTimers;
  readonly network: FakeNetwork;
  readonly applied: Applied;
  readonly stream: RecordStream;
  readonly closed: string[];
}

/** A stream from node 1 to node 2, which is about to be opened. */
function scene(bytesPerSecond = 1024 * MIB, id = helloOf(2).id): Scene {
  const timers = new SteppedTimers();
  const network = new FakeNetwork(timers, { segmentBytes: 50_000 });
  const budget = (): Budget => new Budget(256 * MIB);
  const options = { timers, incoming: budget(), outgoing: budget(), strangers: budget() };
  const [sender, receiver] = [new FakeHost(helloOf(1)), new FakeHost(helloOf(2))];
  const applied = new Applied();
  receiver.receive = (peer: Hello, about: string) =>
    peer.id === helloOf(1).id && about === 'change 7' ? applied : `not ${about}`;
  const transport = network.transport('node1:1');
  network.transport('node2:1').accept((guest) => {
    if ('reason' in guest) throw new Error(guest.reason);
    void new Session(guest.pipe, {
      ...options,
      host: receiver,
      onAdmitted: nothing,
      onEnd: nothing,
    });
  });
  const closed: string[] = [];
  const stream = new RecordStream(
    { address: 'node2:1', life: id, about: 'change 7' },
    { ...options, host: sender, transport, rate: new Rate(bytesPerSecond, timers) },
    (reason) => closed.push(reason),
  );
  return { timers, network, applied, stream, closed };
}

const nothing = (): void => {};

/** Holds up what is applied until the function is called that this returns. */
function gate(applied: Applied): () => void {
  const events = new EventEmitter();
  applied.gate = once(events, 'open').then(() => undefined);
  return () => void events.emit('open');
}

function put(name: string, bytes: number, cause: 'copy' | 'mirror' = 'copy'): RecordPiece {
  const value = { bytes: Buffer.alloc(bytes, '1'), start: 0, end: bytes };
  const key = keyFromText(name) as Key;
  return { kind: 'put', cause, partition: 3, key, meta: NO_META, value, leftUs: Infinity };
}

test('pieces of any size are applied in the order in which they were sent, and it is known', async () => {
  const { timers, applied, stream } = scene();
  await timers.step(20);
  const sizes = [1, 3 * MIB, 10, 200_000, 5, 70_000, 70_000, 2];
  const sent = sizes.map((bytes, at) => stream.send(put(`key ${at}`, bytes)));
  const ended = stream.end();
  await timers.step(1000);
  expect(await Promise.all(sent)).toEqual(sizes.map(() => true));
  expect(await ended).toBe(true);
  expect(applied.pieces).toEqual(sizes.map((_, at) => `key ${at}`));
  expect(applied.end).toBe('true: the stream has ended');
});

test('a mirror is answered only when it is applied', async () => {
  const { timers, applied, stream } = scene();
  await timers.step(20);
  const open = gate(applied);
  let isDone = false;
  const mirror = stream.send(put('key', 10, 'mirror')).then((ok) => (isDone = ok));
  await timers.step(100);
  expect([applied.pieces.length, isDone]).toEqual([1, false]);
  open();
  await timers.step(100);
  expect(await mirror).toBe(true);
});

test('there is no room before the stream is open, nor while the receiver is behind', async () => {
  const { timers, applied, stream } = scene();
  let rooms = 0;
  const ask = (): void => void Promise.resolve(stream.room()).then((ok) => (rooms += ok ? 1 : 0));
  ask();
  await timers.settle();
  expect(rooms).toBe(0);
  await timers.step(20);
  expect(rooms).toBe(1);
  const open = gate(applied);
  for (let n = 0; n < 5; n++) stream.copy(put(`key ${n}`, MIB));
  ask();
  await timers.step(1000);
  expect(rooms).toBe(1);
  applied.gate = undefined;
  open();
  await timers.step(1000);
  expect(rooms).toBe(2);
});

test('copies keep to the rate, mirrors do not wait', async () => {
  const { timers, applied, stream } = scene(MIB);
  await timers.step(20);
  let isOver = false;
  const copying = (async () => {
    while (await stream.room()) stream.copy(put('copy', 100_000));
    isOver = true;
  })();
  await timers.step(10_000);
  const copies = applied.pieces.length;
  expect(copies).toBeGreaterThan(90);
  expect(copies).toBeLessThan(115);
  const mirror = stream.send(put('mirror', 10, 'mirror'));
  await timers.step(10);
  expect(await mirror).toBe(true);
  stream.close('enough');
  await timers.step(10_000);
  await copying;
  expect(isOver).toBe(true);
});

test('a receiver that writes outrun is given up, with that reason', async () => {
  const { timers, applied, stream, closed } = scene();
  await timers.step(20);
  applied.gate = new Promise(() => {});
  const sent = Array.from({ length: 70 }, (_, n) => stream.send(put(`key ${n}`, MIB, 'mirror')));
  await timers.step(10);
  expect(new Set(await Promise.all(sent))).toEqual(new Set([false]));
  expect(closed).toEqual(['it does not keep up with what is written here']);
  await timers.step(100);
  expect(applied.end).toMatch(/^false: /);
});

test('a receiver that cannot apply a piece ends the stream with its reason', async () => {
  const { timers, applied, stream, closed } = scene();
  await timers.step(20);
  applied.gate = Promise.resolve('the memory is full');
  const sent = stream.send(put('key', 10));
  await timers.step(100);
  expect(await sent).toBe(false);
  expect(closed).toEqual(['it refuses: the memory is full']);
});

test('a stream to a node that has restarted, is dead or does not want it never opens', async () => {
  const restarted = scene(MIB, helloOf(3).id);
  await restarted.timers.step(100);
  expect(restarted.closed).toEqual(['another life of the node is there']);
  const dead = scene();
  dead.network.kill('node2:1');
  await dead.timers.step(100);
  expect(dead.closed).toEqual(['nobody listens there']);
  expect(await dead.stream.room()).toBe(false);
  expect(await dead.stream.send(put('key', 1))).toBe(false);
});

test('when the sender dies the receiver knows that the stream was not whole', async () => {
  const { timers, network, applied, stream } = scene();
  await timers.step(20);
  void stream.send(put('key', 10));
  await timers.step(20);
  network.kill('node1:1');
  await timers.step(20);
  expect(applied.end).toMatch(/^false: /);
});

const pieces: fc.Arbitrary<RecordPiece> = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    cause: fc.constantFrom('copy' as const, 'mirror' as const),
    partition: fc.nat(65_535),
    key: fc.stringMatching(/^[!-~]{1,40}$/).map((key) => key as Key),
    meta: fc.constant({ ...NO_META, index: 3, ttlNs: 5n, createdAt: 7 }),
    value: fc
      .uint8Array({ minLength: 1, maxLength: 50 })
      .map((bytes) => ({ bytes: Buffer.from(bytes), start: 0, end: bytes.length })),
    leftUs: fc.oneof(fc.constant(Infinity), fc.nat()),
  }),
  fc.record({
    kind: fc.constant('remove' as const),
    cause: fc.constantFrom('delete' as const, 'expire' as const, 'evict' as const),
    partition: fc.nat(65_535),
    key: fc.stringMatching(/^[!-~]{1,40}$/).map((key) => key as Key),
  }),
  fc.record({ kind: fc.constant('mark' as const), text: fc.string({ unit: 'grapheme' }) }),
  fc.constant({ kind: 'end' as const }),
);

/** With its value as text, to be compared. */
function plain(piece: RecordPiece): unknown {
  if (piece.kind !== 'put') return piece;
  const { bytes, start, end } = piece.value;
  return { ...piece, value: bytes.toString('hex', start, end) };
}

test('a piece comes out as it went in', () => {
  fc.assert(
    fc.property(pieces, (piece) => {
      const writer = new FrameWriter();
      writer.begin('record', 1, pieceBytesMax(piece));
      writePiece(writer, piece);
      expect(writer.end()).toBeLessThanOrEqual(9 + pieceBytesMax(piece));
      const reader = new FrameReader();
      for (const buffer of writer.take()) reader.push(buffer);
      const from = new FieldReader(reader.next(true)!);
      expect(plain(readPiece(from))).toEqual(plain(piece));
      from.done();
    }),
  );
});

test('bytes that are no piece are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const from = new FieldReader({ bytes: Buffer.from(bytes), start: 0, end: bytes.length });
      expect(failureOf(() => readPiece(from))).toEqual(
        expect.toSatisfy((error) => error === undefined || error instanceof ProtocolError),
      );
    }),
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
