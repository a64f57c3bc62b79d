import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Key } from '../base/key.ts';
import { NO_META } from '../record/reply.ts';
import type { WatchPage } from '../record/watch.ts';
import { FieldReader } from './fields.ts';
import { FrameReader, FrameWriter, ProtocolError } from './frame.ts';
import {
  readWatchPage,
  readWatchQuery,
  watchPageBytesMax,
  watchQueryBytesMax,
  writeWatchPage,
  writeWatchQuery,
  type WatchPageQuery,
} from './watch.ts';

/** What comes in of what was written, as the fields of a frame. */
function sent(bytesMax: number, write: (to: FrameWriter) => void): FieldReader {
  const writer = new FrameWriter();
  writer.begin('watchReply', 1, bytesMax);
  write(writer);
  writer.end();
  const reader = new FrameReader();
  for (const bytes of writer.take()) reader.push(bytes);
  return new FieldReader(reader.next(true)!);
}

const key = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 20 }) as fc.Arbitrary<Key>;
const place = fc.record({
  life: fc.constantFrom('00000000', 'dd7c7ce7'),
  number: fc.maxSafeNat(),
});

test('property: a query comes in as it was sent', () => {
  const query: fc.Arbitrary<WatchPageQuery> = fc.record({
    values: fc.boolean(),
    since: fc.option(place, { nil: undefined }),
    interest: fc.record({
      keys: fc.array(key, { maxLength: 16 }),
      prefixes: fc.array(fc.oneof(key, fc.constant('' as Key)), { maxLength: 16 }),
    }),
  });
  fc.assert(
    fc.property(query, (written) => {
      const from = sent(watchQueryBytesMax(written), (to) => writeWatchQuery(to, written));
      expect(readWatchQuery(from)).toEqual(written);
    }),
  );
});

test('property: a page comes in as it was sent', () => {
  const value = fc.option(fc.json(), { nil: undefined });
  const state = fc
    .record({ key, index: fc.nat(), value })
    .map(({ index, value: text, ...rest }) => ({
      ...rest,
      kind: 'store' as const,
      meta: { ...NO_META, index },
      value: text === undefined ? undefined : rangeOf(text),
    }));
  const gone = fc.record({ kind: fc.constantFrom('delete', 'expire', 'evict'), key });
  const page = fc.record({
    status: fc.constant('changes' as const),
    place,
    lost: fc.constantFrom(undefined, 'behind', 'restarted'),
    events: fc.array(fc.oneof(state, gone)),
  }) as unknown as fc.Arbitrary<WatchPage>;
  fc.assert(
    fc.property(page, (written) => {
      const from = sent(watchPageBytesMax(written), (to) => writeWatchPage(to, written));
      expect(plain(readWatchPage(from))).toEqual(plain(written));
    }),
  );
});

function rangeOf(text: string) {
  const bytes = Buffer.from(text);
  return { bytes, start: 0, end: bytes.length };
}

/** With values as text. */
function plain({ events, ...rest }: WatchPage) {
  const told = events.map((event) => {
    if (event.kind !== 'store' || event.value === undefined) return event;
    const { bytes, start, end } = event.value;
    return { ...event, value: bytes.toString('utf8', start, end) };
  });
  return { ...rest, events: told };
}

test('property: whatever comes in is read or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const read of [readWatchPage, readWatchQuery]) {
        const range = { bytes: Buffer.from(bytes), start: 0, end: bytes.length };
        const outcome = outcomeOf(() => read(new FieldReader(range)));
        expect(outcome instanceof ProtocolError || outcome === undefined).toBe(true);
      }
    }),
  );
});

/** What it throws, if anything. */
function outcomeOf(read: () => unknown): unknown {
  try {
    read();
    return undefined;
  } catch (error) {
    return error;
  }
}
