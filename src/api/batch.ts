/** `POST /v1/batch`: many operations in one request, each with an outcome of its own. */

import { failure, httpStatus, isFailure, type Failure } from '../base/errors.ts';
import { finish } from '../base/json/scan.ts';
import {
  ANSWER_CHUNK_CHARS,
  BATCH_ANSWER_BYTES_MAX,
  BATCH_UNDER_WAY_MAX,
  SMALL_TEXT_BYTES_MAX,
} from '../base/limits.ts';
import type { Exchange } from '../http/exchange.ts';
import type { KeptReply, Reply } from '../record/reply.ts';
import { ACTIONS, type Action, type Request } from '../record/request.ts';
import { versionOf } from '../record/version.ts';
import type { Grant } from './access.ts';
import { byteString, JSON_HEAD, renderMeta, renderNode, sendFailure } from './answer.ts';
import { ANY_VERSION, readBatch, type Operation } from './batch-document.ts';
import { parseQuery } from './query.ts';
import type { Visit } from './visit.ts';

/** Operations between two looks at the time. */
const PIECE_OPERATIONS = 64;

/** What the client wants to be told of each operation. */
interface Wish {
  /** Meta and node of what was served. */
  readonly meta: boolean;
  /** Only failures, each with its position. */
  readonly minimal: boolean;
}

/** Answers a batch. */
export function serveBatch(visit: Visit): void {
  const { exchange } = visit;
  const wish = parseWish(visit);
  if (isFailure(wish)) return sendFailure(exchange, wish);
  return visit.receive((body) => answerBatch(visit, wish, body));
}

function parseWish({ exchange, place }: Visit): Wish | Failure {
  const parameters = parseQuery(place.query, ['meta']);
  if (isFailure(parameters)) return parameters;
  const { meta = 'false' } = parameters;
  if (meta !== 'true' && meta !== 'false') {
    return failure('INVALID_PARAMETER', 'meta is true or false');
  }
  const minimal = /(?:^|,)\s*return\s*=\s*"?minimal"?\s*(?:[,;]|$)/i;
  return { meta: meta === 'true', minimal: minimal.test(exchange.header('prefer') ?? '') };
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
  const results = new Results(exchange, operations, wish);
  const run = new BatchRun(visit, operations, results);
  return run.run();
}

/** Has the operations of a batch served, in their order. */
class BatchRun {
  readonly #visit: Visit;
  readonly #operations: readonly Operation[];
  readonly #results: Results;
  readonly #isGone: () => boolean;
  #underWay = 0;
  #defect: unknown;
  /** Called when something that was under way is done. */
  #onDone = (): void => {};

  constructor(visit: Visit, operations: readonly Operation[], results: Results) {
    this.#visit = visit;
    this.#operations = operations;
    this.#results = results;
    this.#isGone = () => visit.exchange.isGone;
  }

