/**
 * Handover: how nodes agree on who the members are, from one topology to the next, as a function of
 * what has happened. It knows no network and no clock; docs/cluster.md draws it.
 *
 * There is one message: each node *tells* its own state, whole, whenever it changes and to whoever
 * comes. A step of the protocol is what a node does when it has heard what others tell. So a message
 * that was lost is told again, and a plan under way is told to whoever comes.
 */

import { MEMBERS_MAX, OVER_LIVES_MAX } from '../base/limits.ts';
import { isDeclarable, joiningTopology, knownAddresses, unreachedJoins } from './forming.ts';
import { heard, isComplete, isOver, livePart, type Handover, type PeerView } from './state.ts';
import {
  coordinatorOf,
  giversOf,
  isPlanOf,
  takersOf,
  type Part,
  type Plan,
  type Progress,
  type Told,
  type TopologyFacts,
  type Wish,
} from './told.ts';

/** What can happen to a node. */
export type HandoverEvent =
  /** At the address `dialled` there is the node `address`. */
  | { readonly kind: 'found'; readonly dialled: string; readonly address: string }
  | { readonly kind: 'linked'; readonly address: string; readonly life: string }
  | { readonly kind: 'lost'; readonly address: string }
  | ({ readonly kind: 'told'; readonly address: string } & Message)
  /** It is time to plan, if there is something to plan and this node is who does. */
  | { readonly kind: 'plan'; readonly clusterId: string }
  | { readonly kind: 'wish'; readonly wish: Wish }
  | { readonly kind: 'progressed'; readonly progress: Progress | null }
  /** The copies that this node makes are complete. */
  | { readonly kind: 'copied' }
  /** This node cannot do its part, or it takes too long. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** The stream of an old owner has ended, which it does when that has committed. */
  | {
      readonly kind: 'ended';
      readonly address: string;
      readonly life: string;
      readonly epoch: number;
    }
  /** No stream comes from an old owner any more. */
  | { readonly kind: 'broken'; readonly address: string }
  /** A new owner has got all, or can be given nothing more. */
  | { readonly kind: 'given'; readonly address: string };

/** What a node has told. */
interface Message {
  readonly life: string;
  readonly revision: number;
  readonly told: Told;
}

/** What a node is to do. */
export type HandoverEffect =
  /** Copy what moves by this plan to its new owners, and mirror what is written to it. */
  | { readonly kind: 'copy'; readonly plan: Plan }
  /** Stop that, and drop what was received. */
  | { readonly kind: 'abort'; readonly plan: Plan; readonly reason: string }
  /** Route by this topology; end the streams to those who are `giving`. */
  | { readonly kind: 'adopt'; readonly topology: TopologyFacts; readonly plan: Plan | null }
  /** All that this old owner had to give is here, or lost: serve it. */
  | { readonly kind: 'arrived'; readonly address: string }
  /** This node was put out of the cluster, as the member `by` says: it must serve nothing any more. */
  | { readonly kind: 'expelled'; readonly by: string; readonly reason: string }
  /** All is handed over. */
  | { readonly kind: 'left' };

export interface Outcome {
  readonly state: Handover;
  readonly effects: readonly HandoverEffect[];
}

/** What a node in this state tells the others. */
export function tell(state: Handover): Told {
  const { topology, promised, part, progress, awaiting, giving } = state;
  const { complete, wishes, over } = state;
  const found = Object.values(state.joins).filter((address) => address !== null);
  return {
    joins: topology === null ? [...new Set(found)].toSorted() : topology.members,
    hasReachedAll: unreachedJoins(state).length === 0,
    known: topology === null ? knownAddresses(state) : [],
    topology,
    joining: joiningTopology(state)?.clusterId ?? '',
    promised,
    part,
    progress,
    isSettled: awaiting.length === 0 && giving.length === 0,
    complete,
    wishes,
    over,
  };
}

/** A step of the protocol: the state after it, or undefined where it does not apply. */
export type Rule = (state: Handover, effects: HandoverEffect[]) => Handover | undefined;

/** Takes in what has happened; gives the state that follows, and what is to be done. */
export function handle(
  state: Handover,
  event: HandoverEvent,
  rules: Readonly<Record<string, Rule>> = RULES,
): Outcome {
  const effects: HandoverEffect[] = [];
  let at = note(state, event, effects);
  // Each rule that applies takes the node a step on, and may let another apply.
  for (let next: Handover | undefined = at; next !== undefined; ) {
    at = next;
    next = undefined;
    for (const rule of Object.values(rules)) {
      next = at.isGone ? undefined : rule(at, effects);
      if (next !== undefined) break;
    }
  }
  return { state: at, effects };
}

