/** `POST /v1/batch`: many operations in one request, each with an outcome of its own. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import { finish } from '../base/json/scan.ts';
import type { Key } from '../base/key.ts';
import { BATCH_UNDER_WAY_MAX, SMALL_TEXT_BYTES_MAX } from '../base/limits.ts';
import type { Lane } from '../base/scheduler.ts';
import type { AtHand } from '../record/engine.ts';
import { keep, type KeptReply } from '../record/reply.ts';
import { ACTIONS, type Request } from '../record/request.ts';
import { sendFailure } from './answer.ts';
import { readBatch, type Operations } from './batch-document.ts';
import { BatchResults, type Wish } from './batch-results.ts';
import type { Visit } from './visit.ts';

/** Operations between two looks at the time. */
const PIECE_OPERATIONS = 64;

/** Answers a batch. */
export function serveBatch(visit: Visit): void {
  const { exchange } = visit;
  const wish = parseWish(visit);
  if (isFailure(wish)) return sendFailure(exchange, wish);
  return visit.receive((body) => answerBatch(visit, wish, body));
}

function parseWish(visit: Visit): Wish | Failure {
  const parameters = visit.parameters();
  if (isFailure(parameters)) return parameters;
  const { meta = 'false' } = parameters;
  if (meta !== 'true' && meta !== 'false') {
    return failure('INVALID_PARAMETER', 'meta is true or false');
  }
  const minimal = /(?:^|,)\s*return\s*=\s*"?minimal"?\s*(?:[,;]|$)/i;
  return { meta: meta === 'true', minimal: minimal.test(visit.exchange.header('prefer') ?? '') };
}

async function answerBatch(visit: Visit, wish: Wish, body: Buffer): Promise<void> {
  const { exchange, options } = visit;
  const steps = readBatch(body, options.valueBytesMax);
  const isGone = (): boolean => exchange.isGone;
  const operations =
    body.length <= SMALL_TEXT_BYTES_MAX
      ? finish(steps)
      : await options.scheduler.run('client', steps, isGone);
  if (isFailure(operations)) return sendFailure(exchange, operations);
  const lane = options.scheduler.enter('client', isGone);
  if (isFailure(lane)) return sendFailure(exchange, lane);
  options.metrics?.onBatch(operations.count);
  const results = new BatchResults(exchange, wish);
  try {
    await new BatchRun(visit, wish, operations, results).run(lane);
  } finally {
    results.free();
    operations.free();
  }
}

/** Has the operations of a batch served: those on one key in their order. */
class BatchRun {
  readonly #visit: Visit;
  readonly #operations: Operations;
  readonly #results: BatchResults;
  readonly #isGone: () => boolean;
  /** Why the client may load or change nothing. */
  readonly #readRefusal: Failure | undefined;
  readonly #writeRefusal: Failure | undefined;
  /** Whether what is seen of a record is enough, and the client may touch every key. */
  readonly #canSee: boolean;
  /** What is under way, by key: the last of each. */
  readonly #underWay = new Map<Key, Promise<unknown>>();
  #underWayCount = 0;
  #defect: unknown;
  /** Called when something that was under way is done. */
  #onDone = (): void => {};

  constructor(visit: Visit, wish: Wish, operations: Operations, results: BatchResults) {
    const { grant } = visit;
    this.#visit = visit;
    this.#operations = operations;
    this.#results = results;
    this.#isGone = () => visit.exchange.isGone;
    this.#readRefusal = grant.refusal('read');
    this.#writeRefusal = grant.refusal('write');
    this.#canSee = !wish.meta && grant.coversAll;
  }

  async run(lane: Lane): Promise<void> {
    for (let at = 0; at < this.#operations.count; ) {
      if (at > 0 && !(await lane.share())) return;
      at = this.#servePiece(at);
      await this.#fewerThan(BATCH_UNDER_WAY_MAX);
      if (this.#results.isLong) await this.#results.flush();
    }
    await this.#fewerThan(1);
    this.#results.end();
  }

  /** Serves some operations from a position on; the position behind them. */
  #servePiece(from: number): number {
    const { engine } = this.#visit.options;
    const until = Math.min(from + PIECE_OPERATIONS, this.#operations.count);
    let hand: AtHand | undefined;
    let at = from;
    while (at < until && !this.#results.isLong) {
      if (this.#canSee && this.#results.next === at) hand ??= engine.atHand?.();
      else hand = undefined;
      if (hand === undefined || !this.#see(hand, at)) {
        this.#serve(at);
        hand = undefined;
      }
      at++;
    }
    return at;
  }

  /** Serves the cheapest operations of all: plain loads and stores of what is at hand. */
  #see(hand: AtHand, at: number): boolean {
    const operations = this.#operations;
    const kind = operations.kindOf(at);
    const key = kind === 'other' ? undefined : operations.keyRange(at);
    if (key === undefined) return false;
    if (kind === 'load') {
      const sight = this.#readRefusal === undefined ? hand.load(operations.text, key) : undefined;
      return sight !== undefined && this.#results.see(sight);
    }
    const value = this.#writeRefusal === undefined ? operations.valueRange(at) : undefined;
    const sight = value && hand.store(operations.text, key, value);
    return sight !== undefined && this.#results.see(sight);
  }

  #serve(at: number): void {
    const operation = this.#operations.operation(at);
    if (isFailure(operation)) return this.#results.put(at, operation, operation);
    const refusal = this.#refusalOf(operation);
    if (refusal !== undefined) return this.#results.put(at, operation, refusal);
    const { engine } = this.#visit.options;
    const before = this.#underWay.size > 0 ? this.#underWay.get(operation.key) : undefined;
    const reply =
      before === undefined
        ? engine.serve(operation, this.#isGone)
        : before.then(async () => keep(await engine.serve(operation, this.#isGone)));
    if (reply instanceof Promise) void this.#await(at, operation, reply);
    else this.#results.put(at, operation, reply);
  }

  async #await(at: number, request: Request, reply: Promise<KeptReply>): Promise<void> {
    const { key } = request;
    this.#underWayCount++;
    this.#underWay.set(key, reply);
    try {
      this.#results.put(at, request, await reply);
    } catch (error) {
      this.#defect ??= error;
    }
    this.#underWayCount--;
    if (this.#underWay.get(key) === reply) this.#underWay.delete(key);
    this.#onDone();
  }

  /** Resolves when fewer than `count` operations are under way. */
  async #fewerThan(count: number): Promise<void> {
    while (this.#underWayCount >= count) {
      await new Promise<void>((resolve) => (this.#onDone = resolve));
    }
    if (this.#defect !== undefined) throw this.#defect;
  }

  /** Why the client may not have this done, undefined if it may. */
  #refusalOf({ action, key }: Request): Failure | undefined {
    const refusal = ACTIONS[action].writes ? this.#writeRefusal : this.#readRefusal;
    return refusal ?? this.#visit.grant.keyRefusal(key);
  }
}
