/** A host for the peers of a node that decides nothing: it writes down what it is told, and answers as a test wants. */

import { keyFromText, type Key } from '../../src/base/key.ts';
import { Scheduler } from '../../src/base/scheduler.ts';
import type { PeerEvent, PeerHost } from '../../src/peer/host.ts';
import { PROTOCOL, type Hello, type NodeState } from '../../src/peer/messages.ts';
import type { ListPiece } from '../../src/record/lister.ts';
import { NO_META, type KeptReply } from '../../src/record/reply.ts';

export const addressOf = (n: number): string => `node${n}:1`;

/** What node `n`, from 1 to 9, says of itself. */
export function helloOf(n: number): Hello {
  const address = addressOf(n);
  const state: NodeState = { revision: 1, told: null };
  const id = `${`${n}`.repeat(8)}-1111-4111-8111-111111111111`;
  return {
    protocol: PROTOCOL,
    id,
    life: id,
    address,
    client: address,
    partitions: 16,
    startedAt: 1,
    state,
  };
}

export class FakeHost implements PeerHost {
  readonly scheduler = new Scheduler();
  /** The kinds of all events, each with its reason where there is one. */
  readonly events: string[] = [];
  refusal: string | undefined;
  keys = [keyFromText('key') as Key];
  reply: KeptReply = { status: 'ok', node: { id: '', addr: '' }, meta: NO_META, value: undefined };
  serveHere: PeerHost['serveHere'] = () => this.reply;
  receive: PeerHost['receive'] = () => 'not here';
  watchHere: PeerHost['watchHere'] = () => {
    const place = { life: '00000000', number: 0 };
    return Promise.resolve({ status: 'changes', place, lost: undefined, events: [] });
  };
  readonly #hello: Hello;

  constructor(own: Hello) {
    this.#hello = own;
  }

  hello(): Hello {
    return this.#hello;
  }

  admit(): string | undefined {
    return this.refusal;
  }

  redialDelayMs(): number {
    return 100;
  }

  scanHere(): ListPiece[] {
    return [{ keys: this.keys, next: { partition: 1, hash: 0 } }];
  }

  on(event: PeerEvent): void {
    this.events.push('reason' in event ? `${event.kind}: ${event.reason}` : event.kind);
  }
}
