// The files of undici that llhttp comes in: that they are where they were, and that both builds work.
import { expect, test } from 'vitest';

import { Llhttp, type Findings } from './llhttp.ts';

/** Writes down what a parser finds, as text. */
class Notes implements Findings {
  readonly found: string[] = [];
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  #note(what: string, start: number, end: number): void {
    this.found.push(`${what} ${this.#bytes.toString('latin1', start, end)}`);
  }

  onTarget(start: number, end: number): void {
    this.#note('target', start, end);
  }

  onFieldName(start: number, end: number): void {
    this.#note('name', start, end);
  }

  onFieldValue(start: number, end: number): void {
    this.#note('value', start, end);
  }

  onHead(keepsAlive: boolean): void {
    this.found.push(`head ${keepsAlive}`);
  }

  onBody(start: number, end: number): void {
    this.#note('body', start, end);
  }

  onEnd(): void {
    this.found.push('end');
  }
}

const request = 'PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello';

test.each(['simd', 'plain'] as const)('the %s build parses requests', (build) => {
  const llhttp = new Llhttp(build);
  const parser = llhttp.allocate();
  const bytes = Buffer.from(`${request}GET`);
  const notes = new Notes(bytes);
  expect(llhttp.parse(parser, notes, bytes, 0)).toBe(request.length);
  expect(notes.found).toEqual([
    'target /a',
    'name Host',
    'value x',
    'name Content-Length',
    'value 5',
    'head true',
    'body hello',
    'end',
  ]);
  llhttp.free(parser);
});

test.each(['simd', 'plain'] as const)('the %s build says what is wrong', (build) => {
  const llhttp = new Llhttp(build);
  const parser = llhttp.allocate();
  const bytes = Buffer.from('GET / HTTP/1.1\r\nX : a\r\n\r\n');
  expect(llhttp.parse(parser, new Notes(bytes), bytes, 0)).toBeLessThan(0);
  expect(llhttp.errorReason(parser)).toBe('Invalid header token');
  llhttp.reset(parser);
  const next = Buffer.from(request);
  expect(llhttp.parse(parser, new Notes(next), next, 0)).toBe(request.length);
});

test('parsers go on when their memory has grown, and none is ever half of another', () => {
  const llhttp = new Llhttp('plain');
  const bytes = Buffer.from(request);
  const parsers = Array.from({ length: 20_000 }, () => llhttp.allocate());
  expect(new Set(parsers).size).toBe(parsers.length);
  for (const parser of parsers) {
    expect(llhttp.parse(parser, new Notes(bytes.subarray(0, 30)), bytes.subarray(0, 30), 0)).toBe(
      30,
    );
  }
  for (const parser of parsers) {
    const rest = bytes.subarray(30);
    expect(llhttp.parse(parser, new Notes(rest), rest, 0)).toBe(rest.length);
    llhttp.free(parser);
  }
});

test('more than the input holds is parsed in pieces', () => {
  const llhttp = new Llhttp('simd');
  const parser = llhttp.allocate();
  const body = 'x'.repeat(200_000);
  const bytes = Buffer.from(`PUT /a HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n${body}GET`);
  const notes = new Notes(bytes);
  expect(llhttp.parse(parser, notes, bytes, 0)).toBe(bytes.length - 3);
  const pieces = notes.found.filter((note) => note.startsWith('body '));
  expect(pieces.map((piece) => piece.slice(5)).join('')).toBe(body);
});

test('a body by length is passed over unseen, to its end and not a byte further', () => {
  const llhttp = new Llhttp('simd');
  const parser = llhttp.allocate();
  const head = Buffer.from('PUT /a HTTP/1.1\r\nContent-Length: 100000\r\n\r\n');
  const notes = new Notes(head);
  expect(llhttp.parse(parser, notes, head, 0)).toBe(head.length);
  expect(llhttp.passOver(parser, notes, 99_999)).toBe(99_999);
  expect(notes.found).not.toContain('end');
  expect(llhttp.passOver(parser, notes, 10)).toBe(1);
  expect(notes.found.at(-1)).toBe('end');
});
