/**
 * One request as the parser reads it: where its parts lie in the bytes that came. Nothing is copied or
 * made into a string until somebody asks for it.
 */

import {
  CHUNKS_OVERHEAD_BYTES_MAX,
  CHUNKS_OVERHEAD_PER_BYTE_MAX,
  HEADER_BYTES_MAX,
  HEADER_FIELDS_MAX,
} from '../base/limits.ts';
import { INVALID_CONSTANT, INVALID_METHOD, loadLlhttp, type Findings } from './llhttp.ts';

const llhttp = loadLlhttp();

/** Why {@link Message.read} stopped. */
export type Trouble = 'malformed' | 'headers too large' | 'chunks too small';

const EMPTY: Buffer = Buffer.alloc(0);

const SPACE = 0x20;

/** Methods that need no new string. */
const COMMON_METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'];

/** A value of a header that needs none. */
const COMMON_VALUE = 'application/json';

/** Numbers that stand for a header field: where its name and its value start and end. */
const MARKS = 4;
/** Room for so many of them is kept from one request to the next. */
const MARKS_KEPT = 32 * MARKS;

/** Messages that are kept for the next request; each has a parser. */
const spare: Message[] = [];
const SPARE_MAX = 64;

/** A request line whose method the parser does not know; line ends may stand before it. */
const UNKNOWN_METHOD = /^[\r\n]*([!#$%&'*+.^`|~\w-]+) (\S+) HTTP\/1\.[01]\r\n/;
/** What may become one when more comes. */
const MAY_BE_UNKNOWN_METHOD = /^[\r\n]*[!#$%&'*+.^`|~\w-]+(?: [^\n]*)?$/;

export class Message implements Findings {
  readonly #parser = llhttp.allocate();
  /** The bytes that the head lies in, and where it starts there; the marks count in them. */
  #head = EMPTY;
  #start = 0;
  #headBytes = 0;
  #targetStart = 0;
  #targetEnd = 0;
  #marks = new Int32Array(MARKS_KEPT);
  #fields = 0;
  #unknownMethod: string | undefined;
  /** Bytes up to now on the wire, and of the body in them. */
  #wireBytes = 0;
  #bodyBytes = 0;
  /** What the parser still expects of a body whose length was announced. */
  #missingBytes = 0;
  #isPassing = false;

  /** The part of the body that the last read brought, without the heads of chunks, lies in these bytes. */
  bytes = EMPTY;
  bodyStart = 0;
  bodyEnd = 0;
  isHeadRead = false;
  isRead = false;
  /** Whether the client lets the connection be used again. */
  keepsAlive = false;
  trouble: Trouble | undefined;

  /** Takes a message that has read nothing. */
  static take(): Message {
    return spare.pop() ?? new Message();
  }

  /** Gives a message back, for another request; nobody may use it after that. */
  release(): void {
    if (spare.length >= SPARE_MAX) {
      llhttp.free(this.#parser);
      return;
    }
    llhttp.reset(this.#parser);
    this.#head = this.bytes = EMPTY;
    this.#start = this.#headBytes = this.#targetStart = this.#targetEnd = 0;
    this.#fields = this.#wireBytes = this.#bodyBytes = this.#missingBytes = 0;
    this.#unknownMethod = undefined;
    this.bodyStart = this.bodyEnd = 0;
    this.isHeadRead = this.isRead = this.keepsAlive = false;
    this.trouble = undefined;
    if (this.#marks.length > MARKS_KEPT) this.#marks = new Int32Array(MARKS_KEPT);
    spare.push(this);
  }

  /** Whether the parser does not know the method, so that nothing but the request line was read. */
  get isUnknown(): boolean {
    return this.#unknownMethod !== undefined;
  }

  get wireBytes(): number {
    return this.#wireBytes;
  }

  /** What the parser says about the trouble. */
  get reason(): string {
    return llhttp.errorReason(this.#parser);
  }

  get method(): string {
    if (this.#unknownMethod !== undefined) return this.#unknownMethod;
    const head = this.#head;
    let start = this.#start;
    while (head[start]! <= SPACE) start++;
    let end = start;
    while (head[end] !== SPACE) end++;
    for (const method of COMMON_METHODS) {
      if (method.length === end - start && isText(head, start, method)) return method;
    }
    return head.toString('latin1', start, end);
  }

  /** Whether the target begins with this text. */
  isFor(text: string): boolean {
    return isText(this.#head, this.#targetStart, text);
  }

  /** Whether it is a whole GET that has nothing but a head, on a connection that stays. */
  get isBareGet(): boolean {
    if (!this.isRead || !this.keepsAlive || this.#wireBytes !== this.#headBytes) return false;
    return isText(this.#head, this.#start, 'GET ');
  }

  get target(): string {
    return this.#head.toString('latin1', this.#targetStart, this.#targetEnd);
  }

  /** 1 for HTTP/1.1, 0 for HTTP/1.0, below 0 for anything else. */
  get minorVersion(): number {
    let at = this.#targetEnd;
    while (this.#head[at] === SPACE) at++;
    if (!isText(this.#head, at, 'HTTP/1.')) return -1;
    const minor = this.#head[at + 'HTTP/1.'.length]! - 0x30;
    return minor === 0 || minor === 1 ? minor : -1;
  }

  get fields(): number {
    return this.#fields;
  }

  /** The length of the name of field `n`. */
  nameLength(n: number): number {
    return this.#marks[n * MARKS + 1]! - this.#marks[n * MARKS]!;
  }

  /** Whether field `n`, whose name has the right length, has this name, given in lower case. */
  isNamed(n: number, name: string): boolean {
    const start = this.#marks[n * MARKS]!;
    for (let at = 0; at < name.length; at++) {
      const byte = this.#head[start + at]!;
      const wanted = name.charCodeAt(at);
      if (byte !== wanted && (!isLetter(wanted) || (byte | 0x20) !== wanted)) return false;
    }
    return true;
  }

  /** The value of field `n`, a char code a byte. */
  value(n: number): string {
    if (this.isValue(n, COMMON_VALUE)) return COMMON_VALUE;
    return this.#head.toString('latin1', this.#marks[n * MARKS + 2], this.#valueEnd(n));
  }

  /** The value of field `n`, which has digits only, as a number. */
  number(n: number): number {
    const end = this.#valueEnd(n);
    let number = 0;
    for (let at = this.#marks[n * MARKS + 2]!; at < end; at++) {
      number = 10 * number + this.#head[at]! - 0x30;
    }
    return number;
  }

  /** Whether the value of field `n` is this text. */
  isValue(n: number, text: string): boolean {
    const start = this.#marks[n * MARKS + 2]!;
    return this.#valueEnd(n) - start === text.length && isText(this.#head, start, text);
  }

  #valueEnd(n: number): number {
    const start = this.#marks[n * MARKS + 2]!;
    let end = this.#marks[n * MARKS + 3]!;
    while (end > start && isBlank(this.#head[end - 1])) end--;
    return end;
  }

  /** The first field of a name from field `from` on; below 0 if there is none. */
  find(name: string, from = 0): number {
    for (let n = from; n < this.#fields; n++) {
      if (this.nameLength(n) === name.length && this.isNamed(n, name)) return n;
    }
    return -1;
  }

  /** Says how long the body is announced to be: {@link read} then knows what it need not look at. */
  announce(bodyBytes: number): void {
    this.#missingBytes = bodyBytes - this.#bodyBytes;
  }

  /**
   * Reads `chunk` from `from` on, to the end of the request or of the chunk. The chunk is ours: the
   * pieces of a body are pushed together in it.
   *
   * @returns where in the chunk the reading stopped; {@link trouble} says whether that is for good.
   */
  read(chunk: Buffer, from: number): number {
    let to: number;
    if (!this.isHeadRead) to = this.#readHead(chunk, from);
    else if (this.#missingBytes > 0) to = this.#passBody(chunk, from);
    else to = this.#readBody(chunk, from);
    this.#wireBytes += to - from;
    this.#bodyBytes += this.bodyEnd - this.bodyStart;
    if (this.isHeadRead) this.#checkChunks();
    return to;
  }

  #readHead(chunk: Buffer, from: number): number {
    const keptBytes = this.#head.length;
    if (keptBytes === 0) {
      this.#head = chunk;
      this.#start = from;
    } else {
      this.#head = Buffer.concat([this.#head, from === 0 ? chunk : chunk.subarray(from)]);
    }
    this.bytes = this.#head;
    if (this.#unknownMethod !== undefined) return this.#readUnknown(chunk.length);
    const offset = keptBytes === 0 ? 0 : keptBytes - from;
    const to = llhttp.parse(this.#parser, this, this.#head, from + offset);
    if (to === -INVALID_METHOD || to === -INVALID_CONSTANT) return this.#readUnknown(chunk.length);
    if (to < 0) this.trouble = 'malformed';
    if (!this.isHeadRead) this.#keep();
    const headBytes = this.isHeadRead ? this.#headBytes : this.#head.length;
    if (headBytes > HEADER_BYTES_MAX || this.#fields > HEADER_FIELDS_MAX) {
      this.trouble = 'headers too large';
    }
    return to < 0 ? from : to - offset;
  }

  /** Keeps what has come of a head that goes on in the next read, and nothing of what was before it. */
  #keep(): void {
    const start = this.#start;
    if (start === 0) return;
    this.#head = Buffer.from(this.#head.subarray(start));
    this.#start = 0;
    this.#targetStart -= start;
    this.#targetEnd -= start;
    for (let at = 0; at < this.#fields * MARKS; at++) this.#marks[at]! -= start;
  }

  /** Reads the request line of a method that the parser does not know; the rest does not matter. */
  #readUnknown(chunkBytes: number): number {
    if (this.#unknownMethod === undefined) this.#keep();
    this.#unknownMethod = '';
    const text = this.#head.toString('latin1');
    const [line, method = '', target = ''] = UNKNOWN_METHOD.exec(text) ?? [];
    if (line !== undefined) {
      this.#unknownMethod = method;
      this.#targetStart = line.indexOf(target, line.indexOf(method) + method.length);
      this.#targetEnd = this.#targetStart + target.length;
      this.isHeadRead = this.isRead = true;
    } else if (!MAY_BE_UNKNOWN_METHOD.test(text)) {
      this.trouble = 'malformed';
    } else if (text.length > HEADER_BYTES_MAX) {
      this.trouble = 'headers too large';
    }
    return chunkBytes;
  }

  #readBody(chunk: Buffer, from: number): number {
    this.bytes = chunk;
    this.bodyStart = this.bodyEnd = from;
    const to = llhttp.parse(this.#parser, this, chunk, from);
    if (to >= 0) return to;
    this.trouble = 'malformed';
    return from;
  }

  #passBody(chunk: Buffer, from: number): number {
    const length = Math.min(this.#missingBytes, chunk.length - from);
    this.bytes = chunk;
    this.bodyStart = from;
    this.bodyEnd = from + length;
    this.#isPassing = true;
    const passed = llhttp.passOver(this.#parser, this, length);
    this.#isPassing = false;
    this.#missingBytes -= length;
    // Of one mind about where the request ends, or not one request more.
    if (passed !== length || this.isRead !== (this.#missingBytes === 0)) this.trouble = 'malformed';
    return from + length;
  }

  /**
   * Bounds what the heads of chunks and trailers take. The parser does not report them, but they are
   * what comes beside the body.
   */
  #checkChunks(): void {
    const overhead = this.#wireBytes - this.#headBytes - this.#bodyBytes;
    if (overhead <= CHUNKS_OVERHEAD_BYTES_MAX) return;
    const allowed = CHUNKS_OVERHEAD_BYTES_MAX + CHUNKS_OVERHEAD_PER_BYTE_MAX * this.#bodyBytes;
    if (overhead > allowed) this.trouble ??= 'chunks too small';
  }

  onTarget(start: number, end: number): void {
    // A target that is cut between two reads comes in pieces.
    if (this.#targetEnd !== start || this.#targetEnd === 0) this.#targetStart = start;
    this.#targetEnd = end;
  }

  onFieldName(start: number, end: number): void {
    if (this.isHeadRead) return;
    const last = (this.#fields - 1) * MARKS;
    if (last >= 0 && this.#marks[last + 1] === start) {
      this.#marks[last + 1] = end;
      return;
    }
    const at = this.#fields * MARKS;
    if (at === HEADER_FIELDS_MAX * MARKS) return void (this.trouble = 'headers too large');
    if (at === this.#marks.length) {
      const marks = new Int32Array(2 * at);
      marks.set(this.#marks);
      this.#marks = marks;
    }
    this.#fields++;
    this.#marks[at] = start;
    this.#marks[at + 1] = end;
    this.#marks[at + 2] = this.#marks[at + 3] = 0;
  }

  onFieldValue(start: number, end: number): void {
    if (this.isHeadRead) return;
    const at = (this.#fields - 1) * MARKS;
    if (this.#marks[at + 3] !== start) this.#marks[at + 2] = start;
    this.#marks[at + 3] = end;
  }

  onHead(keepsAlive: boolean): void {
    this.isHeadRead = true;
    this.keepsAlive = keepsAlive;
    const last = this.#fields === 0 ? this.#targetEnd : this.#marks[this.#fields * MARKS - 1]!;
    this.#headBytes = last - this.#start + 4;
    this.bodyStart = this.bodyEnd = 0;
  }

  onBody(start: number, end: number): void {
    if (this.#isPassing) return;
    if (this.bodyEnd === this.bodyStart) {
      this.bodyStart = start;
      this.bodyEnd = end;
      return;
    }
    if (start !== this.bodyEnd) move(this.bytes, start, end, this.bodyEnd);
    this.bodyEnd += end - start;
  }

  onEnd(): void {
    this.isRead = true;
  }
}

/** Whether this text lies at `at`. */
function isText(bytes: Buffer, at: number, text: string): boolean {
  for (let n = 0; n < text.length; n++) if (bytes[at + n] !== text.charCodeAt(n)) return false;
  return true;
}

/** Spaces and tabs, which may stand behind a value. */
function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === 0x09;
}

function isLetter(charCode: number): boolean {
  return charCode >= 0x61 && charCode <= 0x7a;
}

/** Moves a piece of some bytes to a place before it; tiny chunks must not cost a call each. */
function move(bytes: Buffer, start: number, end: number, to: number): void {
  if (end - start > 32) bytes.copyWithin(to, start, end);
  else for (let at = start; at < end; at++) bytes[to + at - start] = bytes[at]!;
}
