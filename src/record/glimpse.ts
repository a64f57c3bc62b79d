/** What is seen of records that are at hand: for many operations at once, without an object for each. */

import type { Meta } from './reply.ts';

type Version = Pick<Meta, 'createdAt' | 'index'>;

/** The version and the value of a record. There is one for all that are seen: read it before the next look. */
export class Glimpse implements Version {
  createdAt = 0;
  index = 0;
  /** The value's bytes lie from `start` to `end` of this; none do where it is not shown. */
  view: DataView = NOTHING;
  start = 0;
  end = 0;

  /** Shows this version, without a value. */
  of({ createdAt, index }: Version): this {
    this.createdAt = createdAt;
    this.index = index;
    this.view = NOTHING;
    this.start = this.end = 0;
    return this;
  }
}

const NOTHING: DataView = new DataView(new ArrayBuffer(0));

/** What a look finds: a record, that there is none, or undefined where only a request can tell. */
export type Sight = Glimpse | 'nothing' | undefined;
