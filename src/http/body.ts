/** Receiving request bodies, bounded each and all together. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import { failure, type Failure } from '../errors.ts';
import { BODIES_IN_FLIGHT_BYTES_MAX } from '../limits.ts';

/** Collects bodies of at most `maxBytes` each. */
export class BodyReceiver {
  readonly #maxBytes: number;
  #inFlightBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Calls `done` once: with the whole body, or with the failure as soon as it is clear that the body
   * is too large. Never calls it if the client goes away first. A refused body is read to its end and
   * dropped, so that the client gets to see the answer.
   */
  receive(req: IncomingMessage, res: ServerResponse, done: (body: Buffer | Failure) => void): void {
    const announced = Number(req.headers['content-length'] ?? 0);
    const refusal = this.#refusal(announced);
    if (refusal !== undefined) {
      // Without its 100 the client may send the next request or the body: only a close is clear.
      if (req.headers.expect !== undefined) res.shouldKeepAlive = false;
      done(refusal);
      return;
    }
    if (req.headers.expect !== undefined) res.writeContinue();

    let chunks: Buffer[] = [];
    let reservedBytes = announced;
    let receivedBytes = 0;
    let isDone = false;
    this.#inFlightBytes += reservedBytes;
    const finish = (outcome: Buffer | Failure | undefined): void => {
      if (isDone) return;
      isDone = true;
      chunks = [];
      this.#inFlightBytes -= reservedBytes;
      if (outcome !== undefined) done(outcome);
    };
    req.on('data', (chunk: Buffer) => {
      if (isDone) return;
      chunks.push(chunk);
      receivedBytes += chunk.length;
      const extraBytes = Math.max(0, receivedBytes - reservedBytes);
      if (extraBytes === 0) return;
      const tooMuch = this.#refusal(receivedBytes, extraBytes);
      if (tooMuch !== undefined) finish(tooMuch);
      reservedBytes += isDone ? 0 : extraBytes;
      this.#inFlightBytes += isDone ? 0 : extraBytes;
    });
    req.on('end', () => {
      const [first] = chunks;
      finish(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks));
    });
    req.on('close', () => finish(undefined));
  }

  #refusal(bodyBytes: number, extraBytes = bodyBytes): Failure | undefined {
    if (bodyBytes > this.#maxBytes) {
      return failure('BODY_TOO_LARGE', `a body has at most ${this.#maxBytes} bytes`);
    }
    if (this.#inFlightBytes + extraBytes > BODIES_IN_FLIGHT_BYTES_MAX) {
      return failure('OVERLOADED', 'too many bodies are arriving at the same time');
    }
    return undefined;
  }
}
