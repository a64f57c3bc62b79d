/** A visit: one request at its route, as the handlers of the routes see it. */

import { failure, isFailure, type Failure, type FailureCode } from '../base/errors.ts';
import { BODY_OVERHEAD_BYTES_MAX } from '../base/limits.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Timers } from '../base/timers.ts';
import type { Turns } from '../base/turns.ts';
import { headerLine, type Exchange } from '../http/exchange.ts';
import type { Engine } from '../record/engine.ts';
import type { Access, Grant, Right } from './access.ts';
import { failLate, sendFailure } from './answer.ts';
import { announces, JSON_TYPE } from './negotiate.ts';
import type { AnswerHeader, ParameterName, RequestHeader } from './parameters.ts';
import { parseQuery } from './query.ts';
import type { SchemaName } from './schemas.ts';

/** Something that must hold for requests to be served. */
export interface HealthCheck {
  readonly name: string;
  /** What is wrong, undefined if it holds. */
  readonly problem: string | undefined;
}

/** The present values of all metrics, as text of the given type, and what the API counts for them. */
interface Metrics {
  readonly contentType: string;
  render(): Promise<string>;
  /** A batch of so many operations is about to be done. */
  onBatch(operations: number): void;
}

/** What the API works with. */
export interface ApiOptions {
  readonly engine: Engine;
  /** Shares out the time for what takes long. */
  readonly scheduler: Scheduler;
  /** Who may do what; everybody everything, unless it is given. */
  readonly access?: Access | undefined;
  /** Those of the process, unless it is given. */
  readonly timers?: Timers | undefined;
  /** Where those who watch wait for each other; one of the process, unless it is given. */
  readonly turns?: Turns | undefined;
  /** Largest value, in bytes of JSON text. */
  readonly valueBytesMax: number;
  /** The origins whose web pages may read answers, `*` for all; with none no page may. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Ends what would go on for ever, when the node closes. */
  readonly closing?: AbortSignal | undefined;
  /** What must hold for requests to be served. */
  readonly checks?: () => readonly HealthCheck[];
  /** What `/metrics` shows. */
  readonly metrics?: Metrics;
  /** Writes all records of this node into a file; undefined where they are in memory only. */
  readonly snapshot?: (() => Promise<object | Failure>) | undefined;
  /** Told of defects: exceptions, which no request should cause. */
  readonly onDefect: (error: unknown) => void;
}

/** Answers a visit, now or when the promise is settled; what it throws is a defect. */
export type Handler = (visit: Visit) => void | Promise<void>;

/** What a route serves with one method. */
export interface Offer {
  /** What it takes; undefined for what everybody may see. */
  readonly right: Right | undefined;
  readonly handle: Handler;
  /** What it does, in a line. */
  readonly about: string;
  /** The parameters that its query may have, and which of them several times. */
  readonly query?: readonly ParameterName[];
  readonly repeated?: readonly ParameterName[];
  /** The headers that mean something here, beside those that always do. */
  readonly headers?: readonly RequestHeader[];
  /** The document that its body is; none unless it is given. */
  readonly body?: SchemaName;
  /** The media types that its body may have; JSON unless it is given. */
  readonly types?: readonly string[];
  /** The status of its answer; 200 unless it is given. */
  readonly status?: number;
  /** The document that its answer in JSON is. */
  readonly answer?: SchemaName;
  /** The media types of its answer; JSON unless it is given. */
  readonly answers?: readonly string[];
  /** The headers of its answer that tell something. */
  readonly shows?: readonly AnswerHeader[];
  /** How it may fail, beside what may always happen, or does because of what is said above. */
  readonly fails?: readonly FailureCode[];
}

/** A path and what is served there. GET serves HEAD too, and OPTIONS is served everywhere. */
export interface Row {
  /** `{key}` and `{node}` stand for one segment. */
  readonly path: string;
  readonly methods: Readonly<Record<string, Offer>>;
}

const JSON_ONLY = [JSON_TYPE];
const NO_PARAMETERS: readonly ParameterName[] = [];

/** What a query says, by the names of its parameters. */
export type Parameters = Partial<Record<ParameterName, string>>;

/** Where a request target leads: the key or the node, as the path writes it, and what follows the question mark. */
export interface Place {
  readonly writtenKey: string;
  readonly query: string;
}

export class Visit {
  readonly exchange: Exchange;
  readonly place: Place;
  /** What the client may do; the right of the route it has. */
  readonly grant: Grant;
  readonly options: ApiOptions;
  readonly #offer: Offer;

  constructor(exchange: Exchange, place: Place, offer: Offer, grant: Grant, options: ApiOptions) {
    this.exchange = exchange;
    this.grant = grant;
    this.place = place;
    this.options = options;
    this.#offer = offer;
  }

  /** What the query says; a failure if that is not what the route takes. */
  parameters(): Parameters | Failure {
    return parseQuery(this.place.query, this.#offer.query ?? NO_PARAMETERS);
  }

  /** Lets the handler do its work; a defect is answered by 500. */
  answer(): void {
    try {
      this.#offer.handle(this)?.catch((error: unknown) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Lets `use` have the whole body, later; answers the request if there can be none. */
  receive(use: (body: Buffer) => void | Promise<void>): void {
    const { types = JSON_ONLY } = this.#offer;
    const refusal = bodyRefusal(this.exchange, types);
    if (refusal !== undefined) {
      const accepts = this.exchange.method === 'PATCH' ? 'Accept-Patch' : 'Accept';
      sendFailure(this.exchange, refusal, headerLine(accepts, types.join(', ')));
      return;
    }
    const bytesMax = this.options.valueBytesMax + BODY_OVERHEAD_BYTES_MAX;
    this.exchange.receive(bytesMax, (body) => {
      try {
        if (isFailure(body)) sendFailure(this.exchange, body);
        else use(body)?.catch((error: unknown) => this.#fail(error));
      } catch (error) {
        this.#fail(error);
      }
    });
  }

  #fail(error: unknown): void {
    this.options.onDefect(error);
    failLate(this.exchange, failure('INTERNAL_ERROR', 'this is a defect of memhashd'));
  }
}

/** Why a body cannot be read, as far as its head tells. */
function bodyRefusal(exchange: Exchange, types: readonly string[]): Failure | undefined {
  const type = exchange.header('content-type');
  if (!announces(type, types)) {
    const detail = `the Content-Type is ${type ?? 'missing'}, not ${types.join(' or ')}`;
    return failure('UNSUPPORTED_MEDIA_TYPE', detail);
  }
  const coding = exchange.header('content-encoding') ?? 'identity';
  if (coding === 'identity') return undefined;
  return failure('UNSUPPORTED_MEDIA_TYPE', `the Content-Encoding is ${coding}, not identity`);
}
