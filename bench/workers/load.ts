/** A process that loads a server: connections that each ask, wait for the reply, and ask again. */

import { connect, type Socket } from 'node:net';

import { ownedKeys } from '../ownership.ts';
import { report, workerParameters } from '../processes.ts';
import { PROTOCOLS, type Operation, type Protocol, type ProtocolName } from '../protocol.ts';
import { quantiles, type Quantiles } from '../series.ts';

export interface LoadParameters {
  readonly protocol: ProtocolName;
  /** By default 127.0.0.1. */
  readonly host?: string;
  readonly port: number;
  /** If given, only keys that this member of a cluster owns. */
  readonly ownedBy?: { readonly members: readonly string[]; readonly owner: string };
  readonly operation: Operation;
  /** A bearer token that requests over HTTP carry. */
  readonly token?: string;
  /** How many operations go out together, and are one request; 1 unless it is given. */
  readonly together?: number;
  readonly connections: number;
  /** The load ends after this many requests, */
  readonly requestsMax: number;
  /** or after this time. */
  readonly durationMaxMs: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly failures: number;
  readonly latencyMs: Quantiles;
}

/** Keys of 20 bytes, values of 50. */
const KEYS = 10_000;
const VALUE = `"${'v'.repeat(48)}"`;

/** Has no factor in common with the number of keys: the requests go through all of them. */
const STRIDE = 7919;

const RECEIVE_BYTES = 64 * 1024;

class Load {
  readonly #parameters: LoadParameters;
  readonly #protocol: Protocol;
  readonly #requests: readonly Buffer[];
  readonly #latenciesMs: Float64Array;
  readonly #startedAt = performance.now();
  #asked = 0;
  #answered = 0;
  #failures = 0;
  #open = 0;

  constructor(parameters: LoadParameters) {
    this.#parameters = parameters;
    const protocol: Protocol = PROTOCOLS[parameters.protocol];
    this.#protocol = protocol;
    this.#requests = buildRequests(parameters, protocol);
    this.#latenciesMs = new Float64Array(parameters.requestsMax);
    while (this.#open < parameters.connections) this.#connect();
  }

  #connect(): void {
    this.#open++;
    let askedAt = 0;
    let pending: Buffer | undefined;
    const ask = (): void => {
      askedAt = performance.now();
      const request = this.#nextRequest(askedAt);
      if (request === undefined) socket.end();
      else socket.write(request);
    };
    const receive = (length: number, buffer: Uint8Array): boolean => {
      const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, length);
      const received = pending === undefined ? bytes : Buffer.concat([pending, bytes]);
      const end = this.#protocol.replyEnd(received, this.#parameters.together ?? 1);
      if (end === undefined) {
        // Node reuses its buffer, so what is kept is copied.
        pending = Buffer.from(received);
        return true;
      }
      pending = undefined;
      if (!this.#protocol.isSuccess(received) || end !== received.length) this.#failures++;
      this.#latenciesMs[this.#answered++] = performance.now() - askedAt;
      ask();
      return true;
    };
    const socket: Socket = connect({
      port: this.#parameters.port,
      host: this.#parameters.host ?? '127.0.0.1',
      noDelay: true,
      onread: { buffer: Buffer.alloc(RECEIVE_BYTES), callback: receive },
    });
    socket.on('connect', ask).on('close', () => {
      if (--this.#open === 0) this.#finish();
    });
  }

  #nextRequest(now: number): Buffer | undefined {
    const { requestsMax, durationMaxMs } = this.#parameters;
    if (this.#asked === requestsMax || now - this.#startedAt > durationMaxMs) return undefined;
    return this.#requests[(this.#asked++ * STRIDE) % KEYS];
  }

  #finish(): void {
    const result: LoadResult = {
      requests: this.#answered,
      failures: this.#failures + (this.#asked - this.#answered),
      latencyMs: quantiles(this.#latenciesMs.subarray(0, this.#answered)),
    };
    report(result);
  }
}

/** A request for each key; of many operations together, those of the keys that are asked for next. */
function buildRequests(parameters: LoadParameters, protocol: Protocol): Buffer[] {
  const { operation, together = 1, token } = parameters;
  const keys = chooseKeys(parameters);
  if (together === 1)
    return keys.map((key) => Buffer.from(bearing(token, protocol.request(operation, key, VALUE))));
  return keys.map((_, at) => {
    const chosen = Array.from({ length: together }, (__, n) => keys[(at + n * STRIDE) % KEYS]!);
    return Buffer.from(protocol.batch!(operation, chosen, VALUE));
  });
}

/** A request over HTTP with a token, if there is one. */
function bearing(token: string | undefined, request: string): string {
  if (token === undefined) return request;
  return request.replace('\r\n', `\r\nAuthorization: Bearer ${token}\r\n`);
}

function chooseKeys({ ownedBy }: LoadParameters): string[] {
  if (ownedBy !== undefined) return ownedKeys(ownedBy.members, ownedBy.owner, KEYS);
  return Array.from({ length: KEYS }, (_, n) => `key:${String(n).padStart(16, '0')}`);
}

// It ends when its last connection has.
void new Load(workerParameters() as LoadParameters);
