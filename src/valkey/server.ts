/** One server of Valkey or Redis: its connection, and what can be sent over it. */

import { Command, Redis, type RedisOptions } from 'ioredis';
import type { ConnectionOptions } from 'node:tls';

import {
  VALKEY_CONNECT_TIMEOUT_MS,
  VALKEY_HANG_UP_TIMEOUT_MS,
  VALKEY_REDIAL_MAX_MS,
  VALKEY_REQUEST_TIMEOUT_MS,
  VALKEY_SILENCE_STEP_MS,
} from '../base/limits.ts';
import { parseAddress } from '../net/address.ts';
import { NotSent } from './faults.ts';
import { Outbox } from './outbox.ts';
import type { Script } from './scripts/script.ts';
import { Silence } from './silence.ts';

/** What a command takes besides its name: text of which each character is a byte costs least to send. */
export type Argument = string | Buffer;

/** How to reach servers; the same for all. */
export interface Access {
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly tls: ConnectionOptions | undefined;
}

export class Server {
  readonly addr: string;
  readonly #redis: Redis;
  readonly #onChange: () => void;
  #lastError: Error | undefined;
  /** That of the connection of now. */
  #outbox: Outbox | undefined;
  /** The scripts that the server is being told. */
  readonly #taught = new Map<string, Promise<unknown>>();
  #isClosed = false;

  /** Dials at once and again whenever the connection is lost; `onChange` is told of both. */
  constructor(addr: string, access: Access, onChange: () => void) {
    this.addr = addr;
    this.#onChange = onChange;
    this.#redis = new Redis(optionsOf(addr, access));
    this.#redis.on('connect', () => this.#onConnect());
    this.#redis.on('error', (error: Error) => (this.#lastError = error));
    this.#redis.on('ready', () => {
      this.#lastError = undefined;
      this.#onChange();
    });
    this.#redis.on('close', () => this.#onChange());
  }

  /** From here on the server owes answers, to begin with those to the log-in. */
  #onConnect(): void {
    const { stream } = this.#redis;
    this.#outbox = new Outbox(stream);
    const silence = new Silence(stream, this.#outbox);
    const steps = setInterval(
      () => silence.step(this.#redis.commandQueue.length > 0),
      VALKEY_SILENCE_STEP_MS,
    );
    this.#redis.once('close', () => clearInterval(steps));
  }

  get isReady(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Why there is no connection, or none that is of use, if that is known. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Notes why what is ready is of no use; until the connection is made anew. */
  refuse(error: Error): void {
    this.#lastError = error;
  }

  /** Resolves when the connection is ready, could not be made, or `timeoutMs` have passed. */
  whenReady(timeoutMs: number): Promise<void> {
    if (this.isReady || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#redis.off('ready', done).off('close', done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#redis.on('ready', done).on('close', done);
    });
  }

  /**
   * Sends a command once and never again; its answer, bulk strings as bytes.
   *
   * @throws NotSent, the refusal of the server as `ReplyError`, or anything else for no answer.
   */
  send(name: string, args: readonly Argument[]): Promise<unknown> {
    if (!this.isReady) {
      return Promise.reject(new NotSent(this.#lastError?.message ?? 'it is being made'));
    }
    const command = new EncodedCommand(name, args);
    void this.#redis.sendCommand(command, this.#outbox as unknown as WriteStream);
    return command.promise;
  }

  /**
   * Runs a script; `asks` is for a slot that is moving here. A server that does not know the script has
   * not run it, is told it, and asked again.
   */
  run(
    script: Script,
    keys: readonly Argument[],
    args: readonly Argument[],
    asks = false,
  ): Promise<unknown> {
    const all = [script.sha, String(keys.length), ...keys, ...args];
    return this.#runOnce(all, asks).catch(async (error: Error) => {
      if (!error.message.startsWith('NOSCRIPT')) throw error;
      await this.#teach(script);
      return await this.#runOnce(all, asks);
    });
  }

  #runOnce(args: readonly Argument[], asks: boolean): Promise<unknown> {
    // ASKING holds for the next command of the connection, which is the one below.
    if (asks) this.send('asking', []).catch(() => {});
    return this.send('evalsha', args);
  }

  /** Has the server know a script; the many that run it at the same time need not all send its text. */
  #teach({ lua, sha }: Script): Promise<unknown> {
    let taught = this.#taught.get(sha);
    if (taught === undefined) {
      taught = this.send('script', ['load', lua]).finally(() => this.#taught.delete(sha));
      this.#taught.set(sha, taught);
    }
    return taught;
  }

  /** Lets what was sent be answered, then closes. */
  close(): void {
    this.#isClosed = true;
    if (this.isReady) this.send('quit', []).catch(() => this.destroy());
    else this.destroy();
  }

  /** Closes now; whatever waits for an answer gets none. */
  destroy(): void {
    this.#isClosed = true;
    this.#redis.disconnect();
  }
}

/** The stream that commands are written to. */
type WriteStream = NonNullable<Parameters<Redis['sendCommand']>[1]>;

/** A command in the form in which it is sent: made by the library it costs as much as all else of a request. */
class EncodedCommand extends Command {
  readonly #encoded: Argument;

  /** Its answer has bulk strings as bytes. */
  constructor(name: string, args: readonly Argument[]) {
    super(name, [], { replyEncoding: null });
    this.#encoded = encode([name, ...args]);
  }

  override toWritable(): Argument {
    return this.#encoded;
  }
}

/** Copies a command and its arguments into the form in which they are sent: `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`. */
function encode(parts: readonly Argument[]): Argument {
  const pieces: Buffer[] = [];
  let text = `*${parts.length}\r\n`;
  for (const part of parts) {
    text += `$${part.length}\r\n`;
    if (typeof part === 'string') {
      text += part;
    } else {
      pieces.push(Buffer.from(text, 'latin1'), part);
      text = '';
    }
    text += '\r\n';
  }
  if (pieces.length === 0) return text;
  return Buffer.concat([...pieces, Buffer.from(text, 'latin1')]);
}

function optionsOf(addr: string, { user, password, database, tls }: Access) {
  const address = parseAddress(addr);
  if (address === undefined) throw new Error(`${addr} is no address`);
  return {
    host: address.host,
    port: address.port,
    ...(user !== undefined && { username: user }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
    db: database,
    protocol: 2,
    disableClientInfo: true,
    // A command is sent once, over a connection that is ready, and ends within its time.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: VALKEY_CONNECT_TIMEOUT_MS,
    disconnectTimeout: VALKEY_HANG_UP_TIMEOUT_MS,
    commandTimeout: VALKEY_REQUEST_TIMEOUT_MS,
    maxLoadingRetryTime: VALKEY_REDIAL_MAX_MS,
    retryStrategy: (times: number) => Math.min(50 * times, VALKEY_REDIAL_MAX_MS),
  } as const satisfies RedisOptions;
}
