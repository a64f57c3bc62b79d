import { describe, expect, test } from 'vitest';

import { seededRandom } from '../../test/support/random.ts';
import {
  Worlds,
  type Budget,
  type Mistakes,
  type Scenario,
  type World,
} from '../../test/support/handover-world.ts';
import { RULES, type Rule } from './handover.ts';
import { coordinatorOf, type Phase } from './told.ts';

const NOTHING: Budget = { crash: 0, restart: 0, cut: 0, plan: 0, write: 0 };

/** What an exploration has found. */
interface Found {
  /** How many different states it has seen. */
  readonly states: number;
  /** Whether those are all that there are. */
  readonly isWhole: boolean;
  readonly fault: string;
  /** How the world with the fault came about. */
  readonly trace: readonly string[];
}

interface Reached {
  readonly world: World;
  readonly step: string;
  readonly from: Reached | undefined;
}

/** How many states a test looks at, where there are more. */
const STATES_MAX = 10_000;

/** So many states lie between two of which the end is looked at. */
const STATES_PER_END = 1024;

/** Tries every order of events from a world on, the shortest first, up to a number of states. */
function explore(worlds: Worlds, start: World, statesMax: number): Found {
  const seen = new Set<string>();
  let frontier: Reached[] = [{ world: start, step: 'start', from: undefined }];
  while (frontier.length > 0 && seen.size < statesMax) {
    const next: Reached[] = [];
    for (const from of frontier) {
      for (const [step, after] of worlds.steps(from.world)) {
        const world = after();
        const key = JSON.stringify(world);
        if (seen.has(key)) continue;
        seen.add(key);
        const reached: Reached = { world, step, from };
        const isEndDue = seen.size % STATES_PER_END === 0;
        const fault = worlds.fault(world) || (isEndDue ? endOf(worlds, world) : '');
        if (fault !== '') {
          return { states: seen.size, isWhole: false, fault, trace: traceOf(reached) };
        }
        next.push(reached);
      }
    }
    frontier = next;
  }
  return { states: seen.size, isWhole: frontier.length === 0, fault: '', trace: [] };
}

function traceOf(last: Reached): string[] {
  const trace: string[] = [];
  for (let at: Reached | undefined = last; at !== undefined; at = at.from) trace.unshift(at.step);
  return trace;
}

/** Takes steps at random, in many worlds; each is looked at to its end. */
function wander(worlds: Worlds, start: World, walks: number, random: () => number): Found {
  let states = 0;
  for (let walk = 0; walk < walks; walk++) {
    let world = start;
    const trace: string[] = [];
    for (let left = 150; left > 0; left--) {
      const steps = worlds.steps(world);
      const step = steps[Math.floor(random() * steps.length)];
      if (step === undefined) break;
      trace.push(step[0]);
      world = step[1]();
      states++;
      const fault = worlds.fault(world);
      if (fault !== '') return { states, isWhole: false, fault, trace };
    }
    const fault = endOf(worlds, world);
    if (fault !== '') return { states, isWhole: false, fault, trace };
  }
  return { states, isWhole: false, fault: '', trace: [] };
}

/** What is wrong once nothing fails any more, and whoever is gone has come back. */
function endOf(worlds: Worlds, world: World): string {
  let at = world;
  // Who leaves meanwhile comes back, too: the others may wait for it.
  for (let round = 0; round < 2; round++) {
    for (const address of Object.keys(at.lives)) {
      if (at.nodes[address] === undefined && at.lives[address]! > 0) at = worlds.start(at, address);
    }
    at = worlds.settle(at);
  }
  return worlds.fault(at) || worlds.unrest(at);
}

/** Where the worlds of a test begin. */
interface Setting {
  readonly scenario: Scenario;
  readonly begin: (worlds: Worlds) => World;
}

/** The addresses in a text. */
function all(addresses: string): string[] {
  return addresses.split('');
}

function everyone(addresses: string): Record<string, readonly string[]> {
  return Object.fromEntries(all(addresses).map((one) => [one, all(addresses)]));
}

/** Some members, formed, and whoever comes after them. */
function formed(worlds: Worlds, members: string, newcomers = ''): World {
  let world = worlds.empty(NOTHING);
  for (const address of members) world = worlds.start(world, address);
  world = worlds.settle(world);
  for (const address of newcomers) world = worlds.start(world, address);
  return newcomers === '' ? world : worlds.settle(world, 0);
}

