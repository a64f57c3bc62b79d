import { setImmediate as turn } from 'node:timers/promises';

import { beforeEach, expect, test } from 'vitest';

import {
  VALKEY_PIECE_BYTES,
  VALKEY_SILENCE_MAX_MS,
  VALKEY_SILENCE_STEP_MS,
} from '../base/limits.ts';
import { Outbox, type Piece } from './outbox.ts';
import { Silence } from './silence.ts';

const STEPS_MAX = VALKEY_SILENCE_MAX_MS / VALKEY_SILENCE_STEP_MS;
const LARGE = VALKEY_PIECE_BYTES * 100;

/** A connection of which the test says when it takes what was written, unless it has room. */
class FakeStream {
  readonly written: Piece[] = [];
  bytesRead = 0;
  hasRoom = false;
  isDestroyed = false;
  #take: ((error?: Error) => void) | undefined;

  write = (piece: Piece, _encoding: unknown, done: unknown): boolean => {
    this.written.push(piece);
    this.#take = done as (error?: Error) => void;
    if (this.hasRoom) process.nextTick(() => this.take());
    return true;
  };

  take(error?: Error): void {
    this.#take?.(error);
  }

  destroy(): this {
    this.isDestroyed = true;
    return this;
  }
}

let stream: FakeStream;
let outbox: Outbox;
let silence: Silence;

beforeEach(() => {
  stream = new FakeStream();
  outbox = new Outbox(stream as unknown as ConstructorParameters<typeof Outbox>[0]);
  silence = new Silence(stream as unknown as ConstructorParameters<typeof Silence>[0], outbox);
});

test('what one turn sends is one write, text alone as text', async () => {
  stream.hasRoom = true;
  for (const command of ['a', 'b', 'c']) outbox.write(command);
  await turn();
  outbox.write('d\xe9');
  outbox.write(Buffer.from('e'));
  await turn();
  expect(stream.written).toEqual(['abc', Buffer.from('d\xe9e', 'latin1')]);
});

test.each([
  ['text', 'xyz'.repeat(VALKEY_PIECE_BYTES)],
  ['bytes', Buffer.alloc(3 * VALKEY_PIECE_BYTES + 1, 'xyz')],
])(
  'a large command of %s goes in pieces, each when the one before was taken, all in order',
  async (_, large) => {
    for (const command of ['before', large, 'after']) outbox.write(command);
    await turn();
    for (let count = 1; count <= 4; count++) {
      expect(stream.written.length).toBe(count);
      stream.take();
    }
    if (stream.written.length === 5) stream.take();
    for (const piece of stream.written)
      expect(piece.length).toBeLessThanOrEqual(VALKEY_PIECE_BYTES);
    expect(stream.written.map((piece) => piece.toString('latin1')).join('')).toBe(
      `before${large.toString('latin1')}after`,
    );
    outbox.write('next');
    await turn();
    expect(stream.written.at(-1)).toBe('next');
  },
);

test('after an error nothing more is written', async () => {
  outbox.write('x'.repeat(LARGE));
  await turn();
  stream.take(new Error('lost'));
  outbox.write('y');
  await turn();
  expect(stream.written.length).toBe(1);
});

test('silence ends the connection, when its last step is done', () => {
  for (let step = 1; step < STEPS_MAX; step++) silence.step(true);
  expect(stream.isDestroyed).toBe(false);
  silence.step(true);
  expect(stream.isDestroyed).toBe(true);
});

test('a server that owes nothing may be silent', () => {
  for (let step = 0; step < 3 * STEPS_MAX; step++) silence.step(step % STEPS_MAX > 0);
  expect(stream.isDestroyed).toBe(false);
});

test('bytes that arrive are a sign of life', () => {
  for (let step = 0; step < 3 * STEPS_MAX; step++) {
    if (step % (STEPS_MAX - 1) === 0) stream.bytesRead++;
    silence.step(true);
  }
  expect(stream.isDestroyed).toBe(false);
});

test('that a piece which waited is taken is a sign of life, and none is when none is taken any more', async () => {
  outbox.write('x'.repeat(LARGE));
  await turn();
  for (let step = 0; step < 3 * STEPS_MAX; step++) {
    if (step % (STEPS_MAX - 1) === STEPS_MAX - 2) stream.take();
    silence.step(true);
  }
  expect(stream.isDestroyed).toBe(false);
  for (let step = 0; step < STEPS_MAX; step++) silence.step(true);
  expect(stream.isDestroyed).toBe(true);
});

test('what the system takes at once is no sign of life', async () => {
  stream.hasRoom = true;
  for (let step = 0; step < STEPS_MAX; step++) {
    outbox.write('x'.repeat(3 * VALKEY_PIECE_BYTES));
    await turn();
    silence.step(true);
  }
  expect(stream.isDestroyed).toBe(true);
});
