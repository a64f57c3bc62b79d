/** Receiving: the records that an old owner gives to this node. */

import type { Clock } from '../base/clock.ts';
import type { Key } from '../base/key.ts';
import type { StreamUser } from '../peer/host.ts';
import type { RecordPiece } from '../peer/record-piece.ts';
import type { Outcome } from '../store/changes.ts';
import type { Claim, RecordCopy, Transfer } from '../store/transfer.ts';

export interface ReceivingOptions {
  readonly transfer: Transfer;
  readonly clock: Clock;
  /** Resolves when what was here of earlier handovers is gone. */
  readonly dropped: Promise<void>;
  /** Whether a key of a partition may come from this old owner. */
  readonly isExpected: (partition: number, key: Key) => boolean;
  readonly onEnd: (isWhole: boolean, reason: string) => void;
}

export class Receiving implements StreamUser {
  readonly #options: ReceivingOptions;
  /** Partitions of which something has come. */
  readonly touched = new Set<number>();
  #isOver = false;
  #isReleased = false;
  #isFirst = true;
  /** The memory for what is to come. */
  #claim: Claim | undefined;
  /** The least by which this node's clock was ahead of the sender's when a mark came: see {@link lateUs}. */
  #leastAheadUs = Infinity;
  #lateUs = 0;

  constructor(options: ReceivingOptions) {
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  onPiece(piece: RecordPiece): string | undefined | Promise<string | undefined> {
    if (!this.#isFirst) return this.#apply(piece);
    this.#isFirst = false;
    return this.#options.dropped.then(() => this.#apply(piece));
  }

  onEnd(isWhole: boolean, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.onEnd(isWhole, reason);
  }

  /** Takes nothing any more. */
  abort(): void {
    this.#isOver = true;
  }

  /** What has come need not be kept from eviction any more, and has the memory that it needs. */
  release(): void {
    this.#isReleased = true;
    this.#claim?.release();
    for (const partition of this.touched) this.#options.transfer.spare(partition, false);
  }

  #apply(piece: RecordPiece): string | undefined | Promise<string | undefined> {
    if (this.#isOver) return 'the handover was given up';
    switch (piece.kind) {
      case 'put':
      case 'remove':
        return this.#applyRecord(piece);
      case 'mark':
        return this.#applyMark(piece.text);
      case 'end':
        return undefined;
    }
  }

  #applyRecord(
    piece: Extract<RecordPiece, { kind: 'put' | 'remove' }>,
  ): string | undefined | Promise<string | undefined> {
    const { partition, key } = piece;
    const { transfer, isExpected } = this.#options;
    if (!isExpected(partition, key)) return `partition ${partition} does not come from there`;
    if (!this.touched.has(partition)) {
      this.touched.add(partition);
      if (!this.#isReleased) transfer.spare(partition, true);
    }
    const outcome =
      piece.kind === 'remove'
        ? transfer.remove(key, partition, piece.cause)
        : this.#arrive(piece, partition);
    return outcome instanceof Promise ? outcome.then(reasonOf) : reasonOf(outcome);
  }

  #arrive(record: RecordCopy, partition: number): Outcome | Promise<Outcome> {
    const leftUs = Math.max(record.leftUs - this.#lateUs, 0);
    const arrive = (): Outcome | Promise<Outcome> =>
      this.#options.transfer.arrive({ ...record, leftUs }, partition);
    return this.#claim === undefined ? arrive() : this.#claim.spend(arrive);
  }

  #applyMark(text: string): string | undefined {
    const needBytes = numberAfter(NEED_MARK, text);
    if (needBytes !== undefined) return this.#claimMemory(needBytes);
    const sentUs = numberAfter(CLOCK_MARK, text);
    if (sentUs !== undefined) this.#noteClock(sentUs);
    return undefined;
  }

  #claimMemory(bytes: number): string | undefined {
    if (this.#claim !== undefined) return 'it has said before what it needs';
    const claim = this.#options.transfer.claim(Math.max(bytes, 0));
    if ('status' in claim) return claim.detail;
    this.#claim = claim;
    return undefined;
  }

  /**
   * A record's time left goes on while it is on its way. Two clocks differ by a constant; by how much
   * more than at best they do now is how long what comes now was held up.
   */
  #noteClock(sentUs: number): void {
    const aheadUs = this.#options.clock() - sentUs;
    this.#leastAheadUs = Math.min(this.#leastAheadUs, aheadUs);
    this.#lateUs = aheadUs - this.#leastAheadUs;
  }
}

function reasonOf(outcome: Outcome): string | undefined {
  return outcome?.detail;
}

const CLOCK_MARK = 'clock ';
const NEED_MARK = 'need ';

/** A mark that says what the sender's clock shows, in microseconds. */
export function clockMark(nowUs: number): string {
  return CLOCK_MARK + String(nowUs);
}

/** A mark that says how much memory the copies to come may take, in bytes. */
export function needMark(bytes: number): string {
  return NEED_MARK + String(bytes);
}

/** What a mark says; undefined if it is about something else. */
function numberAfter(name: string, text: string): number | undefined {
  if (!text.startsWith(name)) return undefined;
  const number = Number(text.slice(name.length));
  return Number.isFinite(number) ? number : undefined;
}