/** The addresses that this node must be linked to. */
export function targetsOf(state: Handover): string[] {
  const { address, topology, part, peers } = state;
  const unreached = Object.keys(state.joins).filter((join) => state.joins[join] === null);
  const members = (topology ?? joiningTopology(state))?.members ?? [];
  const targets = new Set([...knownAddresses(state), ...members]);
  const plans = members.map((member) => heard(state, member)?.part ?? null);
  for (const live of [part, ...plans].map(livePart)) {
    for (const party of Object.keys(live?.plan.next.lives ?? {})) targets.add(party);
  }
  for (const [peer, { isUp, told }] of Object.entries(peers)) {
    if (topology === null || told === null) continue;
    // Who has left is told what it waits for, until it is gone.
    const isLeaving = Object.hasOwn(topology.lives, peer) && (isUp || !isComplete(state));
    if (isLeaving || told.joining === topology.clusterId) targets.add(peer);
  }
  targets.delete(address);
  // With its own address, as long as it is not known who answers there.
  for (const join of topology === null ? unreached : []) targets.add(join);
  return [...targets];
}

const NOBODY: PeerView = { life: '', isUp: false, told: null, toldBy: '', revision: 0 };

/** Takes in what has happened, before anything is made of it. */
function note(state: Handover, event: HandoverEvent, effects: HandoverEffect[]): Handover {
  switch (event.kind) {
    case 'found': {
      if (!Object.hasOwn(state.joins, event.dialled)) return state;
      return { ...state, joins: { ...state.joins, [event.dialled]: event.address } };
    }
    case 'linked':
      return noteLink(state, event.address, event.life);
    case 'lost':
      return noteLoss(state, event.address);
    case 'told':
      return noteTold(state, event.address, event);
    case 'plan':
      return propose(state, event.clusterId);
    case 'wish': {
      const others = state.wishes.filter(({ who }) => who !== event.wish.who);
      return { ...state, wishes: [...others, event.wish] };
    }
    case 'progressed':
      return { ...state, progress: event.progress };
    case 'copied':
      return state.part?.phase === 'copying' ? withPhase(state, 'ready') : state;
    case 'failed':
      return fail(state, event.reason, effects);
    case 'ended': {
      const { address, life, epoch } = event;
      const plan = livePart(state.part)?.plan;
      const isOfPlan = plan?.next.epoch === epoch && plan.next.lives[address] === life;
      const ended =
        isOfPlan && !isOver(state, address, life) ? adopt(state, plan.next, plan, effects) : state;
      return ended.topology?.epoch === epoch ? arrive(ended, address, effects) : ended;
    }
    case 'broken':
      if (!state.awaiting.includes(event.address)) return state;
      return { ...state, broken: [...state.broken, event.address] };
    case 'given':
      return { ...state, giving: state.giving.filter((address) => address !== event.address) };
  }
}

function noteLink(state: Handover, address: string, life: string): Handover {
  if (address === state.address || state.over.includes(life)) return state;
  const before = state.peers[address] ?? NOBODY;
  const replaced = [before.life, before.toldBy].filter((one) => one !== '' && one !== life);
  const own = before.toldBy === life ? before : NOBODY;
  const peers = { ...state.peers, [address]: { ...own, life, isUp: true } };
  return addOver({ ...state, peers }, replaced);
}

/** While a cluster forms, who is not linked does not count; of a member, what it told stays true. */
function noteLoss(state: Handover, address: string): Handover {
  const peer = state.peers[address];
  if (peer === undefined) return state;
  const isKept = state.topology?.members.includes(address) || livePart(state.part) !== null;
  const isForgotten = !isKept && peer.toldBy === peer.life;
  const left = { ...peer, isUp: false, told: isForgotten ? null : peer.told };
  return { ...state, peers: { ...state.peers, [address]: left } };
}

function noteTold(state: Handover, address: string, message: Message): Handover {
  const { life, revision, told } = message;
  if (address === state.address || isOver(state, address, life)) return state;
  const peer = state.peers[address] ?? NOBODY;
  const isLate = peer.revision > revision || (peer.revision === revision && peer.told !== null);
  if (peer.toldBy === life && isLate) return state;
  const isKnown = Object.hasOwn(state.peers, address);
  if (!isKnown && Object.keys(state.peers).length >= 2 * MEMBERS_MAX) return state;
  const peers = { ...state.peers, [address]: { ...peer, told, toldBy: life, revision } };
  return { ...state, peers };
}

