/** A client's connection without a network: what is fed to it is read in just those pieces. */

import { once } from 'node:events';
import type { Server as NodeServer } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { ANSWER_PACE, BODY_PACE } from '../../src/base/limits.ts';
import { Turns } from '../../src/base/turns.ts';
import { HeadEnds } from '../../src/http/answer-head.ts';
import { BodyBudget, UnreadBudget } from '../../src/http/budget.ts';
import { Connection, type Host } from '../../src/http/connection.ts';
import type { Application } from '../../src/http/exchange.ts';
import { Lateness } from '../../src/http/lateness.ts';
import { Pace } from '../../src/http/pace.ts';
import type { Patience } from '../../src/http/patience.ts';

/** The server's side of a connection. */
export class MemorySocket extends Duplex {
  /** All that was written to the client, a char a byte. */
  received = '';
  /** Whether the server has said that nothing follows, or broken off. */
  isEnded = false;
  isReset = false;
  /** Set, the client reads nothing: what is written waits. */
  isFull = false;
  /** How many writes have reached the client. */
  writes = 0;
  #waiting: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: true, highWaterMark: 1 });
  }

  /** Lets the server read bytes, in one piece. */
  feed(bytes: Buffer | string): void {
    this.push(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes));
  }

  /** Lets the server read these pieces, each in a turn of its own, and waits until nothing happens. */
  async feedPieces(pieces: Iterable<Buffer | string>): Promise<void> {
    for (const piece of pieces) {
      if (this.destroyed) break;
      this.feed(piece);
      await nextTurn();
    }
    await this.settled();
  }

  /** The client says that it will send no more. */
  feedEnd(): void {
    this.push(null);
  }

  /** Waits until a few turns have passed in which nothing was written. */
  async settled(): Promise<void> {
    for (let quiet = 0, before = ''; quiet < 3; quiet++) {
      if (this.received !== before) quiet = 0;
      before = this.received;
      await nextTurn();
    }
  }

  /** The client reads all that waits for it. */
  drain(): void {
    this.isFull = false;
    this.drainOne();
  }

  /** The client reads one of the writes that wait for it. */
  drainOne(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  resetAndDestroy(): this {
    this.isReset = true;
    return this.destroy();
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    const write = (): void => {
      this.received += bytes.toString('latin1');
      this.writes++;
      done();
    };
    if (this.isFull) this.#waiting = write;
    else write();
  }

  override _final(done: () => void): void {
    this.isEnded = true;
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.isEnded = true;
    done(error);
  }
}

/** What the connections under test share; the test steps its clock. */
export class TestHost implements Host {
  readonly application: Application;
  readonly patience: Patience;
  readonly bodies = new BodyBudget();
  readonly unread = new UnreadBudget();
  readonly headEnds: HeadEnds;
  readonly turns = new Turns();
  readonly pace = new Pace(BODY_PACE);
  readonly answerPace = new Pace(ANSWER_PACE);
  lateness = new Lateness();
  readonly open = new Set<Connection>();
  nowMs = 0;
  isClosing = false;

  constructor(application: Application, patience: Partial<Patience> = {}) {
    this.application = application;
    this.patience = {
      headersMs: 10_000,
      requestMs: 60_000,
      idleMs: 75_000,
      lingerMs: 1000,
      endedMs: 20_000,
      ...patience,
    };
    this.headEnds = new HeadEnds(this.patience.idleMs);
  }

  /** Opens a connection to a client that has sent nothing. */
  async connect(): Promise<MemorySocket> {
    const socket = new MemorySocket();
    this.open.add(new Connection(socket as unknown as Socket, this));
    await nextTurn();
    return socket;
  }

  /** Lets time pass, in steps of the sweep. */
  async pass(ms: number, stepMs = 500): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.nowMs += stepMs;
      for (const connection of this.open) connection.sweep();
      await nextTurn();
    }
  }

  onClosed(connection: Connection): void {
    this.open.delete(connection);
  }
}

/** Opens a connection to a server of `node:http`, which takes any stream for one. */
export async function connectTo(server: NodeServer): Promise<MemorySocket> {
  const socket = new MemorySocket();
  server.emit('connection', socket);
  await nextTurn();
  return socket;
}

/** Ends a connection from the client's side, and waits until it is gone. */
export async function dispose(socket: MemorySocket): Promise<void> {
  if (socket.closed) return;
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
}
