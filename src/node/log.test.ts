import { Writable } from 'node:stream';
import { expect, test } from 'vitest';

import { LOG_UNREAD_BYTES_MAX } from '../base/limits.ts';
import { createLog } from './log.ts';

/** A stream that takes nothing until it is told to. */
class Reader extends Writable {
  text = '';
  #go: (() => void) | undefined;
  isReading = false;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    if (this.isReading) done();
    else this.#go = done;
  }

  read(): Promise<void> {
    this.isReading = true;
    this.#go?.();
    return new Promise((resolve) => void setImmediate(resolve));
  }
}

test('a line is JSON with a time, a level, a text and facts', () => {
  const reader = new Reader();
  createLog({ format: 'json', level: 'info' }, reader).info({ peer: 'a:1' }, 'a peer is up');
  expect(JSON.parse(reader.text)).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/) as string,
    peer: 'a:1',
    msg: 'a peer is up',
  });
});

test('as text it is for a person, and still one line whatever is in it', async () => {
  const reader = new Reader();
  await reader.read();
  const log = createLog({ format: 'text', level: 'info' }, reader);
  log.warn({ peer: 'a:1', known: ['x'], reason: 'two\nlines="1"', empty: '' }, 'a peer is down');
  expect(reader.text).toMatch(
    /^[\d:]{8}\.\d{3} WARN {2}a peer is down peer=a:1 known=\["x"\] reason="two\\nlines=\\"1\\"" empty=""\n$/,
  );
});

test('lines of a lower level are left out', () => {
  const reader = new Reader();
  const log = createLog({ format: 'json', level: 'warn' }, reader);
  log.info('no');
  log.error('yes');
  expect(reader.text).not.toContain('no');
});

test('a log that nobody reads takes bounded memory, and says how many lines were dropped', async () => {
  const reader = new Reader();
  const log = createLog({ format: 'json', level: 'info' }, reader);
  for (let n = 0; n < 20_000; n++) log.info({ fact: 'x'.repeat(500) }, 'a line');
  expect(reader.writableLength).toBeLessThanOrEqual(LOG_UNREAD_BYTES_MAX);
  await reader.read();
  const lines = reader.text.trim().split('\n');
  const last = JSON.parse(lines.at(-1)!) as { lines: number; msg: string };
  expect(last.msg).toBe('nobody read the log: lines were dropped');
  expect(last.lines + lines.length - 1).toBe(20_000);
});

test('a stream that fails is given up, and nothing is thrown', () => {
  const reader = new Reader();
  const log = createLog({ format: 'json', level: 'info' }, reader);
  reader.destroy(new Error('the disk is full'));
  log.info('a line');
  expect(reader.text).toBe('');
});