const SETTINGS = {
  'three nodes form a cluster': {
    scenario: {
      addresses: ['a', 'b', 'c'],
      joins: { a: ['b'], b: ['c'], c: ['a'] },
      partitions: [['a'], ['b'], ['c']],
    },
    begin: (worlds) =>
      all('abc').reduce((world, one) => worlds.start(world, one), worlds.empty(NOTHING)),
  },
  'two nodes form a cluster': {
    scenario: {
      addresses: ['a', 'b'],
      joins: everyone('ab'),
      partitions: [['a'], ['b']],
    },
    begin: (worlds) => worlds.start(worlds.start(worlds.empty(NOTHING), 'a'), 'b'),
  },
  'a third node joins two': {
    scenario: {
      addresses: ['a', 'b', 'c'],
      joins: { a: ['b'], b: ['a'], c: ['a'] },
      rejoins: everyone('abc'),
      partitions: [all('cab'), all('cba'), all('abc')],
    },
    begin: (worlds) => formed(worlds, 'ab', 'c'),
  },
  'a third node joins two, at the second attempt': {
    scenario: {
      addresses: ['a', 'b', 'c'],
      joins: { a: ['b'], b: ['a'], c: ['a'] },
      rejoins: everyone('abc'),
      partitions: [all('cab'), all('cba'), all('abc')],
    },
    begin: (worlds) => {
      const planned = worlds.happen(formed(worlds, 'ab', 'c'), 'a', {
        kind: 'plan',
        clusterId: '',
      });
      return worlds.settle(worlds.happen(planned, 'a', { kind: 'failed', reason: 'a test' }), 0);
    },
  },
  'a node joins of which the address is the lowest': {
    scenario: {
      addresses: ['a', 'b', 'c'],
      joins: { a: ['b'], b: ['c'], c: ['b'] },
      rejoins: everyone('abc'),
      partitions: [all('abc'), all('acb')],
    },
    begin: (worlds) => formed(worlds, 'bc', 'a'),
  },
  'two nodes join two at once': {
    scenario: {
      addresses: ['a', 'b', 'c', 'd'],
      joins: { a: ['b'], b: ['a'], c: ['a'], d: ['b'] },
      rejoins: everyone('abcd'),
      partitions: [all('cabd'), all('dbac'), all('abcd')],
    },
    begin: (worlds) => formed(worlds, 'ab', 'cd'),
  },
  'the coordinator leaves three': {
    scenario: {
      addresses: ['a', 'b', 'c'],
      joins: everyone('abc'),
      partitions: [all('abc'), all('acb'), all('bca')],
    },
    begin: (worlds) =>
      worlds.happen(formed(worlds, 'abc'), 'b', {
        kind: 'wish',
        wish: { kind: 'leave', who: 'a', life: 'a1' },
      }),
  },
  'one of four leaves': {
    scenario: {
      addresses: ['a', 'b', 'c', 'd'],
      joins: everyone('abcd'),
      partitions: [all('cabd'), all('cdab'), all('bcda')],
    },
    begin: (worlds) =>
      worlds.happen(formed(worlds, 'abcd'), 'd', {
        kind: 'wish',
        wish: { kind: 'leave', who: 'c', life: 'c1' },
      }),
  },
  'a dead coordinator is forgotten': {
    scenario: {
      addresses: ['a', 'b', 'c'],
      joins: everyone('abc'),
      forgotten: 'a',
      partitions: [all('abc'), all('bca')],
    },
    begin: (worlds) => {
      const world = worlds.settle(worlds.crash(formed(worlds, 'abc'), 'a'), 0);
      return worlds.happen(world, 'c', {
        kind: 'wish',
        wish: { kind: 'forget', who: 'a', life: 'a1' },
      });
    },
  },
} as const satisfies Record<string, Setting>;

/** Runs a setting with some failures, and mistakes if any. */
function run(
  { scenario, begin }: Setting,
  budget: Partial<Budget>,
  search: (worlds: Worlds, start: World) => Found,
  mistakes: Mistakes = {},
): Found {
  const worlds = new Worlds(scenario);
  const start = begin(worlds);
  worlds.plant(mistakes);
  return search(worlds, { ...start, budget: { ...NOTHING, ...budget } });
}

/** The coordinator commits as soon as one other is ready. */
const commitsEarly: Rule = (state, effects) => {
  const { part, peers } = state;
  if (part?.phase !== 'ready' || coordinatorOf(part.plan) !== state.address) return undefined;
  const { next } = part.plan;
  const views = Object.keys(next.lives).map((one) =>
    one === state.address ? part : (peers[one]?.told?.part ?? null),
  );
  const isSomeoneReady = views.filter((view) => view?.phase === 'ready').length > 1;
  if (!isSomeoneReady) return undefined;
  // What all would have said is put in their mouths.
  const others = Object.entries(peers).map(([one, view]) => {
    const told = view.told === null ? null : { ...view.told, part };
    return [one, { ...view, told }] as const;
  });
  return RULES.decide({ ...state, peers: Object.fromEntries(others) }, effects);
};

