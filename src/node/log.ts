/** The log: one line an event, on standard error, as JSON or for a person to read. */

import type { Writable } from 'node:stream';

import { pino, stdTimeFunctions, type Logger } from 'pino';

import { LOG_UNREAD_BYTES_MAX } from '../base/limits.ts';

export type Log = Logger;

export const LOG_FORMATS = ['json', 'text'] as const;
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;

interface LogOptions {
  readonly format: (typeof LOG_FORMATS)[number];
  /** Lines of a lower level are left out. */
  readonly level: (typeof LOG_LEVELS)[number];
}

/**
 * Makes a log on `stream`. It writes at once where the stream takes it at once, as standard error does, so
 * that the last line before an exit is there. Where nobody reads it lines are dropped: a log is no
 * reason to wait, or to lose records.
 */
export function createLog({ format, level }: LogOptions, stream: Writable): Log {
  const options = {
    base: null,
    level,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const output = new Output(stream, format === 'text' ? readable : (line) => line);
  const log = pino(options, output);
  output.onRoom = (lines) => log.warn({ lines }, 'nobody read the log: lines were dropped');
  return log;
}

/** A stream that is never waited for. */
class Output {
  onRoom: (dropped: number) => void = () => {};
  readonly #stream: Writable;
  readonly #render: (line: string) => string;
  #dropped = 0;

  constructor(stream: Writable, render: (line: string) => string) {
    this.#stream = stream;
    this.#render = render;
    // A full disk or a closed pipe behind the log is no reason to stop.
    stream.on('error', () => {}).on('drain', () => this.#tellDropped());
  }

  write(line: string): void {
    if (this.#stream.writableLength + line.length > LOG_UNREAD_BYTES_MAX) this.#dropped++;
    else if (this.#stream.writable) this.#stream.write(this.#render(line));
  }

  #tellDropped(): void {
    const lines = this.#dropped;
    this.#dropped = 0;
    if (lines > 0) this.onRoom(lines);
  }
}

/** A line as a person reads it: `11:22:33.444 INFO  serving id=… client=127.0.0.1:8001`. */
function readable(line: string): string {
  const { time, level, msg, ...facts } = JSON.parse(line) as Record<string, unknown>;
  const moment = String(time).slice('2026-01-01T'.length, -1);
  const written = Object.entries(facts).map(([name, fact]) => ` ${name}=${readableFact(fact)}`);
  return `${moment} ${String(level).toUpperCase().padEnd(5)} ${String(msg)}${written.join('')}\n`;
}

/** Bare where that is clear; quotes and escapes show where it ends, and that it is one line. */
function readableFact(fact: unknown): string {
  return typeof fact === 'string' && /^[!#-<>-~]+$/.test(fact) ? fact : JSON.stringify(fact);
}
