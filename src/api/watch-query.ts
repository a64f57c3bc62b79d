/** What a client of `GET /v1/watch` asks for. */

import { parseDuration } from '../base/duration.ts';
import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyFromText, type Key } from '../base/key.ts';
import { KEY_BYTES_MAX, WATCH_WAIT_MAX_MS, WATCHED_MAX } from '../base/limits.ts';
import type { WatchQuery } from '../record/watch.ts';
import { parsePairs } from './query.ts';

/** The media type of a stream of events. */
export const STREAM_TYPE = 'text/event-stream';

/** A watch, and how it is to be told. */
export interface WatchWish extends WatchQuery {
  /** Whether the records that are there already come first. */
  readonly initial: boolean;
  /** How long a single answer may wait for news, in milliseconds. */
  readonly waitMs: number;
}

/** The parameters of its query, and which of them may be there several times. */
export const WATCHED = ['prefix', 'key'] as const;
const SINGLE = ['scope', 'values', 'initial', 'since', 'wait'] as const;
export const WATCH_PARAMETERS = [...WATCHED, ...SINGLE] as const;
type Name = (typeof WATCH_PARAMETERS)[number];

/** Reads a query; the header `Last-Event-ID`, which browsers send, goes before `since`. */
export function parseWatch(query: string, lastEventId: string | undefined): WatchWish | Failure {
  const pairs = parsePairs(query, WATCH_PARAMETERS);
  if (isFailure(pairs)) return pairs;
  const given = (name: Name): string[] =>
    pairs.filter(([found]) => found === name).map(([, value]) => value);
  const repeated = SINGLE.find((name) => given(name).length > 1);
  if (repeated !== undefined) return invalid(`${repeated} is given twice`);

  const [keys, prefixes] = [keysFrom(given('key'), 1), keysFrom(given('prefix'), 0)];
  if (keys === undefined) return invalid(`key is given up to ${WATCHED_MAX} times, a key each`);
  if (prefixes === undefined) return invalid(`prefix is given up to ${WATCHED_MAX} times`);
  const [scope = 'node'] = given('scope');
  if (scope !== 'node' && scope !== 'cluster') return invalid('scope is node or cluster');
  const [values, initial] = [flagFrom(given('values')), flagFrom(given('initial'))];
  if (values === undefined || initial === undefined) {
    return invalid('values and initial are true or false');
  }
  const waitMs = waitFrom(given('wait'));
  if (waitMs === undefined) return invalid(`wait is a duration of at most ${WATCH_WAIT_MAX_MS} ms`);
  const isAll = keys.length === 0 && prefixes.length === 0;
  const interest = { keys, prefixes: isAll ? ['' as Key] : prefixes };
  const since = lastEventId ?? given('since')[0];
  return { scope, interest, values, initial, waitMs, since };
}

function invalid(detail: string): Failure {
  return failure('INVALID_PARAMETER', detail);
}

function keysFrom(texts: readonly string[], bytesMin: number): Key[] | undefined {
  if (texts.length > WATCHED_MAX) return undefined;
  const keys: Key[] = [];
  for (const text of texts) {
    const key = keyFromText(text);
    if (key === undefined || key.length < bytesMin || key.length > KEY_BYTES_MAX) return undefined;
    keys.push(key);
  }
  return keys;
}

function flagFrom([text = 'false']: readonly string[]): boolean | undefined {
  if (text === 'true') return true;
  return text === 'false' ? false : undefined;
}

function waitFrom([text = '0']: readonly string[]): number | undefined {
  const ns = parseDuration(text);
  if (ns === undefined || ns < 0n) return undefined;
  const ms = Number(ns / 1_000_000n);
  return ms > WATCH_WAIT_MAX_MS ? undefined : ms;
}
