/** The engine on servers, driven without HTTP. */

import { isFailure } from '../../src/base/errors.ts';
import { keyFromText } from '../../src/base/key.ts';
import { Scheduler } from '../../src/base/scheduler.ts';
import type { KeptReply } from '../../src/record/reply.ts';
import type { Condition, Request } from '../../src/record/request.ts';
import { ValkeyEngine, type ValkeyOptions } from '../../src/valkey/engine.ts';

/** The settings that a test changes. */
type Settings = Partial<Omit<ValkeyOptions, 'access'>> & {
  access?: Partial<ValkeyOptions['access']>;
};

export class TestEngine implements Disposable {
  readonly engine: ValkeyEngine;

  private constructor(engine: ValkeyEngine) {
    this.engine = engine;
  }

  /** An engine that has reached the servers at `seeds`. */
  static async start(seeds: readonly string[], settings: Settings = {}): Promise<TestEngine> {
    const { access, ...rest } = settings;
    const engine = new ValkeyEngine({
      seeds,
      access: { user: undefined, password: undefined, database: 0, tls: undefined, ...access },
      valueBytesMax: 16 * 1024 * 1024,
      accessed: 'exact',
      prefix: keyFromText('')!,
      scheduler: new Scheduler(),
      log: { info() {}, warn() {} },
      ...rest,
    });
    try {
      await engine.start();
    } catch (error) {
      engine.close();
      throw error;
    }
    return new TestEngine(engine);
  }

  store(
    key: string,
    value: string,
    { ttlNs = 0n, condition }: { ttlNs?: bigint; condition?: Condition } = {},
  ): Promise<KeptReply> {
    const bytes = Buffer.from(value);
    const range = { bytes, start: 0, end: bytes.length };
    return this.serve({ action: 'store', key: keyFromText(key)!, value: range, ttlNs, condition });
  }

  load(key: string, condition?: Condition): Promise<KeptReply> {
    return this.serve({ action: 'load', key: keyFromText(key)!, condition });
  }

  async serve(request: Request): Promise<KeptReply> {
    return await this.engine.serve(request);
  }

  /** All keys, in the order of the list. */
  async keys(prefix = ''): Promise<string[]> {
    const found: string[] = [];
    const query = { scope: 'cluster', prefix: keyFromText(prefix)!, cursor: undefined } as const;
    for await (const group of this.engine.list(query)) {
      if (isFailure(group)) throw new Error(group.detail);
      found.push(...group.keys);
    }
    return found;
  }

  [Symbol.dispose](): void {
    this.engine.close();
  }
}

/** The code of a failure, or what else a reply says of itself. */
export function outcomeOf(reply: KeptReply): string {
  return reply.status === 'failed' ? reply.code : reply.status;
}

/** The value in a reply, as text. */
export function valueOf(reply: KeptReply): string | undefined {
  if (reply.status !== 'ok' || reply.value === undefined) return undefined;
  const { bytes, start, end } = reply.value;
  return bytes.toString('utf8', start, end);
}

/** The meta in a reply that has one. */
export function metaOf(reply: KeptReply) {
  if (reply.status === 'failed') throw new Error(`${reply.code}: ${reply.detail}`);
  return reply.meta;
}