function addOver(state: Handover, lives: readonly string[]): Handover {
  const over = [...new Set([...state.over, ...lives])].slice(-OVER_LIVES_MAX);
  return over.length === state.over.length ? state : { ...state, over };
}

/** The coordinator proposes what is wanted, once nothing is under way and everybody is there. */
function propose(state: Handover, clusterId: string): Handover {
  if (livePart(state.part) !== null || state.isGone) return state;
  const plan = state.topology === null ? formingPlan(state, clusterId) : nextPlan(state);
  if (plan === undefined) return state;
  const part: Part = { plan, phase: 'agreed', reason: '', over: [] };
  return { ...state, part, promised: plan.next.epoch };
}

function formingPlan(state: Handover, clusterId: string): Plan | undefined {
  if (!isDeclarable(state)) return undefined;
  const members = knownAddresses(state);
  const next = {
    clusterId,
    epoch: highestPromise(state, members) + 1,
    by: state.life,
    members,
    before: [],
    lives: livesOf(state, members),
  };
  return { kind: 'form', who: members, next };
}

/** What is to come next: to forget somebody goes first, then to leave, then to join. */
function nextPlan(state: Handover): Plan | undefined {
  const { address, life, topology } = state;
  const before = topology!.members;
  const wanted = wantedOf(state);
  if (wanted === undefined) return undefined;
  const { kind, who } = wanted;
  const members =
    kind === 'join' ? [...before, ...who].toSorted() : before.filter((one) => !who.includes(one));
  const parties = [...new Set([...before, ...members])].filter(
    (one) => kind !== 'forget' || !who.includes(one),
  );
  if (parties[0] === undefined || members.length === 0 || members.length > MEMBERS_MAX) return;
  const next = {
    clusterId: topology!.clusterId,
    epoch: Math.max(topology!.epoch, highestPromise(state, parties)) + 1,
    by: life,
    members,
    before,
    lives: livesOf(state, parties),
  };
  const plan: Plan = { kind, who, next };
  if (coordinatorOf(plan) !== address) return undefined;
  const others = parties.filter((one) => one !== address);
  return others.every((one) => isAtHand(state, one)) && isComplete(state) ? plan : undefined;
}

/** What is wanted of the members, by all that this node has heard. */
export function wantedOf(state: Handover): Pick<Plan, 'kind' | 'who'> | undefined {
  const { topology, peers, address } = state;
  if (topology === null) return undefined;
  const { members, clusterId } = topology;
  const wishes = [...state.wishes, ...members.flatMap((one) => heard(state, one)?.wishes ?? [])];
  for (const kind of ['forget', 'leave'] as const) {
    const named = wishes.filter((wish) => wish.kind === kind && isMeant(state, wish));
    const meant = members.filter((one) => named.some((wish) => wish.who === one));
    // Somebody must stay, until others have come.
    const who = meant.length === members.length ? meant.slice(0, -1) : meant;
    if (who.length > 0) return { kind, who: kind === 'forget' ? who.slice(0, 1) : who };
  }
  const who = Object.keys(peers).filter(
    (one) =>
      one !== address &&
      !members.includes(one) &&
      peers[one]!.isUp &&
      heard(state, one)?.joining === clusterId,
  );
  return who.length === 0 ? undefined : { kind: 'join', who: who.toSorted() };
}

/** Whether a wish is for the life that is there, as far as this node knows. */
function isMeant(state: Handover, { who, life }: Wish): boolean {
  if (who === state.address) return life === state.life;
  const current = state.peers[who]?.life ?? '';
  return current === '' || current === life;
}

/** Whether a party can be asked now: it is linked, and a member has settled in the same topology. */
function isAtHand(state: Handover, address: string): boolean {
  const told = heard(state, address);
  if (told === null || !state.peers[address]!.isUp) return false;
  const { members, epoch } = state.topology!;
  if (!members.includes(address)) return told.topology === null;
  return told.topology?.epoch === epoch && told.isSettled;
}

function livesOf(state: Handover, parties: readonly string[]): Record<string, string> {
  const { address, life, peers } = state;
  return Object.fromEntries(
    parties.toSorted().map((one) => [one, one === address ? life : (peers[one]?.life ?? '')]),
  );
}

