/** A network in memory: transports for nodes that run in one test, with links to cut, slow down and break. */

import type { Cancel } from '../../src/base/timers.ts';
import { DIAL_TIMEOUT_MS } from '../../src/base/limits.ts';
import type { Guest, NoPipe, Pipe, PipeUser, Transport } from '../../src/peer/transport.ts';
import type { SteppedTimers } from './stepped-timers.ts';

export interface FakeNetworkOptions {
  /** How long bytes are under way. */
  readonly latencyMs?: number;
  /** How much a direction of a pipe delivers at one time; all of a write if it is not given. */
  readonly segmentBytes?: number;
}

export class FakeNetwork {
  readonly timers: SteppedTimers;
  readonly latencyMs: number;
  readonly segmentBytes: number;
  readonly #hosts = new Map<string, FakeTransport>();
  readonly #pipes = new Set<FakePipe>();
  /** Directions in which nothing arrives, as `from>to`. */
  readonly #cuts = new Set<string>();

  constructor(timers: SteppedTimers, options: FakeNetworkOptions = {}) {
    this.timers = timers;
    this.latencyMs = options.latencyMs ?? 1;
    this.segmentBytes = options.segmentBytes ?? Infinity;
  }

  /** The transport of a node that listens at `address`; replaces that of a former life. */
  transport(address: string): FakeTransport {
    const transport = new FakeTransport(this, address);
    this.#hosts.set(address, transport);
    return transport;
  }

  /** Lets nothing that `from` sends reach `to`; it is delivered once the link is healed. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
  }

  heal(from: string, to: string): void {
    this.#cuts.delete(`${from}>${to}`);
    for (const pipe of this.#pipes) pipe.deliver();
  }

  /** Breaks all pipes between two nodes, as a router does that has forgotten them. */
  break(one: string, other: string): void {
    for (const pipe of this.#pipes) {
      if (pipe.from === one && pipe.to === other) pipe.fail();
    }
  }

  /** Ends the life of the node at `address`: its pipes break, and nobody answers there. */
  kill(address: string): void {
    this.#hosts.delete(address);
    for (const pipe of this.#pipes) if (pipe.from === address) pipe.destroy();
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  host(address: string): FakeTransport | undefined {
    return this.#hosts.get(address);
  }

  /** Both ends of a new pipe. */
  join(from: string, to: string): readonly [FakePipe, FakePipe] {
    const near = new FakePipe(this, from, to);
    const far = new FakePipe(this, to, from);
    near.other = far;
    far.other = near;
    this.#pipes.add(near).add(far);
    return [near, far];
  }

  forget(pipe: FakePipe): void {
    this.#pipes.delete(pipe);
  }
}

export class FakeTransport implements Transport {
  readonly #network: FakeNetwork;
  readonly #address: string;
  #onGuest: ((guest: Guest | NoPipe) => void) | undefined;
  /** Set to turn away whoever dials, as one whose certificate is not right. */
  refusal: string | undefined;

  constructor(network: FakeNetwork, address: string) {
    this.#network = network;
    this.#address = address;
  }

  dial(address: string, done: (outcome: Pipe | NoPipe) => void): Cancel {
    const { timers, latencyMs } = this.#network;
    const here = this.#address;
    const isCut = this.#network.isCut(here, address) || this.#network.isCut(address, here);
    if (isCut) {
      const reason = 'nobody answers there';
      return timers.after(DIAL_TIMEOUT_MS, () => done({ remote: address, reason }));
    }
    return timers.after(2 * latencyMs, () => {
      const host = this.#network.host(address);
      if (host === undefined || host.#onGuest === undefined) {
        done({ remote: address, reason: 'nobody listens there' });
        return;
      }
      const [near, far] = this.#network.join(here, address);
      done(near);
      host.#onGuest({ pipe: far, refusal: host.refusal });
    });
  }

  accept(onGuest: (guest: Guest | NoPipe) => void): void {
    this.#onGuest = onGuest;
  }

  close(): void {
    this.#onGuest = undefined;
  }
}

/** What is under way: bytes, or why there will be none any more. */
interface Parcel {
  readonly what: Buffer | string;
  readonly readyMs: number;
}

/** One end of a pipe. */
export class FakePipe implements Pipe {
  readonly remote: string;
  readonly from: string;
  readonly to: string;
  other!: FakePipe;
  readonly #network: FakeNetwork;
  #user: PipeUser | undefined;
  /** What has come and was not read, or is under way here. */
  #inbox: Parcel[] = [];
  #isPaused = false;
  #isClosed = false;
  unsentBytes = 0;

  constructor(network: FakeNetwork, from: string, to: string) {
    this.#network = network;
    this.remote = to;
    this.from = from;
    this.to = to;
  }

  attach(user: PipeUser): void {
    this.#user = user;
    this.deliver();
  }

  write(buffers: readonly Buffer[]): void {
    for (const buffer of buffers) {
      this.unsentBytes += buffer.length;
      for (let at = 0; at < buffer.length; at += this.#network.segmentBytes) {
        this.#send(buffer.subarray(at, at + this.#network.segmentBytes));
      }
    }
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#network.timers.soon(() => this.deliver());
  }

  end(): void {
    this.#send('the other side closed the connection');
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.end();
    this.#isClosed = true;
    this.#inbox = [];
    this.#network.forget(this);
  }

  /** Breaks off, at both ends. */
  fail(): void {
    this.#close('the other side broke off the connection');
    this.other.#close('the other side broke off the connection');
  }

  /** Hands out what has arrived. */
  deliver(): void {
    while (this.#user !== undefined && !this.#isPaused && !this.#isClosed) {
      const parcel = this.#inbox[0];
      const isHere = parcel !== undefined && parcel.readyMs <= this.#network.timers.nowMs();
      if (!isHere || this.#network.isCut(this.to, this.from)) return;
      this.#inbox.shift();
      if (typeof parcel.what === 'string') this.#close(parcel.what);
      else this.#hand(parcel.what, this.#user);
    }
  }

  #hand(bytes: Buffer, user: PipeUser): void {
    const { other } = this;
    other.unsentBytes -= bytes.length;
    user.onBytes(bytes);
    this.#network.timers.soon(() => !other.#isClosed && other.#user?.onSent());
  }

  #close(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#network.forget(this);
    this.#user?.onClose(reason);
  }

  #send(what: Buffer | string): void {
    const { timers, latencyMs } = this.#network;
    if (this.other.#isClosed) return;
    this.other.#inbox.push({ what, readyMs: timers.nowMs() + latencyMs });
    timers.after(latencyMs, () => this.other.deliver());
  }
}
