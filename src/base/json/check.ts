/**
 * A check of JSON text, byte by byte: accepts and refuses what `JSON.parse` does for valid UTF-8, builds
 * nothing, and finds the members of the outermost object that are asked for.
 */

import { failure, type Failure } from '../errors.ts';
import { NESTING_MAX } from '../limits.ts';
import { codeOf, expectedIn, FIRST_ACTION, TRANSITIONS } from './grammar.ts';
import { nameAt } from './name.ts';
import type { Range } from './range.ts';
import type { Steps } from './scan.ts';

/** Bytes between two pauses: half a millisecond, however many brackets they are. */
const PIECE_BYTES = 32 * 1024;

/**
 * A piece of a longer text is read here: large bodies are in memory that V8 takes twice as long to read, and
 * having read of that it would take longer with small ones, too.
 */
const scratch = Buffer.allocUnsafeSlow(PIECE_BYTES);

/** Text that is valid JSON as a whole. */
export interface Checked {
  /** Without the white space around it. */
  readonly root: Range;
  /** The values of the members that were asked for, in that order; of several the last (as `JSON.parse`). */
  readonly members: readonly (Range | undefined)[];
}

/** Takes note of the members of objects at one level of a text, which may turn out not to be JSON. */
export interface MemberSink {
  /** 1 for the members of the outermost object, 2 for those of the objects in the outermost list. */
  readonly level: 1 | 2;
  /**
   * A member has the name in the string from `nameStart` to `nameEnd`, and the value in `start` to `end`; if
   * that is a string, `isPlain` says whether it is without escapes.
   */
  member(nameStart: number, nameEnd: number, start: number, end: number, isPlain: boolean): void;
  /** The value that they are members of ends before `end`; or it is a value of another kind. */
  close(end: number): void;
}

/**
 * Checks a text in one piece, which takes about 2 ns a byte.
 *
 * @param names members of the outermost object to find, in generalised UTF-8 ({@link nameBytes}).
 * @example check(Buffer.from('{"a": 1}'), [nameBytes('a')]) // members: [{ start: 6, end: 7 }]
 * @returns `MALFORMED_BODY` that says where and why, or `NESTED_TOO_DEEPLY`.
 */
export function check(bytes: Uint8Array, names: readonly Uint8Array[]): Checked | Failure {
  const members = new NamedMembers(bytes, names);
  const machine = new Machine(bytes, members);
  while (machine.run());
  return members.of(machine.outcome());
}

/** As {@link check}, in pieces that take at most half a millisecond each. */
export function* checkInPieces(
  bytes: Uint8Array,
  names: readonly Uint8Array[],
): Steps<Checked | Failure> {
  const members = new NamedMembers(bytes, names);
  return members.of(yield* checkFor(bytes, members));
}

/** As {@link checkInPieces}, for a sink; where it comes to a failure, what the sink was told means nothing. */
export function* checkFor(bytes: Uint8Array, sink: MemberSink): Steps<Range | Failure> {
  const machine = new Machine(bytes, sink);
  while (machine.run()) yield;
  return machine.outcome();
}

/** Keeps the members that have one of a few names. */
class NamedMembers implements MemberSink {
  readonly level = 1;
  readonly #bytes: Uint8Array;
  readonly #names: readonly Uint8Array[];
  readonly #members: (Range | undefined)[] = [];

  constructor(bytes: Uint8Array, names: readonly Uint8Array[]) {
    this.#bytes = bytes;
    this.#names = names;
  }