function highestPromise(state: Handover, parties: readonly string[]): number {
  const promises = parties.map((one) => heard(state, one)?.promised ?? 0);
  return Math.max(state.promised, ...promises);
}

/** A member that goes by a newer topology without this node, or knows this life to be over. */
function expel(state: Handover, effects: HandoverEffect[]): Handover | undefined {
  const { address, life, topology, part } = state;
  if (topology === null || !topology.members.includes(address)) return undefined;
  for (const member of Object.keys(state.peers)) {
    const told = heard(state, member);
    if (told === null || told.topology === null) continue;
    const other = told.topology;
    if (!other.members.includes(member)) continue;
    if (other.clusterId !== topology.clusterId) continue;
    const isReplaced = topology.members.includes(member) && told.over.includes(life);
    const isNewer = other.epoch > topology.epoch && !(part && isPlanOf(part.plan, other));
    if (!isReplaced && !isNewer) continue;
    const reason = isReplaced
      ? 'another node has taken the address of this one, or it was forgotten'
      : `epoch ${other.epoch} was declared without this node`;
    effects.push({ kind: 'expelled', by: member, reason });
    return { ...state, isGone: true };
  }
  return undefined;
}

/** One of those who agreed has committed: so does this node. */
function commit(state: Handover, effects: HandoverEffect[]): Handover | undefined {
  const part = livePart(state.part);
  if (part === null) return undefined;
  const { plan } = part;
  const isCommitted = otherParties(state, plan).some((one) =>
    isPlanOf(plan, heard(state, one)?.topology ?? null),
  );
  return isCommitted ? adopt(state, plan.next, plan, effects) : undefined;
}

/** A node that has come back, and is named as a member, takes the topology from one that goes by it. */
function adoptAsNewcomer(state: Handover, effects: HandoverEffect[]): Handover | undefined {
  if (state.topology !== null || livePart(state.part) !== null) return undefined;
  const other = joiningTopology(state);
  if (!other?.members.includes(state.address)) return undefined;
  return adopt({ ...state, part: null }, other, null, effects);
}

function adopt(
  state: Handover,
  topology: TopologyFacts,
  plan: Plan | null,
  effects: HandoverEffect[],
): Handover {
  effects.push({ kind: 'adopt', topology, plan });
  return {
    ...state,
    topology,
    part: null,
    progress: null,
    promised: Math.max(state.promised, topology.epoch),
    awaiting: giversOf(topology, state.address),
    broken: plan === null ? giversOf(topology, state.address) : [],
    giving: plan === null ? [] : takersOf(topology, state.address),
    wishes: state.wishes.filter(({ who }) => topology.members.includes(who)),
  };
}

/** Keeps what this node knows of the lives that a plan names. */
function noteOver(state: Handover): Handover | undefined {
  const part = livePart(state.part);
  if (part === null) return undefined;
  const { lives } = part.plan.next;
  const over = Object.keys(lives).filter((one) => isOver(state, one, lives[one]!));
  if (over.join() === part.over.join()) return undefined;
  return { ...state, part: { ...part, over } };
}

/** An operator has said that a member is over, and nobody here can reach it. */
function believeForgetting(state: Handover): Handover | undefined {
  const wanted = wantedOf(state);
  if (wanted?.kind !== 'forget') return undefined;
  const peer = state.peers[wanted.who[0]!];
  if (peer === undefined || peer.isUp || peer.life === '') return undefined;
  const next = addOver(state, [peer.life]);
  return next === state ? undefined : next;
}

/** Until a node is ready it gives up with anybody; from then on only with one who knows. */
function abort(state: Handover, effects: HandoverEffect[]): Handover | undefined {
  const part = livePart(state.part);
  if (part === null) return undefined;
  const { address } = state;
  const { plan, phase, over } = part;
  const coordinator = coordinatorOf(plan)!;
  const isDecider = coordinator === address;
  const quitter = otherParties(state, plan).find((one) => hasGivenUp(state, one, plan));
  if (quitter !== undefined) {
    const reason = heard(state, quitter)?.part?.reason || `${quitter} has given up`;
    return fail(state, reason, effects, true);
  }
  const reached = plan.kind === 'forget' && plan.who.find((one) => state.peers[one]?.isUp);
  if (reached && (isDecider || phase !== 'ready')) {
    return fail(state, `${address} can reach ${reached}`, effects, true);
  }
  if (over.length === 0) return undefined;
  const reason = `${over.join(', ')} has restarted or is gone`;
  if (isDecider || phase !== 'ready') return fail(state, reason, effects, true);
  // In doubt: none of those who are left may learn of a commit any more.
  if (!over.includes(coordinator)) return undefined;
  const left = otherParties(state, plan).filter((one) => !over.includes(one));
  const isCertain = left.every((one) => {
    const theirs = heard(state, one)?.part ?? null;
    const isSamePlan = theirs !== null && isPlanOf(plan, theirs.plan.next);
    return isSamePlan && over.every((gone) => theirs.over.includes(gone));
  });
  return isCertain ? fail(state, reason, effects, true) : undefined;
}

