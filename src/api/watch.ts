/** `GET /v1/watch`: tells of changes as they happen, in a stream of events or one answer at a time. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import { ANSWER_CHUNK_CHARS, WATCH_PING_MS, WATCH_STUCK_MS } from '../base/limits.ts';
import { systemTimers, type Timers } from '../base/timers.ts';
import { Turns } from '../base/turns.ts';
import { headerLine, type Exchange, type Kept, type Piece } from '../http/exchange.ts';
import { isKept, type Reply } from '../record/reply.ts';
import type { LostEvent, Watch, WatchEvent } from '../record/watch.ts';
import { failLate, JSON_HEAD, sendFailure } from './answer.ts';
import { JSON_TYPE, weightOf } from './negotiate.ts';
import type { Visit } from './visit.ts';
import {
  partsOfStreamEvent,
  renderJsonEvent,
  renderStreamEvent,
  streamEvent,
} from './watch-event.ts';
import { parseWatch, STREAM_TYPE, type WatchWish } from './watch-query.ts';

/** The media types of answers. */
export const WATCH_TYPES: readonly string[] = [STREAM_TYPE, JSON_TYPE];

const NO_STORE = headerLine('Cache-Control', 'no-store');

// Proxies that gather what they pass on would keep events from their client.
const STREAM_HEAD =
  headerLine('Content-Type', STREAM_TYPE) + NO_STORE + headerLine('X-Accel-Buffering', 'no');

/** Events that are taken at a time where they have no values. */
const EVENTS_PER_TAKE = 256;

/** Those of all clients that watch. */
const TURNS = new Turns();

/** Time that the members get to say where they are, also where the client does not want to wait. */
const READY_MS = 1000;

/** Watches, as a stream unless JSON is preferred. */
export function watchKeys(visit: Visit): void | Promise<void> {
  const { exchange, place, options } = visit;
  const wish = parseWatch(place.query, exchange.header('last-event-id'));
  if (isFailure(wish)) return sendFailure(exchange, wish);
  const accept = exchange.header('accept');
  const isStream = weightOf(STREAM_TYPE, accept) >= weightOf(JSON_TYPE, accept);
  if (exchange.method === 'HEAD') {
    return exchange.send(200, isStream ? STREAM_HEAD : JSON_HEAD, '');
  }
  const bell = new Bell(options.timers ?? systemTimers);
  const ring = (): void => bell.ring();
  const watch = options.engine.watch?.(wish, ring);
  if (watch === undefined) {
    return sendFailure(exchange, failure('NOT_SUPPORTED', 'this engine does not tell of changes'));
  }
  if (isFailure(watch)) return sendFailure(exchange, watch);
  const told = isStream ? stream(visit, wish, watch, bell) : answerOnce(visit, wish, watch, bell);
  options.closing?.addEventListener('abort', ring);
  return told.finally(() => {
    watch.close();
    options.closing?.removeEventListener('abort', ring);
  });
}

/** Wakes who waits for news. */
class Bell {
  readonly timers: Timers;
  #hasRung = false;
  #wake = (): void => {};

  constructor(timers: Timers) {
    this.timers = timers;
  }

  ring(): void {
    this.#hasRung = true;
    this.#wake();
  }

