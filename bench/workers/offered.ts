/** A process that sends requests by a schedule, whether those before them are answered or not. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { report, workerParameters } from '../processes.ts';
import { PROTOCOLS } from '../protocol.ts';
import { quantiles, type Quantiles } from '../series.ts';

export interface OfferedParameters {
  readonly port: number;
  readonly connections: number;
  /** Requests a second, of all connections together. */
  readonly perSecond: number;
  /** What comes before is not counted. */
  readonly warmUpMs: number;
  readonly durationMs: number;
}

export interface OfferedResult {
  /** Requests a second that were served, by the time at which they were due. */
  readonly servedPerSecond: number;
  /** The same of those that were answered 503. */
  readonly refusedPerSecond: number;
  /** Anything else, or nothing. */
  readonly failures: number;
  /** From when a request was due to its answer, of those that were served. */
  readonly latencyMs: Quantiles;
  /** The longest time by which a request was sent late. */
  readonly lateMs: number;
}

/** Between two looks at what is due: each costs a write on every connection. */
const TICK_MS = 1;
/** For answers after the last request. */
const PATIENCE_MS = 5000;
const KEYS = 1000;
const RECEIVE_BYTES = 256 * 1024;

const { port, connections, perSecond, warmUpMs, durationMs } =
  workerParameters() as OfferedParameters;

/** Requests of one length, one behind the other: any run of them is a slice. */
const requests = Array.from({ length: KEYS }, (_, n) =>
  PROTOCOLS.memhashd.request('get', `key:${String(n).padStart(16, '0')}`, ''),
);
const requestBytes = requests[0]!.length;
const text = Buffer.from(requests.join('').repeat(2));

const total = Math.round((perSecond * (warmUpMs + durationMs)) / 1000);
const uncounted = Math.round((perSecond * warmUpMs) / 1000);
const latenciesMs = new Float64Array(total);
let served = 0;
let refused = 0;
let failures = 0;
let answered = 0;
let lateMs = 0;
let startMs = 0;

/** A connection: the numbers of the requests that are under way on it, in order. */
class Line {
  readonly #socket: Socket;
  #underWay: number[] = [];
  #first = 0;
  #rest: Buffer | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
  }

  static async open(): Promise<Line> {
    const buffer = Buffer.alloc(RECEIVE_BYTES);
    const callback = (length: number): boolean => {
      line.#receive(buffer.subarray(0, length));
      return true;
    };
    const onread = { buffer, callback };
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    const line = new Line(socket);
    await once(socket, 'connect');
    return line;
  }

  /** Sends the requests from number `from` on. */
  send(from: number, count: number): void {
    for (let n = from; n < from + count; n++) this.#underWay.push(n);
    const at = (from % KEYS) * requestBytes;
    this.#socket.write(text.subarray(at, at + count * requestBytes));
  }

  #receive(bytes: Buffer): void {
    const nowMs = performance.now();
    const all = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (let end = replyEnd(all, at); end !== undefined; end = replyEnd(all, at)) {
      this.#count(all[at + STATUS_AT]!, nowMs);
      at = end;
    }
    this.#rest = at < all.length ? Buffer.from(all.subarray(at)) : undefined;
  }

  #count(status: number, nowMs: number): void {
    const n = this.#underWay[this.#first++]!;
    if (this.#first === 4096) {
      this.#underWay = this.#underWay.slice(4096);
      this.#first = 0;
    }
    answered++;
    if (n < uncounted) return;
    if (status === SERVED) latenciesMs[served++] = nowMs - dueMs(n);
    else if (status === REFUSED) refused++;
    else failures++;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Where the first digit of the status stands, and what it is. */
const STATUS_AT = 'HTTP/1.1 '.length;
const SERVED = 0x32;
const REFUSED = 0x35;

const LENGTH = 'Content-Length: ';
const HEAD_END = '\r\n\r\n';

/** Where the answer at `from` ends; undefined if not all of it has come. */
function replyEnd(bytes: Buffer, from: number): number | undefined {
  const headEnd = bytes.indexOf(HEAD_END, from, 'latin1');
  if (headEnd < 0) return undefined;
  let length = 0;
  for (let at = bytes.indexOf(LENGTH, from, 'latin1') + LENGTH.length; bytes[at]! >= 0x30; at++) {
    length = 10 * length + bytes[at]! - 0x30;
  }
  const end = headEnd + HEAD_END.length + length;
  return end <= bytes.length ? end : undefined;
}

function isAwaited(): boolean {
  return answered < total;
}

function dueMs(n: number): number {
  return startMs + (n / perSecond) * 1000;
}

const lines = await Promise.all(Array.from({ length: connections }, () => Line.open()));
startMs = performance.now();
let sent = 0;
let turn = 0;
while (sent < total) {
  const nowMs = performance.now();
  const due = Math.min(total, Math.floor(((nowMs - startMs) * perSecond) / 1000));
  if (sent < due && sent >= uncounted) lateMs = Math.max(lateMs, nowMs - dueMs(sent));
  // Each connection gets a run of what is due.
  const run = Math.min(KEYS, Math.ceil((due - sent) / connections));
  while (sent < due) {
    const count = Math.min(run, due - sent);
    lines[turn++ % connections]!.send(sent, count);
    sent += count;
  }
  await delay(TICK_MS);
}
const endMs = performance.now() + PATIENCE_MS;
while (isAwaited() && performance.now() < endMs) await delay(10);
for (const line of lines) line.close();
const seconds = durationMs / 1000;
report({
  servedPerSecond: served / seconds,
  refusedPerSecond: refused / seconds,
  failures: failures + (total - answered),
  latencyMs: quantiles(latenciesMs.subarray(0, served)),
  lateMs,
} satisfies OfferedResult);
