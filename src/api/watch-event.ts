/** Events of a watch as text, one character a byte: in a stream, and in JSON. */

import { formatDuration } from '../base/duration.ts';
import { keyText } from '../base/key.ts';
import { ANSWER_CHUNK_CHARS } from '../base/limits.ts';
import { versionOf } from '../record/version.ts';
import type { WatchEvent } from '../record/watch.ts';
import { byteString } from './answer.ts';

/** An event of a stream, without the empty line that ends it. */
export function renderStreamEvent(event: WatchEvent): string {
  return streamEvent(event.kind, `{${membersOf(event)}}`);
}

/** The value in the middle of an event of a stream, and the text before and behind it. */
type Parts = readonly [before: string, value: Uint8Array, after: string];

/**
 * As {@link renderStreamEvent} for an event with a large value on one line, which stays where it lies;
 * undefined for any other. A copy as text for each watcher would take longer than sending it.
 */
export function partsOfStreamEvent(event: WatchEvent): Parts | undefined {
  if (event.kind !== 'store' || event.value === undefined) return undefined;
  const { bytes, start, end } = event.value;
  if (end - start < ANSWER_CHUNK_CHARS) return undefined;
  const value = bytes.subarray(start, end);
  if (value.includes(LF) || value.includes(CR)) return undefined;
  const members = membersOf({ ...event, value: undefined });
  return [`event: store\ndata: {${members},"data":`, value, '}\n'];
}

const LF = 10;
const CR = 13;

/** An event of a stream by its name and its JSON text. */
export function streamEvent(name: string, data: string): string {
  // A line end would end the field; the client puts LF between the lines of an event.
  return `event: ${name}\ndata: ${data.replaceAll(/\r\n|\r|\n/g, '\ndata: ')}\n`;
}

/** An event in the list of a single answer. */
export function renderJsonEvent(event: WatchEvent): string {
  return `{"event":"${event.kind}",${membersOf(event)}}`;
}

function membersOf(event: WatchEvent): string {
  switch (event.kind) {
    case 'ready':
      return `"members":${event.members}`;
    case 'lost':
      return `"member":${jsonText(event.member)},"reason":"${event.reason}"`;
    case 'delete':
    case 'expire':
    case 'evict':
      return `"key":${jsonText(keyText(event.key))}`;
    case 'store': {
      const { key, meta, value } = event;
      const expireTime = byteString(formatDuration(meta.ttlNs));
      const head = `"key":${jsonText(keyText(key))},"etag":"${versionOf(meta)}"`;
      const data = value && `,"data":${value.bytes.toString('latin1', value.start, value.end)}`;
      return `${head},"expire_time":"${expireTime}"${data ?? ''}`;
    }
  }
}

function jsonText(text: string): string {
  return byteString(JSON.stringify(text));
}