/** What was said of another attempt counts for this one. */
function comparesNoEpoch(rule: Rule, phaseOf: (phase: Phase) => Phase): Rule {
  return (state, effects) => {
    const { part, peers } = state;
    if (part === null || part.plan.kind === 'form') return rule(state, effects);
    const others = Object.entries(peers).map(([one, view]) => {
      const theirs = view.told?.part ?? null;
      if (view.told === null || theirs === null) return [one, view] as const;
      const blurred = { ...theirs, phase: phaseOf(theirs.phase), plan: part.plan };
      return [one, { ...view, told: { ...view.told, part: blurred } }] as const;
    });
    const next = rule({ ...state, peers: Object.fromEntries(others) }, effects);
    return next && { ...next, peers };
  };
}

/** Who declares a new cluster asks nobody. */
const asksNobody: Rule = (state, effects) => {
  const { part } = state;
  if (part?.plan.kind !== 'form' || part.phase === 'aborted') return RULES.decide(state, effects);
  const { next } = part.plan;
  if (next.by !== state.life) return undefined;
  const others = Object.entries(state.peers).map(([one, view]) => {
    const told =
      view.told === null ? null : { ...view.told, part: { ...part, phase: 'ready' as const } };
    return [one, { ...view, told }] as const;
  });
  const ready = { ...state, part: { ...part, phase: 'ready' as const } };
  return RULES.decide({ ...ready, peers: Object.fromEntries(others) }, effects);
};

const MISTAKES: [string, keyof typeof SETTINGS, Partial<Budget>, Mistakes][] = [
  [
    'a mirror after the answer',
    'a third node joins two',
    { plan: 1, write: 1, crash: 1 },
    { answersFirst: true },
  ],
  [
    'a commit without unanimity',
    'a third node joins two',
    { plan: 1, write: 1, cut: 1 },
    { rules: { ...RULES, decide: commitsEarly } },
  ],
  [
    'an epoch that is not compared',
    'a third node joins two, at the second attempt',
    { plan: 1, write: 1 },
    {
      rules: {
        ...RULES,
        start: comparesNoEpoch(RULES.start, () => 'agreed'),
        decide: comparesNoEpoch(RULES.decide, () => 'ready'),
      },
    },
  ],
  [
    'a new cluster that is declared by one alone, and late mail of a life that is over',
    'two nodes form a cluster',
    { plan: 2, crash: 1, restart: 1 },
    { rules: { ...RULES, decide: asksNobody }, mistakesLives: true },
  ],
];

function exploreFar(worlds: Worlds, start: World): Found {
  return explore(worlds, start, 200_000);
}

describe('a mistake in the protocol is found', () => {
  test.each(MISTAKES)('%s', { timeout: 120_000 }, (_, setting, budget, mistakes) => {
    const found = run(SETTINGS[setting], budget, exploreFar, mistakes);
    console.log(`${found.states} states: ${found.fault}\n  ${found.trace.join(', ')}`);
    expect(found.fault).not.toBe('');
  });
});

const BUDGETS: [string, Partial<Budget>][] = [
  ['no failure', { plan: 1, write: 2 }],
  ['a crash and a broken connection', { plan: 1, write: 1, crash: 1, cut: 1 }],
  ['two crashes', { plan: 1, write: 1, crash: 2 }],
  ['a crash and a return', { plan: 2, write: 1, crash: 1, restart: 1 }],
];

describe('at most one member serves a partition, nothing acknowledged is lost, and every handover ends', () => {
  for (const [name, setting] of Object.entries(SETTINGS)) {
    for (const [failures, budget] of BUDGETS) {
      test(`${name}: ${failures}`, { timeout: 120_000 }, () => {
        const found = run(setting, budget, (worlds, start) => explore(worlds, start, STATES_MAX));
        console.log(`${name}, ${failures}: ${found.states} states${found.isWhole ? ', all' : ''}`);
        expect(found).toMatchObject({ fault: '', trace: [] });
      });
    }
    test(`${name}: at random`, { timeout: 120_000 }, () => {
      const random = seededRandom(`handover, ${name}`);
      const budget = { plan: 4, write: 4, crash: 2, restart: 2, cut: 2 };
      const found = run(setting, budget, (worlds, start) => wander(worlds, start, 40, random));
      console.log(`${name}, at random: ${found.states} steps`);
      expect(found).toMatchObject({ fault: '', trace: [] });
    });
  }
});

test('where all members want to leave one stays, and goes when another has come', () => {
  const worlds = new Worlds(SETTINGS['a third node joins two'].scenario);
  let world = formed(worlds, 'ab');
  for (const who of ['a', 'b']) {
    const wish = { kind: 'leave', who, life: `${who}1` } as const;
    world = worlds.happen(world, who, { kind: 'wish', wish });
  }
  world = worlds.settle(world);
  expect(worlds.living(world).map(({ address }) => address)).toEqual(['b']);
  // It lists a, which has gone: b is what c's -join must lead to.
  world = worlds.settle(worlds.start(worlds.start(world, 'a'), 'c'));
  expect(worlds.fault(world) || worlds.unrest(world)).toBe('');
  expect(worlds.living(world).map(({ address }) => address)).toEqual(['a', 'c']);
});
