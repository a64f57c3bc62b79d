/** A visit: one request at its route, as the handlers of the routes see it. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { BODY_OVERHEAD_BYTES_MAX } from '../base/limits.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { Exchange } from '../http/exchange.ts';
import type { Engine } from '../record/engine.ts';
import type { Access, Grant, Right } from './access.ts';
import { failLate, sendFailure } from './answer.ts';
import { announcesJson } from './negotiate.ts';

/** What the API works with. */
export interface ApiOptions {
  readonly engine: Engine;
  /** Shares out the time for what takes long. */
  readonly scheduler: Scheduler;
  /** Who may do what; everybody everything, unless it is given. */
  readonly access?: Access | undefined;
  /** Largest value, in bytes of JSON text. */
  readonly valueBytesMax: number;
  /** The origins whose web pages may read answers, `*` for all; with none no page may. */
  readonly corsOrigins?: readonly string[] | undefined;
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
}

/** Where a request target leads: the key, as the path writes it, and what follows the question mark. */
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

  /** Lets the handler do its work; a defect is answered by 500. */
  answer(): void {
    this.#guard(() => this.#offer.handle(this));
  }

  /** Why the body cannot be read, as far as its head tells. */
  bodyRefusal(): Failure | undefined {
    const type = this.exchange.header('content-type');
    if (!announcesJson(type)) {
      return failure('UNSUPPORTED_MEDIA_TYPE', `the Content-Type is ${type}, not application/json`);
    }
    const coding = this.exchange.header('content-encoding') ?? 'identity';
    if (coding === 'identity') return undefined;
    const detail = `the Content-Encoding is ${coding}, not identity`;
    return failure('UNSUPPORTED_MEDIA_TYPE', detail);
  }

  /** Lets `use` have the whole body, later; answers the request if there can be none. */
  receive(use: (body: Buffer) => void | Promise<void>): void {
    const bytesMax = this.options.valueBytesMax + BODY_OVERHEAD_BYTES_MAX;
    this.exchange.receive(bytesMax, (body) => {
      if (isFailure(body)) sendFailure(this.exchange, body);
      else this.#guard(() => use(body));
    });
  }

  #guard(work: () => void | Promise<void>): void {
    const fail = (error: unknown): void => {
      this.options.onDefect(error);
      failLate(this.exchange, failure('INTERNAL_ERROR', 'this is a defect of memhashd'));
    };
    try {
      work()?.catch(fail);
    } catch (error) {
      fail(error);
    }
  }
}