  /**
   * Resolves when it rings, at once if it has rung since the last time, or after some time; then with
   * false.
   */
  async wait(timeMs: number): Promise<boolean> {
    if (!this.#hasRung) {
      await new Promise<void>((resolve) => {
        const cancel = this.timers.after(timeMs, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
    }
    const hasRung = this.#hasRung;
    this.#hasRung = false;
    this.#wake = () => {};
    return hasRung;
  }
}

async function stream(visit: Visit, wish: WatchWish, watch: Watch, bell: Bell): Promise<void> {
  const { exchange, options } = visit;
  const writer = new StreamWriter(exchange, watch, bell.timers, options.closing);
  if (wish.initial) {
    const broken = await tellInitial(visit, wish, writer);
    if (broken !== undefined) return failLate(exchange, broken);
    // It may not be whole.
    if (options.closing?.aborted) return exchange.abort();
  }
  const eventsMax = wish.values ? 1 : EVENTS_PER_TAKE;
  /** Writes as much as is at hand and may be held. */
  const tell = (): void => {
    while (watch.hasNews && !writer.isLong) {
      for (const event of watch.take(eventsMax)) if (isCovered(visit, event)) writer.add(event);
    }
    writer.send();
  };
  const { turns = TURNS } = options;
  for (;;) {
    do {
      // A thousand that are woken together must not hold up all others.
      await new Promise<void>((resolve) => turns.take(() => resolve(tell())));
      if (!(await writer.drained())) return;
    } while (watch.hasNews);
    if (options.closing?.aborted) return exchange.end();
    const hasRung = await bell.wait(WATCH_PING_MS);
    if (exchange.isGone) return;
    if (!hasRung) writer.ping();
  }
}

/** Tells of all records that are there; undefined when that is done, or nobody waits for it any more. */
async function tellInitial(
  visit: Visit,
  wish: WatchWish,
  writer: StreamWriter,
): Promise<Failure | undefined> {
  const { exchange, options } = visit;
  const { scope, interest } = wish;
  const isOver = (): boolean => exchange.isGone || options.closing?.aborted === true;
  const lane = options.scheduler.enter('client', isOver);
  if (isFailure(lane)) return lane;
  for (const key of interest.keys) await tellRecord(visit, key, wish, writer);
  for (const prefix of interest.prefixes) {
    for await (const group of options.engine.list({ scope, prefix, cursor: undefined })) {
      if (isFailure(group)) return group;
      for (const key of group.keys) await tellRecord(visit, key, wish, writer);
      if (!(await lane.share())) return undefined;
    }
  }
  return undefined;
}

async function tellRecord(
  { grant, options }: Visit,
  key: Key,
  { values }: WatchWish,
  writer: StreamWriter,
): Promise<void> {
  if (!grant.covers(key)) return;
  const told = (reply: Reply): void => {
    if (reply.status !== 'ok') return;
    const { meta, value } = reply;
    const kept = value !== undefined && isKept(value) ? value : undefined;
    writer.add({ kind: 'store', key, meta, value: values ? value : undefined }, kept);
  };
  const reply = options.engine.serve({ action: 'load', key });
  if (reply instanceof Promise) told(await reply);
  else told(reply);
  if (writer.isLong) await writer.flush();
}

/** Whether the client may know of an event. */
function isCovered({ grant }: Visit, event: WatchEvent): boolean {
  return !('key' in event) || grant.covers(event.key);
}

/** Events on their way to a client. */
class StreamWriter {
  readonly #exchange: Exchange;
  readonly #watch: Watch;
  readonly #timers: Timers;
  readonly #closing: AbortSignal | undefined;
  #text = 'retry: 1000\n\n';
  #hasEvents = false;
  #isFull = false;

  /** `closing` cuts off a client that does not keep up. */
  constructor(exchange: Exchange, watch: Watch, timers: Timers, closing: AbortSignal | undefined) {
    this.#exchange = exchange;
    this.#watch = watch;
    this.#timers = timers;
    this.#closing = closing;
  }

  /** Whether enough is gathered to be written, or more than the client takes. */
  get isLong(): boolean {
    return this.#text.length >= ANSWER_CHUNK_CHARS || this.#isFull;
  }

  /** Takes an event, at once: its value may not be there later, unless it is `kept` or can be. */
  add(event: WatchEvent, kept?: Kept): void {
    const parts = partsOfStreamEvent(event);
    if (parts === undefined) {
      this.#append(renderStreamEvent(event));
      return kept?.lease?.release();
    }
    const [before, value, after] = parts;
    this.#append(before);
    this.#write(this.#text);
    this.#write(value, kept ?? keptIn(event));
    this.#text = after;
  }

  /** A real event: by a comment the position of a client would not advance. */
  ping(): void {
    this.#append(streamEvent('ping', '{}'));
  }

  /** Writes what is gathered; resolves when there may be more, with false if the client is gone. */
  flush(): Promise<boolean> {
    this.send();
    return this.drained();
  }

  /** Writes what is gathered. */
  send(): void {
    if (this.#hasEvents) this.#text += `id: ${this.#watch.position}\n\n`;
    this.#hasEvents = false;
    this.#write(this.#text);
    this.#text = '';
  }

  /** Resolves when there may be more, with false if the client is gone. */
  async drained(): Promise<boolean> {
    if (this.#isFull) await this.#untilDrained();
    return !this.#exchange.isGone;
  }

  #write(piece: Piece, kept?: Kept): void {
    if (!this.#exchange.isAnswered) this.#exchange.begin(200, STREAM_HEAD);
    if (piece.length > 0) this.#isFull = !this.#exchange.write(piece, kept);
  }

  #append(event: string): void {
    // The position stands with the last event of a piece: it names all of them.
    this.#text += this.#hasEvents ? `\n${event}` : event;
    this.#hasEvents = true;
  }

  async #untilDrained(): Promise<void> {
    const abort = (): void => this.#exchange.abort();
    const cancel = this.#timers.after(WATCH_STUCK_MS, abort);
    this.#closing?.addEventListener('abort', abort);
    await this.#exchange.drained();
    this.#isFull = false;
    this.#closing?.removeEventListener('abort', abort);
    cancel();
  }
}

/** What vouches for the value of an event; undefined if it must be copied. */
function keptIn(event: WatchEvent): Kept | undefined {
  if (event.kind !== 'store' || event.value === undefined) return undefined;
  if (isKept(event.value)) return event.value;
  const lease = event.lend?.();
  return lease && { lease };
}

/** Answers what has happened since a position, or where to begin, as one document. */
async function answerOnce(visit: Visit, wish: WatchWish, watch: Watch, bell: Bell): Promise<void> {
  const { exchange, options } = visit;
  const startMs = bell.timers.nowMs();
  const events: string[] = [];
  let chars = 0;
  let isReady = false;
  for (;;) {
    while (watch.hasNews && chars < ANSWER_CHUNK_CHARS) {
      for (const event of watch.take(wish.values ? 1 : EVENTS_PER_TAKE)) {
        if (event.kind === 'lost') return sendFailure(exchange, historyGone(event));
        if (event.kind === 'ready') isReady = true;
        else if (isCovered(visit, event))
          chars += events[events.push(renderJsonEvent(event)) - 1]!.length;
      }
    }
    // Who asks where to begin waits for the members, and not for news.
    const waitMs =
      isReady && wish.since === undefined ? 0 : Math.max(wish.waitMs, isReady ? 0 : READY_MS);
    const leftMs = startMs + waitMs - bell.timers.nowMs();
    if (events.length > 0 || leftMs <= 0 || exchange.isGone || options.closing?.aborted) break;
    await bell.wait(leftMs);
  }
  const body = `{"events":[${events.join()}],"next":"${watch.position}"}\n`;
  exchange.send(200, JSON_HEAD + NO_STORE, body);
}

function historyGone({ member, reason }: LostEvent): Failure {
  return failure('HISTORY_GONE', `changes at ${member} may have been missed: ${reason}`);
}
