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
  /** Requests that a connection sends before it waits for their answers; 1 unless it is given. */
  readonly pipelined?: number;
  /** The size of values in JSON; 50 unless it is given. */
  readonly valueBytes?: number;
  /** How many keys the load goes through; 10,000 unless it is given. */
  readonly keys?: number;
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

/** Keys have 20 bytes. */
const KEYS = 10_000;
const VALUE_BYTES = 50;

/** A prime: the requests go through all of the keys. */
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
    let outstanding = 0;
    let pending: Buffer | undefined;
    const ask = (): void => {
      askedAt = performance.now();
      const requests = this.#nextRequests(askedAt);
      outstanding = requests.length;
      if (outstanding === 0) socket.end();
      else socket.write(outstanding === 1 ? requests[0]! : Buffer.concat(requests));
    };
    const receive = (length: number, buffer: Uint8Array): boolean => {
      const bytes = Buffer.from(buffer.buffer, buffer.byteOffset, length);
      let received = pending === undefined ? bytes : Buffer.concat([pending, bytes]);
      for (let end: number | undefined; outstanding > 0; outstanding--) {
        end = this.#protocol.replyEnd(received, this.#parameters.together ?? 1);
        if (end === undefined) break;
        if (!this.#protocol.isSuccess(received)) this.#failures++;
        this.#latenciesMs[this.#answered++] = performance.now() - askedAt;
        received = received.subarray(end);
      }
      if (outstanding > 0) {
        // Node reuses its buffer, so what is kept is copied.
        pending = Buffer.from(received);
        return true;
      }
      pending = undefined;
      if (received.length > 0) this.#failures++;
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

  /** What a connection sends next; nothing when the load ends. */
  #nextRequests(now: number): Buffer[] {
    const { requestsMax, durationMaxMs, pipelined = 1 } = this.#parameters;
    const requests: Buffer[] = [];
    if (now - this.#startedAt > durationMaxMs) return requests;
    while (requests.length < pipelined && this.#asked < requestsMax) {
      requests.push(this.#requests[(this.#asked++ * STRIDE) % this.#requests.length]!);
    }
    return requests;
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
  const { operation, together = 1, token, valueBytes = VALUE_BYTES } = parameters;
  const keys = chooseKeys(parameters);
  const value = `"${'v'.repeat(valueBytes - 2)}"`;
  if (together === 1)
    return keys.map((key) => Buffer.from(bearing(token, protocol.request(operation, key, value))));
  return keys.map((_, at) => {
    const chosen = Array.from(
      { length: together },
      (__, n) => keys[(at + n * STRIDE) % keys.length]!,
    );
    return Buffer.from(protocol.batch!(operation, chosen, value));
  });
}

/** A request over HTTP with a token, if there is one. */
function bearing(token: string | undefined, request: string): string {
  if (token === undefined) return request;
  return request.replace('\r\n', `\r\nAuthorization: Bearer ${token}\r\n`);
}

function chooseKeys({ ownedBy, keys = KEYS }: LoadParameters): string[] {
  if (ownedBy !== undefined) return ownedKeys(ownedBy.members, ownedBy.owner, keys);
  return Array.from({ length: keys }, (_, n) => `key:${String(n).padStart(16, '0')}`);
}

// It ends when its last connection has.
void new Load(workerParameters() as LoadParameters);
