/**
 * The store in its plainest form, a `Map`: the model that the real one is compared with. It has rules of
 * its own, by what the documentation says, and shares no code with what it judges.
 */

import type { Meta } from '../src/record/reply.ts';
import type { Condition, Request } from '../src/record/request.ts';

/** What a client sees of a reply. */
export type Seen =
  | { readonly failed: string }
  | { readonly unchanged: Meta }
  | { readonly meta: Meta; readonly text: string | undefined };

interface MapRecord {
  meta: Meta;
  readonly text: string;
}

const NOTHING: Meta = { index: 0, ttlNs: 0n, accessedAt: 0, createdAt: 0, updatedAt: 0 };

export class MapStore {
  readonly #clock: () => number;
  readonly #records = new Map<string, MapRecord>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Serves a load, an index, a store or a delete. */
  serve(request: Request): Seen {
    const record = this.#live(request.key);
    const isRead = request.action === 'load' || request.action === 'index';
    if (isRead && record === undefined) return { failed: 'KEY_NOT_FOUND' };
    const condition = ('condition' in request ? request.condition : undefined) ?? {};
    if (!holds(condition.ifMatch, record, true)) return { failed: 'PRECONDITION_FAILED' };
    if (!holds(condition.ifNoneMatch, record, false)) {
      return isRead ? { unchanged: this.#access(record!) } : { failed: 'PRECONDITION_FAILED' };
    }
    if (request.action === 'store') {
      return this.#store(request.key, textOf(request), request.ttlNs ?? 0n, record?.meta);
    }
    if (request.action === 'delete') {
      this.#records.delete(request.key);
      return { meta: NOTHING, text: undefined };
    }
    if (request.action === 'index') return this.#element(record!, request.index);
    return { meta: this.#access(record!), text: record!.text };
  }

  /** The live keys. */
  keys(): string[] {
    return [...this.#records.keys()].filter((key) => this.#live(key) !== undefined);
  }

  #element(record: MapRecord, at: number): Seen {
    const value: unknown = JSON.parse(record.text);
    if (!Array.isArray(value)) return { failed: 'WRONG_TYPE' };
    if (at >= value.length) return { failed: 'INDEX_OUT_OF_RANGE' };
    return { meta: this.#access(record), text: JSON.stringify(value[at]) };
  }

  #store(key: string, text: string, ttlNs: bigint, before: Meta = NOTHING): Seen {
    const now = this.#clock();
    const meta: Meta = {
      index: before.index + 1,
      ttlNs,
      accessedAt: before.accessedAt,
      createdAt: before === NOTHING ? now : before.createdAt,
      updatedAt: now,
    };
    this.#records.set(key, { meta, text });
    return { meta, text };
  }

  /** A record is there until as many nanoseconds have passed as it was stored for. */
  #live(key: string): MapRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined || record.meta.ttlNs === 0n) return record;
    const ageNs = BigInt(this.#clock() - record.meta.updatedAt) * 1000n;
    if (ageNs < record.meta.ttlNs) return record;
    this.#records.delete(key);
    return undefined;
  }

  #access(record: MapRecord): Meta {
    record.meta = { ...record.meta, accessedAt: this.#clock() };
    return record.meta;
  }
}

/** Whether one part of a condition holds: that the record has one of these versions, or has none. */
function holds(
  versions: Condition['ifMatch'],
  record: MapRecord | undefined,
  mustMatch: boolean,
): boolean {
  if (versions === undefined) return true;
  const matches =
    record !== undefined && (versions === '*' || versions.includes(versionOf(record.meta)));
  return matches === mustMatch;
}

/** Creation time, in two parts of which the lower has 28 bits, and index, in digits and letters. */
function versionOf({ createdAt, index }: Meta): string {
  const [high, low] = [BigInt(createdAt) >> 28n, BigInt(createdAt) & 0xf_ff_ff_ffn];
  return [high, low, index].map((part) => part.toString(36)).join('-');
}

function textOf({ value }: Extract<Request, { action: 'store' }>): string {
  return value.bytes.toString('latin1', value.start, value.end);
}
