/** Giving: the copies and mirrors from this node to one new owner. */

import type { Clock } from '../base/clock.ts';
import { COPIES_PER_SHARE } from '../base/limits.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { RecordPiece } from '../peer/record-piece.ts';
import type { RecordStream, StreamTarget } from '../peer/record-stream.ts';
import type { Transfer } from '../store/transfer.ts';
import type { HandoverEvent } from './handover.ts';
import { clockMark, needMark } from './receiving.ts';
import type { Plan } from './told.ts';

/** The clock is told to the receiver again after this time. */
const STAMP_US = 1000;

export interface GivingOptions {
  readonly store: { readonly transfer: Transfer };
  readonly scheduler: Scheduler;
  readonly clock: Clock;
  readonly openStream: (target: StreamTarget, onClose: (reason: string) => void) => RecordStream;
  readonly happen: (event: HandoverEvent) => void;
}

export class Giving {
  readonly taker: string;
  /** In the order in which they are copied. */
  readonly partitions: readonly number[];
  /** The most memory that the copies take at the new owner, as far as is known. */
  readonly bytes: number;
  bytesDone = 0;
  partitionsDone = 0;
  /** The same by partition, in their order. */
  readonly #bytesOf: readonly number[];
  readonly #plan: Plan;
  readonly #options: GivingOptions;
  readonly #begun = new Set<number>();
  #stream: RecordStream | undefined;
  #isBroken = false;
  #stampUs = 0;

  constructor(taker: string, plan: Plan, partitions: readonly number[], options: GivingOptions) {
    this.taker = taker;
    this.partitions = partitions;
    this.#plan = plan;
    this.#options = options;
    const { transfer } = options.store;
    this.#bytesOf = partitions.map((partition) => transfer.bytes(partition));
    this.bytes = this.#bytesOf.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** What the streams of a plan say that they are about. */
  static about({ next }: Plan): string {
    return `${next.clusterId} ${next.epoch} ${next.by}`;
  }

  /** Whether mirrors do not get there any more. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Whether writes to a partition are to be mirrored. */
  hasBegun(partition: number): boolean {
    return this.#begun.has(partition);
  }

  /** Copies all partitions; resolves to whether the new owner has them. */
  async copy(): Promise<boolean> {
    const life = this.#plan.next.lives[this.taker]!;
    const target = { address: this.taker, life, about: Giving.about(this.#plan) };
    const stream = this.#options.openStream(target, (reason) => this.#onBroken(reason));
    this.#stream = stream;
    if (!(await stream.room())) return false;
    if (!(await stream.send({ kind: 'mark', text: needMark(this.bytes) }))) return false;
    for (const partition of this.partitions) {
      if (!(await this.#copyPartition(stream, partition))) return false;
    }
    return stream.send({ kind: 'mark', text: 'copied' });
  }

  /** Sends a change of a record; resolves to whether the new owner has it. */
  mirror(piece: RecordPiece): Promise<boolean> {
    const stream = this.#stream;
    if (stream === undefined || this.#isBroken) return Promise.resolve(false);
    this.#stamp(stream);
    return stream.send(piece);
  }

  /** Ends the stream, after which nothing comes; resolves when the new owner knows, or cannot. */
  async end(): Promise<void> {
    if (this.#stream === undefined || this.#isBroken) return;
    await this.#stream.end();
  }

  close(reason: string): void {
    this.#isBroken = true;
    this.#stream?.close(reason);
  }

  /** Writes are mirrored from the first look at a partition on, so none falls between. */
  async #copyPartition(stream: RecordStream, partition: number): Promise<boolean> {
    const { scheduler, store } = this.#options;
    const { transfer } = store;
    this.#begun.add(partition);
    if (transfer.count(partition) > 0) {
      const lane = scheduler.enterUpkeep();
      let sinceShare = 0;
      for (const keys of transfer.keys(partition)) {
        for (const key of keys) {
          // What need not wait does not: promises would be a good part of a copy's time.
          const room = stream.room();
          if (!(room === true || (await room))) return false;
          const goesOn = sinceShare++ % COPIES_PER_SHARE > 0 || lane.share();
          if (goesOn !== true) await goesOn;
          const record = transfer.copy(key, partition);
          if (record === undefined) continue;
          this.#stamp(stream);
          stream.copy({ kind: 'put', cause: 'copy', partition, ...record });
        }
      }
    }
    this.bytesDone += this.#bytesOf[this.partitionsDone++]!;
    return !this.#isBroken;
  }

  /** Tells the receiver what the time was when what follows was sent. */
  #stamp(stream: RecordStream): void {
    const nowUs = this.#options.clock();
    if (nowUs - this.#stampUs < STAMP_US) return;
    this.#stampUs = nowUs;
    void stream.send({ kind: 'mark', text: clockMark(nowUs) });
  }

  #onBroken(reason: string): void {
    this.#isBroken = true;
    const { happen } = this.#options;
    happen({ kind: 'failed', reason: `the stream to ${this.taker} broke off: ${reason}` });
  }
}