/** Whether another party is known to be done with a plan, and not to have committed it. */
function hasGivenUp(state: Handover, address: string, plan: Plan): boolean {
  const told = heard(state, address);
  if (told === null || told.promised < plan.next.epoch) return false;
  if ((told.topology?.epoch ?? 0) >= plan.next.epoch) return false;
  return (
    told.part === null || told.part.phase === 'aborted' || !isPlanOf(plan, told.part.plan.next)
  );
}

/** Gives a plan up; one that is ready can only do so where `isCertain` that nobody commits. */
function fail(
  state: Handover,
  reason: string,
  effects: HandoverEffect[],
  isCertain = false,
): Handover {
  const part = livePart(state.part);
  if (part === null) return state;
  const isDecider = coordinatorOf(part.plan) === state.address;
  if (part.phase === 'ready' && !isDecider && !isCertain) return state;
  effects.push({ kind: 'abort', plan: part.plan, reason });
  return { ...state, part: { ...part, phase: 'aborted', reason }, progress: null };
}

/** Agrees to what a coordinator proposes, or says that it cannot be. */
function agree(state: Handover, effects: HandoverEffect[]): Handover | undefined {
  if (livePart(state.part) !== null) return undefined;
  for (const [address, { life }] of Object.entries(state.peers)) {
    const plan = livePart(heard(state, address)?.part ?? null)?.plan;
    if (plan === undefined || plan.next.by !== life || coordinatorOf(plan) !== address) continue;
    if (!isAcceptable(state, plan, address)) continue;
    const { lives } = plan.next;
    const part: Part = { plan, phase: 'agreed', reason: '', over: [] };
    const agreed = { ...state, part, promised: plan.next.epoch };
    const others = otherParties(state, plan);
    const reached = plan.kind === 'forget' && plan.who.find((one) => state.peers[one]?.isUp);
    if (reached) return fail(agreed, `${state.address} can reach ${reached}`, effects);
    if (others.some((one) => isOver(state, one, lives[one]!))) {
      return fail(noteOver(agreed) ?? agreed, `${address} names lives that are over`, effects);
    }
    // Each must reach each before anything moves.
    if (others.every((one) => state.peers[one]?.isUp && state.peers[one].life === lives[one])) {
      return agreed;
    }
  }
  return undefined;
}

/** Whether a plan starts where this node is, and is none that it has already had. */
function isAcceptable(state: Handover, { kind, next }: Plan, from: string): boolean {
  const { address, life, topology, promised } = state;
  if (next.lives[address] !== life || next.epoch <= promised) return false;
  if (topology !== null) {
    const isNext = next.clusterId === topology.clusterId && next.epoch > topology.epoch;
    return isNext && next.before.join() === topology.members.join();
  }
  const known = knownAddresses(state);
  if (kind === 'form') return tell(state).hasReachedAll && known.join() === next.members.join();
  const cluster = joiningTopology(state);
  return cluster?.clusterId === next.clusterId && cluster.members.includes(from);
}

/** Starts to copy when the coordinator has; that is when all have agreed. */
function start(state: Handover, effects: HandoverEffect[]): Handover | undefined {
  if (state.part?.phase !== 'agreed') return undefined;
  const { plan } = state.part;
  const coordinator = coordinatorOf(plan)!;
  const isDue =
    coordinator === state.address
      ? otherParties(state, plan).every((one) => isIn(state, one, plan, ['agreed']))
      : isIn(state, coordinator, plan, ['copying', 'ready']);
  if (!isDue) return undefined;
  effects.push({ kind: 'copy', plan });
  const isGiver = takersOf(plan.next, state.address).length > 0;
  return withPhase(state, isGiver ? 'copying' : 'ready');
}

