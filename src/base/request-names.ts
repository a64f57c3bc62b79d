/** By what a request is found in logs: the id that it has, and the trace that it belongs to. */

import { REQUEST_ID_CHARS_MAX } from './limits.ts';

export interface RequestNames {
  readonly request: string;
  /** Trace and span (W3C Trace Context §3.2), in lower-case hexadecimal: 32 digits and 16. */
  readonly trace?: string;
  readonly span?: string;
}

const REQUEST_ID = new RegExp(`^[\\w.:@/+=-]{1,${REQUEST_ID_CHARS_MAX}}$`);

/** Whether a text may stand in a log, and travel, as the id of a request. */
export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text);
}

const TRACE_AND_SPAN = '(?!0{32})([\\da-f]{32})-(?!0{16})([\\da-f]{16})';

/** Version 00 ends with the flags; a later one may go on, `ff` is none (§3.2.2). */
const TRACEPARENT = new RegExp(`^(?:00-${TRACE_AND_SPAN}-[\\da-f]{2}$|\
(?!00|ff)[\\da-f]{2}-${TRACE_AND_SPAN}-[\\da-f]{2}(?:-|$))`);

/** What a `traceparent` says; nothing if it is not in order. */
export function parseTraceparent(written: string): Pick<RequestNames, 'trace' | 'span'> {
  const [, trace, span, laterTrace, laterSpan] = TRACEPARENT.exec(written) ?? [];
  if (trace !== undefined) return { trace, span: span! };
  return laterTrace === undefined ? {} : { trace: laterTrace, span: laterSpan! };
}

const TRACE = new RegExp(`^${TRACE_AND_SPAN}$`);

/** The trace and the span that a text names as members write them, with a dash between; undefined if it names none. */
export function parseTrace(text: string): Pick<RequestNames, 'trace' | 'span'> | undefined {
  const match = TRACE.exec(text);
  return match === null ? undefined : { trace: match[1]!, span: match[2]! };
}

/** What {@link parseTrace} reads; empty for a request that belongs to no trace. */
export function traceText({ trace, span }: RequestNames): string {
  return trace === undefined ? '' : `${trace}-${span}`;
}
