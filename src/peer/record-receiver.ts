/** The receiving end of a stream of records: applies one piece after the other, and says how far it is. */

import { FieldReader } from './fields.ts';
import { ProtocolError, type Frame } from './frame.ts';
import type { StreamUser } from './host.ts';
import { readPiece, type RecordPiece } from './record-piece.ts';

export class RecordReceiver {
  readonly #user: StreamUser;
  readonly #tell: (appliedPieces: number) => void;
  readonly #fail: (reason: string) => void;
  /** Pieces that have come while one is being applied. */
  readonly #waiting: { readonly id: number; readonly piece: RecordPiece }[] = [];
  #lastId = 0;
  #isBusy = false;
  #isEnded = false;

  /** `tell` is told of the last piece that is applied; `fail` why the stream cannot go on. */
  constructor(
    user: StreamUser,
    tell: (appliedPieces: number) => void,
    fail: (reason: string) => void,
  ) {
    this.#user = user;
    this.#tell = tell;
    this.#fail = fail;
    tell(0);
  }

  /**
   * Takes in the next piece.
   *
   * @throws ProtocolError if it is none, or not the next.
   */
  onRecord(frame: Frame): void {
    this.#lastId = (this.#lastId + 1) >>> 0;
    if (frame.id !== this.#lastId) throw new ProtocolError('a piece that is not the next');
    if (this.#isEnded) throw new ProtocolError('a piece after the end of its stream');
    if (frame.isDropped === true) return this.#fail('there is no room for its records');
    const from = new FieldReader(frame);
    const piece = readPiece(from);
    from.done();
    this.#waiting.push({ id: frame.id, piece });
    if (!this.#isBusy) this.#apply();
  }

  /** The channel is closed. */
  onClose(reason: string): void {
    this.#waiting.length = 0;
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#user.onEnd(false, reason);
  }

  /** Applies what has come, without a promise where none is needed. */
  #apply(): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { id, piece } = next;
      const outcome = this.#applyOne(piece);
      if (outcome instanceof Promise) {
        this.#isBusy = true;
        void this.#goOnAfter(outcome, id);
        return;
      }
      if (outcome !== undefined) return this.#fail(outcome);
      this.#tell(id);
    }
  }

  async #goOnAfter(outcome: Promise<string | undefined>, id: number): Promise<void> {
    const refusal = await outcome.catch((error: unknown) => `a defect here: ${String(error)}`);
    this.#isBusy = false;
    if (refusal !== undefined) return this.#fail(refusal);
    this.#tell(id);
    this.#apply();
  }

  #applyOne(piece: RecordPiece): string | undefined | Promise<string | undefined> {
    if (piece.kind !== 'end') return this.#user.onPiece(piece);
    this.#isEnded = true;
    this.#user.onEnd(true, 'the stream has ended');
    return undefined;
  }
}
