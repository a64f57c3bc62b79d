/** Reading what another node tells: each field is checked to be what it must be. */

import { EPOCH_MAX, MEMBERS_MAX, OVER_LIVES_MAX, REASON_CHARS_MAX } from '../base/limits.ts';
import { addresses, address, bad, object, uuid, whole, type Fields } from '../peer/messages.ts';
import {
  PHASES,
  PLAN_KINDS,
  type Part,
  type Plan,
  type Progress,
  type Told,
  type TopologyFacts,
} from './told.ts';

/**
 * Reads what a node tells.
 *
 * @throws ProtocolError if a field is missing or not what it must be.
 */
export function readTold(value: unknown): Told {
  const told = object(value, 'told');
  return {
    joins: addresses(told.joins, 'joins'),
    hasReachedAll: flag(told, 'hasReachedAll'),
    known: addresses(told.known, 'known'),
    topology: told.topology === null ? null : readTopology(told.topology),
    joining: told.joining === '' ? '' : uuid(told, 'joining'),
    promised: whole(told, 'promised', 0, EPOCH_MAX),
    part: told.part === null ? null : readPart(told.part),
    progress: told.progress === null ? null : readProgress(told.progress),
    isSettled: flag(told, 'isSettled'),
    complete: whole(told, 'complete', 0, EPOCH_MAX),
    wishes: list(told.wishes, 'wishes', MEMBERS_MAX).map((one) => {
      const wish = object(one, 'wish');
      const kind = choice(['leave', 'forget'] as const, wish, 'kind');
      return { kind, who: address(wish.who), life: uuid(wish, 'life') };
    }),
    over: list(told.over, 'over', OVER_LIVES_MAX).map((life) => uuid({ life }, 'life')),
  };
}

function readTopology(value: unknown): TopologyFacts {
  const facts = object(value, 'topology');
  const members = addresses(facts.members, 'members');
  if (members.length === 0) throw bad('members');
  const lives = object(facts.lives, 'lives');
  if (Object.keys(lives).length > 2 * MEMBERS_MAX) throw bad('lives');
  return {
    clusterId: uuid(facts, 'clusterId'),
    epoch: whole(facts, 'epoch', 1, EPOCH_MAX),
    by: uuid(facts, 'by'),
    members,
    before: addresses(facts.before, 'before'),
    lives: Object.fromEntries(
      Object.keys(lives).map((one) => [address(one), uuid({ life: lives[one] }, 'life')]),
    ),
  };
}

function readPart(value: unknown): Part {
  const part = object(value, 'part');
  if (typeof part.reason !== 'string') throw bad('reason');
  return {
    plan: readPlan(part.plan),
    phase: choice(PHASES, part, 'phase'),
    reason: part.reason.slice(0, REASON_CHARS_MAX),
    over: addresses(part.over, 'over'),
  };
}

function readProgress(value: unknown): Progress {
  const progress = object(value, 'progress');
  const count = (name: keyof Progress): number => whole(progress, name, 0, Number.MAX_SAFE_INTEGER);
  return {
    partitions: count('partitions'),
    partitionsDone: count('partitionsDone'),
    bytes: count('bytes'),
    bytesDone: count('bytesDone'),
  };
}

function readPlan(value: unknown): Plan {
  const plan = object(value, 'plan');
  const kind = choice(PLAN_KINDS, plan, 'kind');
  return { kind, who: addresses(plan.who, 'who'), next: readTopology(plan.next) };
}

function flag(fields: Fields, name: string): boolean {
  const value = fields[name];
  if (typeof value !== 'boolean') throw bad(name);
  return value;
}

function choice<const T extends readonly string[]>(
  choices: T,
  fields: Fields,
  name: string,
): T[number] {
  const found = choices.find((one) => one === fields[name]);
  if (found === undefined) throw bad(name);
  return found;
}

function list(value: unknown, name: string, max: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > max) throw bad(name);
  return value;
}
