/** The changes of a store: numbers them, tells the sinks, and lets answers wait for those. */

import type { Failure } from '../base/errors.ts';
import type { Key } from '../base/key.ts';
import type { Change, PutCause, RecordState, RemovalCause, Sink } from '../record/change.ts';
import { keep, type KeptReply, type Reply } from '../record/reply.ts';

/** What an answer may have to wait for: why it fails, or nothing. */
export type Outcome = Failure | undefined;

/** Tells each sink of each change, in the order in which the sinks were attached. */
export class Changes {
  readonly #sinks: Sink[] = [];
  #number = 0;
  /** What the sinks have promised since the last answer. */
  #promises: Promise<Outcome>[] = [];

  /** Whether anybody is told; where nobody is, nothing needs to be said. */
  get isFollowed(): boolean {
    return this.#sinks.length > 0;
  }

  attach(sink: Sink): void {
    this.#sinks.push(sink);
  }

  detach(sink: Sink): void {
    const at = this.#sinks.indexOf(sink);
    if (at >= 0) this.#sinks.splice(at, 1);
  }

  /** Why clients may change nothing at present. */
  get refusal(): Outcome {
    for (const { refusal } of this.#sinks) if (refusal !== undefined) return refusal;
    return undefined;
  }

  put(cause: PutCause, partition: number, record: RecordState): void {
    this.#tell({ kind: 'put', cause, partition, number: ++this.#number, record });
  }

  removed(cause: RemovalCause, partition: number, key: Key): void {
    this.#tell({ kind: 'remove', cause, partition, number: ++this.#number, key });
  }

  cleared(partition: number): void {
    this.#tell({ kind: 'clear', partition, number: ++this.#number });
  }

  /** The answer, when all sinks have what led to it; at once if none has made a promise. */
  answer(reply: Reply): Reply | Promise<KeptReply> {
    if (this.#promises.length === 0) return reply;
    const kept = keep(reply);
    return this.#settled().then((failed) => failed ?? kept);
  }

  /** What has come of the changes since the last answer. */
  outcome(): Outcome | Promise<Outcome> {
    return this.#promises.length === 0 ? undefined : this.#settled();
  }

  /** Lets no answer wait for the changes until now: nobody has asked for them. */
  forget(): void {
    if (this.#promises.length > 0) this.#promises = [];
  }

  async #settled(): Promise<Outcome> {
    const promises = this.#promises;
    this.#promises = [];
    return (await Promise.all(promises)).find((failed) => failed !== undefined);
  }

  #tell(change: Change): void {
    for (const sink of this.#sinks) {
      const promise = sink.apply(change);
      if (promise !== undefined) this.#promises.push(promise);
    }
  }
}
