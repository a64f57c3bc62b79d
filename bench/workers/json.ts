/** What the check of JSON and an edit take, beside `JSON.parse` and a scan. */

import { check, checkInPieces } from '../../src/base/json/check.ts';
import { nameBytes } from '../../src/base/json/name.ts';
import { depthOf, finish, Pace } from '../../src/base/json/scan.ts';
import type { Key } from '../../src/base/key.ts';
import { edit } from '../../src/record/edit.ts';
import { PauseMeter } from '../pace.ts';
import { report, workerParameters } from '../processes.ts';
import { median } from '../series.ts';

export interface JsonParameters {
  /** How often two things are compared. */
  readonly rounds: number;
}

/** The one message. */
export interface JsonResult {
  /** Nanoseconds for a body of 60 bytes. */
  readonly checkNs: number;
  readonly parseNs: number;
  /** Nanoseconds for a document of 16 KiB. */
  readonly patchNs: number;
  readonly scanNs: number;
  /** The longest piece of a check of 16 MiB, and of what. */
  readonly pieceMs: number;
  readonly pieceOf: string;
}

const { rounds } = workerParameters() as JsonParameters;
const SIZE = 16 * 1024 * 1024;

/** Rounds that are not counted. */
const WARM_UP_ROUNDS = 4;

/** Texts that are as hard to check as any. */
const TEXTS: Readonly<Record<string, string>> = {
  'empty objects': '{},',
  numbers: '1,',
  'one number': '1',
  'one string': '"x',
  escapes: '"\\u00e9',
  'characters of three bytes': '"€',
  'white space': ' ',
  'nested lists': `${'['.repeat(500)}${']'.repeat(500)},`,
};

const body = Buffer.from('{"data":"0123456789012345678901234567890123456789012345678"}');
const names = [nameBytes('data'), nameBytes('expire_time')];
const text = Buffer.from(
  JSON.stringify(
    Array.from({ length: 256 }, (_, id) => ({
      id,
      name: `the name of ${id}`,
      score: 1.5,
      tags: ['a', 'b'],
    })),
  ),
);
const document = { bytes: text, start: 0, end: text.length };
const patchText = Buffer.from('[{"op":"replace","path":"/255/score","value":2}]');
const patch = { bytes: patchText, start: 0, end: patchText.length };
const request = { action: 'patch', key: 'k' as Key, format: 'json', patch } as const;

const [checkNs, parseNs] = compare(
  100_000,
  () => check(body, names),
  () => JSON.parse(body.toString()),
);
const [patchNs, scanNs] = compare(
  1000,
  () => finish(edit(request, document, SIZE)),
  () => finish(depthOf(text, document, new Pace())),
);
report({ checkNs, parseNs, patchNs, scanNs, ...longestPiece() } satisfies JsonResult);

/** Nanoseconds that two things take, each in turn with the other. */
function compare(count: number, ours: () => unknown, other: () => unknown): [number, number] {
  const tookNs: [number[], number[]] = [[], []];
  // The first rounds let the compiler settle.
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    tookNs[0].push(timeNs(count, ours));
    tookNs[1].push(timeNs(count, other));
  }
  const [oursNs, otherNs] = tookNs.map((took) => median(took.slice(WARM_UP_ROUNDS)));
  return [oursNs!, otherNs!];
}

function timeNs(count: number, thing: () => unknown): number {
  const startMs = performance.now();
  for (let n = 0; n < count; n++) thing();
  return ((performance.now() - startMs) * 1e6) / count;
}

/** A text of 16 MiB; only its beginning has a quote or bracket, so its end is where it is cut off. */
function textOf(part: string): Buffer {
  const first = part.startsWith('"') ? '"' : part.endsWith(',') ? '[' : '';
  const repeated = part.replace('"', '');
  return Buffer.concat([Buffer.from(first), Buffer.alloc(SIZE, repeated)]);
}

function longestPiece(): { pieceMs: number; pieceOf: string } {
  let longest = { pieceMs: 0, pieceOf: '' };
  for (const [pieceOf, part] of Object.entries(TEXTS)) {
    const content = textOf(part);
    // What disturbs one of three rounds is not the check.
    const pieceMs = Math.min(...[1, 2, 3].map(() => longestOf(content)));
    if (pieceMs > longest.pieceMs) longest = { pieceMs, pieceOf };
  }
  return longest;
}

function longestOf(content: Buffer): number {
  const meter = new PauseMeter();
  const steps = checkInPieces(content, names);
  meter.take();
  while (steps.next().done !== true) meter.tick(true);
  meter.tick(true);
  return meter.take().longestMs;
}
