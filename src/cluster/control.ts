/** Control: who and what is a member, for clients to see and for operators to change. */

import { createHash } from 'node:crypto';

import { failure, type Failure } from '../base/errors.ts';
import type { Cancel } from '../base/timers.ts';
import type { Peers } from '../peer/peers.ts';
import type { Member, TopologyControl } from '../record/engine.ts';
import type { NodeRef } from '../record/reply.ts';
import type { Greeter } from './greeter.ts';
import type { Membership } from './membership.ts';
import { overviewOf } from './overview.ts';
import { NOT_READY } from './router.ts';

/** A member as `GET /v1/nodes` shows it. */
export interface MemberView extends Member {
  readonly client: string | null;
  readonly state: 'self' | 'up' | 'down';
  /** How many partitions it owns. */
  readonly partitions: number;
  readonly epoch: number;
}

/** Where what is shown comes from. */
export interface ControlOptions {
  readonly self: NodeRef;
  readonly membership: Membership;
  readonly greeter: Greeter;
  readonly peers: Peers;
}

export class Control implements TopologyControl {
  readonly #options: ControlOptions;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  /** The members, sorted by address; a failure while the cluster is forming. */
  members(): MemberView[] | Failure {
    const { topology } = this.#options.membership;
    if (topology === undefined) return NOT_READY;
    const { members, shares, epoch } = topology;
    return members.map((address, at) => this.#view(address, shares[at]!, epoch));
  }

  view(hasOwners: boolean): object | Failure {
    const { topology, state, last } = this.#options.membership;
    const members = this.members();
    if (topology === undefined || 'status' in members) return NOT_READY;
    return {
      ...overviewOf({ state, topology, members, last }),
      ...(hasOwners && { owners: topology.owners() }),
    };
  }

  /** Changes with what the view shows, but for how far copies are. */
  revision(): string {
    const view = JSON.stringify(this.view(false), (name, value: unknown) =>
      name === 'copied' ? undefined : value,
    );
    return createHash('sha256').update(view).digest('base64url').slice(0, 16);
  }

  onChange(look: () => void): Cancel {
    return this.#options.membership.onChange(look);
  }

  remove(member: string, isForgotten: boolean): object | Failure {
    const { membership } = this.#options;
    const { topology } = membership;
    const members = this.members();
    if (topology === undefined || 'status' in members) return NOT_READY;
    const found = members.find(({ id, addr }) => id === member || addr === member);
    if (found === undefined) return failure('NODE_NOT_FOUND', `${member} is no member`);
    const { addr: who, state, partitions } = found;
    if (members.length === 1) return failure('LAST_NODE', `${who} is the only member`);
    if (isForgotten && state !== 'down') {
      return failure(
        'NODE_REACHABLE',
        `${who} can be reached: without force it hands over its keys`,
      );
    }
    if (!isForgotten && state === 'down') {
      return failure('NODE_UNREACHABLE', `${who} cannot be reached: with force it is forgotten`);
    }
    const own = membership.state;
    const seen = who === own.address ? own.life : (own.peers[who]?.life ?? '');
    const life = seen === '' ? (topology.facts.lives[who] ?? '') : seen;
    const kind = isForgotten ? 'forget' : 'leave';
    membership.happen({ kind: 'wish', wish: { kind, who, life } });
    return { kind, who, partitions };
  }

  #view(addr: string, partitions: number, epoch: number): MemberView {
    const { self, greeter, peers } = this.#options;
    if (addr === self.addr) {
      return { id: self.id, addr, client: greeter.client, state: 'self', partitions, epoch };
    }
    const peer = greeter.lastSeen(addr);
    const state = peers.link(addr)?.status.kind === 'up' ? 'up' : 'down';
    return { id: peer?.id ?? null, addr, client: peer?.client ?? null, state, partitions, epoch };
  }
}
