/** Receiving request bodies, bounded each and all together. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import { failure, type Failure } from '../base/errors.ts';
import { BODIES_IN_FLIGHT_BYTES_MAX } from '../base/limits.ts';

/** Collects bodies. */
export class BodyReceiver {
  /** The bytes of all bodies on their way: as announced or, where that is more, as received. */
  #inFlightBytes = 0;

  /**
   * Calls `done` once: with the whole body, or with the failure as soon as it is clear that the body
   * is too large. Never calls it if the client goes away first. A refused body is read to its end and
   * dropped, so that the client gets to see the answer.
   */
  receive(
    req: IncomingMessage,
    res: ServerResponse,
    maxBytes: number,
    done: (body: Buffer | Failure) => void,
  ): void {
    const isAwaitingContinue = req.headers.expect !== undefined && req.httpVersion !== '1.0';
    let chunks: Buffer[] | undefined = [];
    let receivedBytes = 0;
    let reservedBytes = 0;

    const finish = (outcome?: Buffer | Failure): void => {
      if (chunks === undefined) return;
      chunks = undefined;
      this.#inFlightBytes -= reservedBytes;
      if (outcome !== undefined) done(outcome);
    };
    const reserve = (bodyBytes: number): void => {
      const extraBytes = Math.max(0, bodyBytes - reservedBytes);
      const refusal = this.#refusal(bodyBytes, extraBytes, maxBytes);
      if (refusal === undefined) {
        reservedBytes += extraBytes;
        this.#inFlightBytes += extraBytes;
        return;
      }
      // Without its 100 the client may send the body or the next request: only a close is clear.
      if (isAwaitingContinue) res.shouldKeepAlive = false;
      finish(refusal);
    };

    reserve(Number(req.headers['content-length'] ?? 0));
    if (chunks === undefined) return;
    if (isAwaitingContinue) res.writeContinue();
    req.on('data', (chunk: Buffer) => {
      receivedBytes += chunk.length;
      chunks?.push(chunk);
      if (receivedBytes > reservedBytes) reserve(receivedBytes);
    });
    req.on('end', () => finish(chunks?.length === 1 ? chunks[0] : Buffer.concat(chunks ?? [])));
    req.on('close', () => finish());
  }

  /** Why there is no room for a body of `bodyBytes`, of which `extraBytes` are not reserved yet. */
  #refusal(bodyBytes: number, extraBytes: number, maxBytes: number): Failure | undefined {
    if (bodyBytes > maxBytes) {
      return failure('BODY_TOO_LARGE', `a body has at most ${maxBytes} bytes`);
    }
    if (this.#inFlightBytes + extraBytes > BODIES_IN_FLIGHT_BYTES_MAX) {
      return failure('OVERLOADED', 'too many bodies are arriving at the same time');
    }
    return undefined;
  }
}