  async run(): Promise<void> {
    const { exchange, options } = this.#visit;
    const lane = options.scheduler.enter('client', this.#isGone);
    if (isFailure(lane)) return sendFailure(exchange, lane);
    for (let at = 0; at < this.#operations.length; at += PIECE_OPERATIONS) {
      if (at > 0 && !(await lane.share())) return;
      this.#serve(at, Math.min(at + PIECE_OPERATIONS, this.#operations.length));
      await this.#fewerThan(BATCH_UNDER_WAY_MAX);
      if (this.#results.isLong) await this.#results.flush();
    }
    await this.#fewerThan(1);
    this.#results.end();
  }

  #serve(from: number, until: number): void {
    const { grant, options } = this.#visit;
    for (let at = from; at < until; at++) {
      const operation = this.#operations[at]!;
      const refusal = isFailure(operation) ? operation : refusalOf(operation, grant);
      const reply = refusal ?? options.engine.serve(operation as Request, this.#isGone);
      if (reply instanceof Promise) void this.#await(at, reply);
      else this.#results.put(at, reply);
    }
  }

  async #await(at: number, reply: Promise<KeptReply>): Promise<void> {
    this.#underWay++;
    try {
      this.#results.put(at, await reply);
    } catch (error) {
      this.#defect ??= error;
    }
    this.#underWay--;
    this.#onDone();
  }

  /** Resolves when fewer than `count` operations are under way. */
  async #fewerThan(count: number): Promise<void> {
    while (this.#underWay >= count) {
      await new Promise<void>((resolve) => (this.#onDone = resolve));
    }
    if (this.#defect !== undefined) throw this.#defect;
  }
}

/** The results of a batch on their way to the client: in the order of the operations, as they come. */
class Results {
  readonly #exchange: Exchange;
  readonly #operations: readonly Operation[];
  readonly #wish: Wish;
  readonly #headers: readonly string[];
  #text = '{"results":[';
  #separator = '\n';
  /** The position whose result is written next … */
  #next = 0;
  /** … and results that came before it was their turn. */
  readonly #early = new Map<number, string>();
  #chars = 0;
  #failed = 0;

  constructor(exchange: Exchange, operations: readonly Operation[], wish: Wish) {
    this.#exchange = exchange;
    this.#operations = operations;
    this.#wish = wish;
    this.#headers = wish.minimal
      ? [...JSON_HEAD, 'Preference-Applied', 'return=minimal']
      : JSON_HEAD;
  }

  /** Whether enough is gathered for a chunk. */
  get isLong(): boolean {
    return this.#text.length >= ANSWER_CHUNK_CHARS;
  }

  /** Takes the outcome at a position, at once: the reply's value may not be there later. */
  put(at: number, reply: Reply): void {
    const text = this.#render(at, reply);
    this.#chars += text.length;
    if (at !== this.#next) {
      this.#early.set(at, text);
      return;
    }
    this.#write(text);
    if (this.#early.size > 0) this.#catchUp();
  }

  /** Writes what is gathered; resolves when there may be more. */
  async flush(): Promise<void> {
    if (!this.#exchange.isAnswered) this.#exchange.begin(200, this.#headers);
    const text = this.#text;
    this.#text = '';
    if (!this.#exchange.write(text)) await this.#exchange.drained();
  }

  end(): void {
    const text = `${this.#text}\n],"failed":${this.#failed}}\n`;
    if (this.#exchange.isAnswered) this.#exchange.end(text);
    else this.#exchange.send(200, this.#headers, text);
  }

  #write(text: string): void {
    this.#next++;
    if (text === '') return;
    this.#text += this.#separator + text;
    this.#separator = ',\n';
  }

  #catchUp(): void {
    for (let text = this.#early.get(this.#next); text !== undefined; ) {
      this.#early.delete(this.#next);
      this.#write(text);
      text = this.#early.get(this.#next);
    }
  }

  #render(at: number, reply: Reply): string {
    const operation = this.#operations[at]!;
    if (reply.status === 'failed') return this.#renderFailure(at, operation, reply);
    if (this.#wish.minimal) return '';
    const { meta, node } = reply;
    const more = this.#wish.meta ? `,"meta":${renderMeta(meta)},"node":${renderNode(node)}` : '';
    if (reply.status === 'unchanged') return `{"status":304,"etag":"${versionOf(meta)}"${more}}`;
    const { action } = operation as Request;
    if (action === 'delete') return `{"status":200${more}}`;
    const head = `{"status":200,"etag":"${versionOf(meta)}"${more}`;
    if (action === 'store' || reply.value === undefined) return `${head}}`;
    const { bytes, start, end } = reply.value;
    if (this.#chars + end - start > BATCH_ANSWER_BYTES_MAX) {
      const detail = `the answer to a batch has at most ${BATCH_ANSWER_BYTES_MAX} bytes`;
      return this.#renderFailure(at, operation, failure('ANSWER_TOO_LARGE', detail));
    }
    return `${head},"data":${bytes.toString('latin1', start, end)}}`;
  }

  #renderFailure(at: number, operation: Operation, problem: Failure): string {
    let { code } = problem;
    const isDelete = isOf(operation, 'delete');
    if (isDelete && code === 'PRECONDITION_FAILED' && operation.condition === ANY_VERSION) {
      code = 'KEY_NOT_FOUND';
    }
    const isMiss = httpStatus(code) === 404 && (isDelete || isOf(operation, 'load'));
    if (!isMiss) this.#failed++;
    if (isMiss && this.#wish.minimal) return '';
    const position = this.#wish.minimal ? `"position":${at},` : '';
    const isEveryday = isMiss || code === 'PRECONDITION_FAILED';
    const detail = isEveryday ? '' : `,"detail":${byteString(JSON.stringify(problem.detail))}`;
    return `{${position}"status":${httpStatus(code)},"code":"${code}"${detail}}`;
  }
}

/** Why the client may not have this done, undefined if it may. */
function refusalOf({ action, key }: Request, grant: Grant): Failure | undefined {
  return grant.refusal(ACTIONS[action].writes ? 'write' : 'read') ?? grant.keyRefusal(key);
}

function isOf<A extends Action>(
  operation: Operation,
  action: A,
): operation is Extract<Request, { action: A }> {
  return !isFailure(operation) && operation.action === action;
}
