/** The peers of a node: its links to them, and the sessions of those that have dialled it. */

import { Budget } from '../base/budget.ts';
import {
  PEER_INCOMING_BYTES_MAX,
  PEER_FINISH_TIMEOUT_MS,
  PEER_OUTGOING_BYTES_MAX,
  SESSIONS_PER_PEER_MAX,
  STRANGERS_BYTES_MAX,
} from '../base/limits.ts';
import type { Timers } from '../base/timers.ts';
import type { PeerHost } from './host.ts';
import { Link, type LinkOptions, type LinkStats } from './link.ts';
import type { NodeState } from './messages.ts';
import { Rate } from './rate.ts';
import { RecordStream, type RecordStreamOptions, type StreamTarget } from './record-stream.ts';
import { Session } from './session.ts';
import type { Guest, NoPipe, Transport } from './transport.ts';

/** What the peers of a node are reached with, and who decides what comes of it. */
export interface PeersOptions {
  readonly host: PeerHost;
  /** Listening already. */
  readonly transport: Transport;
  readonly timers: Timers;
  /** What the copies of all streams of records may take. */
  readonly streamBytesPerSecond: number;
}

export class Peers {
  readonly #options: LinkOptions;
  readonly #streamOptions: RecordStreamOptions;
  readonly #links = new Map<string, Link>();
  readonly #sessions = new Set<Session>();
  /** Called when the last session has ended. */
  #onEmpty = (): void => {};

  constructor(options: PeersOptions) {
    this.#options = {
      ...options,
      incoming: new Budget(PEER_INCOMING_BYTES_MAX),
      outgoing: new Budget(PEER_OUTGOING_BYTES_MAX),
      strangers: new Budget(STRANGERS_BYTES_MAX),
    };
    this.#streamOptions = {
      ...this.#options,
      // Records that move must not take the room of requests.
      outgoing: new Budget(PEER_OUTGOING_BYTES_MAX),
      rate: new Rate(options.streamBytesPerSecond, options.timers),
    };
  }

  /** Starts to serve those who dial this node. */
  start(): void {
    this.#options.transport.accept((guest) => this.#onGuest(guest));
  }

  /** Has a link to each of these addresses and to no other. */
  linkTo(addresses: readonly string[]): void {
    for (const [address, link] of this.#links) {
      if (addresses.includes(address)) continue;
      this.#links.delete(address);
      link.close();
    }
    for (const address of addresses) {
      if (this.#links.has(address)) continue;
      const link = new Link(address, this.#options);
      this.#links.set(address, link);
      link.dial();
    }
  }

  /** What each link has done and has to do. */
  stats(): LinkStats[] {
    return Array.from(this.#links.values(), (link) => link.stats());
  }

  /** The link to an address; undefined if there is to be none. */
  link(address: string): Link | undefined {
    return this.#links.get(address);
  }

  /** Dials those that are down now, however long they were to wait. */
  redial(): void {
    for (const link of this.#links.values()) link.dial();
  }

  /** Tells all peers what this node knows now, whoever dialled whom. */
  tell(state: NodeState): void {
    for (const link of this.#links.values()) link.sendState(state);
    for (const session of this.#sessions) session.sendState(state);
  }

  /** Opens a stream of records to another member; `onClose` is told why it is over, if this side did not. */
  openStream(target: StreamTarget, onClose: (reason: string) => void): RecordStream {
    return new RecordStream(target, this.#streamOptions, onClose);
  }

  /**
   * Lets peers send nothing more, and resolves when they have all the answers to what they had sent, or
   * have had time enough.
   */
  async finish(): Promise<void> {
    this.#options.transport.close();
    if (this.#sessions.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.timers.after(PEER_FINISH_TIMEOUT_MS, resolve);
      this.#onEmpty = () => {
        cancel();
        resolve();
      };
      for (const session of this.#sessions) session.finish();
    });
  }

  /** Closes all links and sessions; nobody gets in any more. */
  close(): void {
    this.#options.transport.close();
    for (const session of this.#sessions) session.close('this node is closing');
    for (const link of this.#links.values()) link.close();
  }

  #onGuest(guest: Guest | NoPipe): void {
    const { host } = this.#options;
    if ('reason' in guest) {
      host.on({ kind: 'stranger', ...guest });
      return;
    }
    const { pipe, refusal } = guest;
    const session = new Session(pipe, {
      ...this.#options,
      onAdmitted: (admitted) => this.#onAdmitted(admitted),
      onEnd: (ended) => this.#onEnded(ended),
    });
    this.#sessions.add(session);
    if (refusal !== undefined) session.refuse(refusal);
  }

  #onEnded(session: Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#onEmpty();
  }

  /** A peer has a few sessions at most: it may have lost one that this side does not know to be lost. */
  #onAdmitted({ peer }: Session): void {
    const same = [...this.#sessions].filter((session) => session.peer?.address === peer!.address);
    if (same.length > SESSIONS_PER_PEER_MAX) same[0]!.close('it has opened too many others since');
  }
}
