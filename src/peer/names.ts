/** The names of a request between members: by what it is found in logs. */

import { isRequestId, parseTrace, traceText, type RequestNames } from '../base/request-names.ts';
import { BOUNDS, within } from './bounds.ts';
import type { FieldReader } from './fields.ts';
import { ProtocolError, type FrameWriter } from './frame.ts';

/** A bound of the bytes that {@link writeNames} writes. */
export function namesBytesMax(names: RequestNames | undefined): number {
  return names === undefined ? 0 : 2 + names.request.length + traceText(names).length;
}

export function writeNames(to: FrameWriter, names: RequestNames): void {
  to.u8(names.request.length);
  to.latin1(names.request);
  const trace = traceText(names);
  to.u8(trace.length);
  to.latin1(trace);
}

/** Reads what {@link writeNames} wrote. */
export function readNames(from: FieldReader): RequestNames {
  const request = from.latin1(within(BOUNDS.requestIdBytes, from.u8()));
  if (!isRequestId(request)) throw new ProtocolError('a request id that is none');
  const length = from.u8();
  if (length === 0) return { request };
  const trace = parseTrace(from.latin1(within(BOUNDS.traceBytes, length)));
  if (trace === undefined) throw new ProtocolError('a trace that is none');
  return { request, ...trace };
}
