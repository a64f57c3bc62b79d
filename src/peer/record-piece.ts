/** What travels on a stream of records: a record, a removal, or a mark between them. */

import type { Key } from '../base/key.ts';
import { STREAM_MARK_BYTES_MAX } from '../base/limits.ts';
import type { ByteRange, Meta } from '../record/reply.ts';
import { BOUNDS, within } from './bounds.ts';
import type { FieldReader } from './fields.ts';
import { ProtocolError, type FrameWriter } from './frame.ts';
import { META_BYTES, readKey, readMeta, writeKey, writeMeta } from './wire.ts';

/** A record on its way to another member. */
interface RecordPut {
  readonly kind: 'put';
  /** Whether it was there before, or has just been stored. */
  readonly cause: 'copy' | 'mirror';
  readonly partition: number;
  readonly key: Key;
  readonly meta: Meta;
  readonly value: ByteRange;
  /** Microseconds until it expires; `Infinity` for one that stays. */
  readonly leftUs: number;
}

/** A record that is no more. */
interface RecordRemoval {
  readonly kind: 'remove';
  readonly cause: 'delete' | 'expire' | 'evict';
  readonly partition: number;
  readonly key: Key;
}

/** Something that the sender says of what came before; the stream does not look into it. */
interface Mark {
  readonly kind: 'mark';
  readonly text: string;
}

/** The last piece of a stream that is whole. */
interface End {
  readonly kind: 'end';
}

export type RecordPiece = RecordPut | RecordRemoval | Mark | End;

/** The number of each kind, with its cause, on the wire. */
const CODES = {
  copy: 1,
  mirror: 2,
  delete: 3,
  expire: 4,
  evict: 5,
  mark: 6,
  end: 7,
} as const;

const HEAD_BYTES = 1 + 4 + 2;

/** A bound of the bytes that {@link writePiece} writes. */
export function pieceBytesMax(piece: RecordPiece): number {
  switch (piece.kind) {
    case 'put': {
      const valueBytes = piece.value.end - piece.value.start;
      return HEAD_BYTES + piece.key.length + META_BYTES + 8 + valueBytes;
    }
    case 'remove':
      return HEAD_BYTES + piece.key.length;
    case 'mark':
      return 1 + 3 * piece.text.length;
    case 'end':
      return 1;
  }
}

/** Writes a piece, at once: its value may not be there later. */
export function writePiece(to: FrameWriter, piece: RecordPiece): void {
  switch (piece.kind) {
    case 'put':
      writeHead(to, CODES[piece.cause], piece);
      writeMeta(to, piece.meta);
      to.f64(piece.leftUs);
      return to.copy(piece.value);
    case 'remove':
      return writeHead(to, CODES[piece.cause], piece);
    case 'mark':
      to.u8(CODES.mark);
      return to.utf8(piece.text);
    case 'end':
      return to.u8(CODES.end);
  }
}

function writeHead(
  to: FrameWriter,
  code: number,
  { partition, key }: { readonly partition: number; readonly key: Key },
): void {
  to.u8(code);
  to.u32(partition);
  writeKey(to, key);
}

/** Reads what {@link writePiece} wrote; a value stays where it is. */
export function readPiece(from: FieldReader): RecordPiece {
  const code = from.u8();
  switch (code) {
    case CODES.copy:
      return readPut(from, 'copy');
    case CODES.mirror:
      return readPut(from, 'mirror');
    case CODES.delete:
      return { kind: 'remove', cause: 'delete', partition: from.u32(), key: readKey(from) };
    case CODES.expire:
      return { kind: 'remove', cause: 'expire', partition: from.u32(), key: readKey(from) };
    case CODES.evict:
      return { kind: 'remove', cause: 'evict', partition: from.u32(), key: readKey(from) };
    case CODES.mark:
      if (from.left > STREAM_MARK_BYTES_MAX) throw new ProtocolError(`mark of ${from.left} bytes`);
      return { kind: 'mark', text: from.text() };
    case CODES.end:
      return { kind: 'end' };
    default:
      throw new ProtocolError(`a piece of kind ${code}`);
  }
}

function readPut(from: FieldReader, cause: RecordPut['cause']): RecordPut {
  const partition = from.u32();
  const key = readKey(from);
  const meta = readMeta(from);
  const leftUs = from.f64();
  if (!(leftUs >= 0)) throw new ProtocolError(`a record with ${leftUs} us left`);
  const value = from.range(within(BOUNDS.valueBytes, from.left));
  return { kind: 'put', cause, partition, key, meta, value, leftUs };
}
