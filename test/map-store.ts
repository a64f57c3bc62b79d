/** The store in its plainest form, a `Map`: the model that the real one is compared with. */

import type { Clock } from '../src/base/clock.ts';
import { failure, type Failure } from '../src/base/errors.ts';
import { finish } from '../src/base/json/scan.ts';
import { keyText, type Key } from '../src/base/key.ts';
import { brokenCondition, preconditionFailed } from '../src/record/condition.ts';
import { deadlineOf, isLive } from '../src/record/expiry.ts';
import type { Lister, KeyQuery } from '../src/record/lister.ts';
import { select } from '../src/record/part.ts';
import {
  NO_META,
  type Meta,
  type NodeRef,
  type Reply,
  type ByteRange,
} from '../src/record/reply.ts';
import { isEdit, type Request, type StoreRequest } from '../src/record/request.ts';

interface MapRecord {
  meta: Meta;
  value: ByteRange;
  deadline: number;
}

export class MapStore implements Lister {
  readonly #node: NodeRef;
  readonly #clock: Clock;
  readonly #records = new Map<Key, MapRecord>();

  constructor(node: NodeRef, clock: Clock) {
    this.#node = node;
    this.#clock = clock;
  }

  serve(request: Request): Reply {
    const now = this.#clock();
    const record = this.#live(request.key, now);
    const condition = 'condition' in request ? request.condition : undefined;
    const broken = brokenCondition(condition, record?.meta);
    if (broken === 'ifNoneMatch' && request.action === 'load' && record !== undefined) {
      return { status: 'unchanged', node: this.#node, meta: this.#access(record, now).meta };
    }
    if (broken !== undefined && (record !== undefined || request.action !== 'load')) {
      return preconditionFailed(request, record?.meta);
    }
    if (isEdit(request) || request.action === 'expire') {
      return failure('INTERNAL_ERROR', 'this is not served yet');
    }
    if (request.action === 'store') return this.#store(request, record, now);
    if (request.action === 'delete') {
      this.#records.delete(request.key);
      return { status: 'ok', node: this.#node, meta: NO_META, value: undefined };
    }
    if (record === undefined) return missing(request);
    const value = request.action === 'load' ? record.value : finish(select(request, record.value));
    if ('status' in value) return value;
    return { status: 'ok', node: this.#node, meta: this.#access(record, now).meta, value };
  }

  /** The live keys in byte order, in one slice. */
  *list({ prefix, after = '' as Key }: KeyQuery): Generator<Key[]> {
    const now = this.#clock();
    const keys = [...this.#records.keys()].filter(
      (key) => key > after && key.startsWith(prefix) && this.#live(key, now) !== undefined,
    );
    yield keys.toSorted((a, b) => (a < b ? -1 : 1));
  }

  /** Removes what has expired. */
  purge(): void {
    const now = this.#clock();
    for (const key of this.#records.keys()) this.#live(key, now);
  }

  #live(key: Key, now: number): MapRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined || isLive(record.deadline, now)) return record;
    this.#records.delete(key);
    return undefined;
  }

  #access(record: MapRecord, now: number): MapRecord {
    record.meta = { ...record.meta, accessedAt: now };
    return record;
  }

  #store(request: StoreRequest, before: MapRecord | undefined, now: number): Reply {
    const { bytes, start, end } = request.value;
    const meta: Meta = {
      index: (before?.meta.index ?? 0) + 1,
      ttlNs: request.ttlNs,
      accessedAt: before?.meta.accessedAt ?? 0,
      createdAt: before?.meta.createdAt ?? now,
      updatedAt: now,
    };
    const copy = Buffer.from(bytes.subarray(start, end));
    const value = { bytes: copy, start: 0, end: copy.length };
    this.#records.set(request.key, {
      meta,
      value,
      deadline: deadlineOf(now, Number(request.ttlNs)),
    });
    return { status: 'ok', node: this.#node, meta, value };
  }
}

function missing(request: Request): Failure {
  const key = keyText(request.key);
  return failure('KEY_NOT_FOUND', `unable to ${request.action} ${key} key, ${key} does not exist`);
}
