/** A process that loads a server: connections that each ask, wait for the reply, and ask again. */

import { connect, type Socket } from 'node:net';

import { report, workerParameters } from '../processes.ts';
import { PROTOCOLS, type Operation, type ProtocolName } from '../protocol.ts';
import { quantiles, type Quantiles } from '../series.ts';

export interface LoadParameters {
  readonly protocol: ProtocolName;
  readonly port: number;
  readonly operation: Operation;
  readonly connections: number;
  /** The load ends after this many requests, */
  readonly requestsMax: number;
  /** or after this time. */
  readonly durationMaxMs: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly durationMs: number;
  readonly latencyMs: Quantiles;
}

/** Keys of 20 bytes, values of 50. */
const KEYS = 10_000;
/** Has no factor in common with the number of keys: the requests go through all of them. */
const STRIDE = 7919;

const parameters = workerParameters() as LoadParameters;
const protocol = PROTOCOLS[parameters.protocol];
const value = `"${'v'.repeat(48)}"`;
const requests = Array.from({ length: KEYS }, (_, n) =>
  Buffer.from(protocol.request(parameters.operation, `key:${String(n).padStart(16, '0')}`, value)),
);
const latenciesMs = new Float64Array(parameters.requestsMax);
let asked = 0;
let answered = 0;
let failures = 0;
let open = parameters.connections;
const startedAt = performance.now();

for (let n = 0; n < parameters.connections; n++) openConnection();

function openConnection(): void {
  let askedAt = 0;
  let pending: Buffer | undefined;
  const ask = (): void => {
    askedAt = performance.now();
    if (asked === parameters.requestsMax || askedAt - startedAt > parameters.durationMaxMs) {
      socket.end();
      return;
    }
    socket.write(requests[(asked++ * STRIDE) % KEYS]!);
  };
  const receive = (length: number, buffer: Uint8Array): boolean => {
    const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, length);
    // Node reuses its buffer, so what is kept is copied.
    const received = pending === undefined ? bytes : Buffer.concat([pending, bytes]);
    const end = protocol.replyEnd(received);
    if (end === undefined) {
      pending = Buffer.from(received);
      return true;
    }
    pending = undefined;
    if (!protocol.isSuccess(received) || end !== received.length) failures++;
    latenciesMs[answered++] = performance.now() - askedAt;
    ask();
    return true;
  };
  const socket: Socket = connect({
    port: parameters.port,
    host: '127.0.0.1',
    noDelay: true,
    onread: { buffer: Buffer.alloc(64 * 1024), callback: receive },
  });
  socket.on('connect', ask);
  socket.on('close', () => {
    if (--open === 0) finish();
  });
}

function finish(): void {
  const result: LoadResult = {
    requests: answered,
    failures: failures + (asked - answered),
    durationMs: performance.now() - startedAt,
    latencyMs: quantiles(latenciesMs.subarray(0, answered)),
  };
  report(result);
}