/** The coordinator commits when all are ready. */
function decide(state: Handover, effects: HandoverEffect[]): Handover | undefined {
  const { part } = state;
  if (part?.phase !== 'ready' || coordinatorOf(part.plan) !== state.address) return undefined;
  const isUnanimous = otherParties(state, part.plan).every((one) =>
    isIn(state, one, part.plan, ['ready']),
  );
  return isUnanimous ? adopt(state, part.plan.next, part.plan, effects) : undefined;
}

function isIn(state: Handover, address: string, plan: Plan, phases: readonly string[]): boolean {
  const part = heard(state, address)?.part ?? null;
  return part !== null && isPlanOf(plan, part.plan.next) && phases.includes(part.phase);
}

/** An old owner has given all that there was, once it has committed or its life is over. */
function arriveWithout(state: Handover, effects: HandoverEffect[]): Handover | undefined {
  const { topology, awaiting, broken } = state;
  const arrived = awaiting.find((giver) => {
    if (isOver(state, giver, topology!.lives[giver]!)) return true;
    if (!broken.includes(giver)) return false;
    const told = heard(state, giver)?.topology;
    return told?.clusterId === topology!.clusterId && told.epoch >= topology!.epoch;
  });
  if (arrived !== undefined) return arrive(state, arrived, effects);
  return awaiting.length > 0 && isComplete(state)
    ? arrive(state, awaiting[0]!, effects)
    : undefined;
}

function arrive(state: Handover, address: string, effects: HandoverEffect[]): Handover {
  if (!state.awaiting.includes(address)) return state;
  effects.push({ kind: 'arrived', address });
  return { ...state, awaiting: state.awaiting.filter((one) => one !== address) };
}

/** What a new owner whose life is over was given is lost. */
function giveUp(state: Handover): Handover | undefined {
  const { giving, topology } = state;
  const left = giving.filter((taker) => !isOver(state, taker, topology!.lives[taker]!));
  return left.length === giving.length ? undefined : { ...state, giving: left };
}

/** A topology is complete when all members have settled; the lowest sees that, the others hear it. */
function completed(state: Handover): Handover | undefined {
  const { topology, address } = state;
  if (topology === null || isComplete(state)) return undefined;
  const { epoch, clusterId, members } = topology;
  const views = members.map((one) => (one === address ? tell(state) : heard(state, one)));
  const isOurs = (told: Told | null): boolean =>
    told?.topology?.epoch === epoch && told.topology.clusterId === clusterId;
  const isSeen = members[0] === address && views.every((told) => isOurs(told) && told!.isSettled);
  const isHeard = views.some((told) => isOurs(told) && told!.complete >= epoch);
  return isSeen || isHeard ? { ...state, complete: epoch } : undefined;
}

/** A wish to forget is tried once, and not where the member can be reached. */
function dropWish(state: Handover): Handover | undefined {
  const parts = [state.part, ...Object.keys(state.peers).map((one) => heard(state, one)?.part)];
  const hasFailed = (who: string): boolean =>
    parts.some(
      (part) =>
        part?.phase === 'aborted' && part.plan.kind === 'forget' && part.plan.who.includes(who),
    );
  const wishes = state.wishes.filter(
    ({ kind, who }) => kind !== 'forget' || (!state.peers[who]?.isUp && !hasFailed(who)),
  );
  return wishes.length === state.wishes.length ? undefined : { ...state, wishes };
}

/** Who is no member any more goes when everything is given, and everybody knows. */
function leave(state: Handover, effects: HandoverEffect[]): Handover | undefined {
  const { topology, address, giving } = state;
  if (topology === null || topology.members.includes(address) || giving.length > 0)
    return undefined;
  const isKnown = topology.members.every((one) => {
    const told = heard(state, one)?.topology ?? null;
    return told !== null && told.epoch >= topology.epoch;
  });
  if (!isKnown) return undefined;
  effects.push({ kind: 'left' });
  return { ...state, isGone: true };
}

/** The steps of the protocol, in the order in which they are tried. */
export const RULES = {
  expel,
  commit,
  adoptAsNewcomer,
  believeForgetting,
  noteOver,
  abort,
  agree,
  start,
  decide,
  arriveWithout,
  giveUp,
  completed,
  dropWish,
  leave,
} as const satisfies Readonly<Record<string, Rule>>;

function withPhase(state: Handover, phase: Part['phase']): Handover {
  return { ...state, part: { ...state.part!, phase } };
}

function otherParties({ address }: Handover, { next }: Plan): string[] {
  return Object.keys(next.lives).filter((one) => one !== address);
}
