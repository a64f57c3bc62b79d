/** Bytes seen four at a time, wherever they lie: for few of them that takes a third of the time. */

/** A view of the same bytes. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Copies the bytes `start` (included) to `end` (excluded) to another place, from `to` on. */
export function copyView(
  from: DataView,
  start: number,
  end: number,
  target: DataView,
  to: number,
): void {
  let at = start;
  let next = to;
  for (; at + 4 <= end; at += 4, next += 4) target.setInt32(next, from.getInt32(at, true), true);
  for (; at < end; at++, next++) target.setUint8(next, from.getUint8(at));
}

/** More bytes are copied faster by a call of the system's. */
export const VIEW_COPY_MAX = 192;

/** Text as it came, to be read at any place. */
export class Text {
  readonly bytes: Buffer;
  readonly view: DataView;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
  }
}