  member(nameStart: number, nameEnd: number, start: number, end: number): void {
    const at = nameAt(this.#bytes, nameStart, nameEnd, this.#names);
    if (at >= 0) this.#members[at] = { start, end };
  }

  close(): void {}

  of(root: Range | Failure): Checked | Failure {
    return 'status' in root ? root : { root, members: this.#members };
  }
}

const VALUE = codeOf('value');
const VALUE_OR_CLOSE = codeOf('valueOrClose');
const PLACED_VALUE = codeOf('placedValue');
const AFTER = codeOf('after');
const NAME_OR_CLOSE = codeOf('nameOrClose');
const NAME = codeOf('name');
const COLON = codeOf('colon');
const STRING = codeOf('string');
const ESCAPE = codeOf('escape');

const OPEN_OBJECT = codeOf('openObject');
const OPEN_ARRAY = codeOf('openArray');
const CLOSE_OBJECT = codeOf('closeObject');
const CLOSE_ARRAY = codeOf('closeArray');
const COMMA = codeOf('comma');
const START_NAME = codeOf('startName');
const START_STRING = codeOf('startString');
const START_ESCAPE = codeOf('startEscape');
const END_STRING = codeOf('endString');
const END_LITERAL = codeOf('endLiteral');
const END_NUMBER = codeOf('endNumber');
const START_PLACED = codeOf('startPlaced');

/** States in which a number may end. */
const NUMBERS = [codeOf('zero'), codeOf('integer'), codeOf('fraction'), codeOf('exponentDigits')];

const TOO_DEEP = failure(
  'NESTED_TOO_DEEPLY',
  `a body nests at most ${NESTING_MAX} arrays and objects`,
);

/** Levels of nesting that one word of the stack holds. */
const WORD_LEVELS = 32;

class Machine {
  readonly #bytes: Uint8Array;
  readonly #sink: MemberSink;
  readonly #level: number;
  #at = 0;
  #state = PLACED_VALUE;
  #depth = 0;
  /** Which of the innermost levels are objects, a bit each, the innermost lowest. */
  #levels = 0;
  /** Words of levels further out. */
  readonly #outerLevels: number[] = [];
  /** Where the string that was begun last begins, if it is a name; -1 if it is a value. */
  #nameAt = -1;
  /** Whether it has no escapes so far. */
  #isPlain = true;
  /** The name of the member that the sink is to be told of next, and where its value begins. */
  #memberNameAt = 0;
  #memberNameEnd = 0;
  #memberAt = 0;
  #rootAt = 0;
  #rootEnd = 0;
  #failure: Failure | undefined;

  constructor(bytes: Uint8Array, sink: MemberSink) {
    this.#bytes = bytes;
    this.#sink = sink;
    this.#level = sink.level;
  }

  /** Goes on by a piece; false when nothing is left. In locals and in one loop, for it runs for every byte. */
  run(): boolean {
    const until = Math.min(this.#at + PIECE_BYTES, this.#bytes.length);
    const [bytes, base] = this.#piece(until);
    const level = this.#level;
    let state = this.#state;
    let at = this.#at;
    let depth = this.#depth;
    let levels = this.#levels;
    let stringAt = this.#nameAt;
    let isPlain = this.#isPlain;
    reading: while (at < until) {
      const next = TRANSITIONS[(state << 8) | bytes[at - base]!]!;
      if (next < FIRST_ACTION) {
        state = next;
        at++;
        // The bulk of most texts.
        if (state === STRING) at = skipPlain(bytes, at - base, until - base) + base;
        continue;
      }
      switch (next) {
        case START_NAME:
        case START_STRING:
          stringAt = next === START_NAME ? at : -1;
          isPlain = true;
          state = STRING;
          at = skipPlain(bytes, at + 1 - base, until - base) + base;
          continue;
        case START_ESCAPE:
          isPlain = false;
          state = ESCAPE;
          at++;
          continue;
        case START_PLACED:
          if (depth === 0) this.#rootAt = at;
          else if (depth === level) this.#memberAt = at;
          state = VALUE;
          continue;
        case COMMA:
          if (depth === 0) break reading;
          state = (levels & 1) === 1 ? NAME : VALUE;
          at++;
          continue;
        case OPEN_OBJECT:
        case OPEN_ARRAY:
          if (depth === NESTING_MAX) {
            this.#failure = TOO_DEEP;
            break reading;
          }
          if (depth > 0 && depth % WORD_LEVELS === 0) this.#outerLevels.push(levels);
          levels = (levels << 1) | (next === OPEN_OBJECT ? 1 : 0);
          depth++;
          state = next === OPEN_OBJECT ? NAME_OR_CLOSE : VALUE_OR_CLOSE;
          at++;
          continue;
        case END_STRING:
          at++;
          if (stringAt < 0) break;
          if (depth === level) {
            this.#memberNameAt = stringAt;
            this.#memberNameEnd = at;
          }
          state = COLON;
          continue;
        case CLOSE_OBJECT:
        case CLOSE_ARRAY:
          if (depth === 0 || (levels & 1) !== (next === CLOSE_OBJECT ? 1 : 0)) break reading;
          depth--;
          if (depth > 0 && depth % WORD_LEVELS === 0) levels = this.#outerLevels.pop()!;
          else levels >>>= 1;
          at++;
          break;
        case END_LITERAL:
          at++;
          break;
        case END_NUMBER:
          break;
        default:
          break reading;
      }
      state = AFTER;
      if (depth <= level) this.#endValue(at, depth, (levels & 1) === 1, isPlain);
    }
    this.#at = at;
    this.#state = state;
    this.#depth = depth;
    this.#levels = levels;
    this.#nameAt = stringAt;
    this.#isPlain = isPlain;
    if (at < until) this.#failure ??= this.#malformed(state, at);
    return this.#failure === undefined && at < this.#bytes.length;
  }

  /** The bytes up to `until`, and the offset of the first of them. */
  #piece(until: number): [bytes: Uint8Array, base: number] {
    if (this.#bytes.length <= PIECE_BYTES) return [this.#bytes, 0];
    scratch.set(this.#bytes.subarray(this.#at, until));
    return [scratch, this.#at];
  }

  /** Where the whole lies, without the white space around it. */
  outcome(): Range | Failure {
    if (this.#failure !== undefined) return this.#failure;
    if (this.#depth === 0 && NUMBERS.includes(this.#state)) {
      this.#endValue(this.#at, 0, false, true);
      this.#state = AFTER;
    }
    if (this.#depth > 0 || this.#state !== AFTER) return this.#malformed(this.#state, this.#at);
    return { start: this.#rootAt, end: this.#rootEnd };
  }

  /** Takes note of a value that ends before `end`. */
  #endValue(end: number, depth: number, isInObject: boolean, isPlain: boolean): void {
    if (depth === 0) this.#rootEnd = end;
    if (depth === this.#level - 1) this.#sink.close(end);
    else if (depth === this.#level && isInObject) {
      this.#sink.member(this.#memberNameAt, this.#memberNameEnd, this.#memberAt, end, isPlain);
    }
  }

  #malformed(state: number, at: number): Failure {
    const byte = this.#bytes[at];
    const found = byte === undefined ? 'the end' : describeByte(byte);
    const expected = this.#expected(state);
    return failure(
      'MALFORMED_BODY',
      `the body is not valid JSON: at byte ${at} is ${found}, where ${expected} is expected`,
    );
  }

  #expected(state: number): string {
    if (state !== AFTER) return expectedIn(state);
    if (this.#depth === 0) return 'the end';
    return (this.#levels & 1) === 1 ? 'a comma or }' : 'a comma or ]';
  }
}

/** 1 for each byte that stands for itself inside a string and is ASCII. */
const IS_PLAIN = TRANSITIONS.slice(STRING << 8, (STRING + 1) << 8).map((next) =>
  Number(next === STRING),
);

/** The offset of the first byte from `from` on that is not plain ASCII inside a string. */
function skipPlain(bytes: Uint8Array, from: number, until: number): number {
  let at = from;
  while (at + 4 <= until && areFourPlain(bytes, at)) at += 4;
  while (at < until && IS_PLAIN[bytes[at]!] === 1) at++;
  return at;
}

function areFourPlain(bytes: Uint8Array, at: number): boolean {
  const first = IS_PLAIN[bytes[at]!]! & IS_PLAIN[bytes[at + 1]!]!;
  return (first & IS_PLAIN[bytes[at + 2]!]! & IS_PLAIN[bytes[at + 3]!]!) === 1;
}

function describeByte(byte: number): string {
  return byte > 0x20 && byte < 0x7f
    ? String.fromCharCode(byte)
    : `0x${byte.toString(16).padStart(2, '0')}`;
}
