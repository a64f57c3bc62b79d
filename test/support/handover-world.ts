/**
 * Small worlds of nodes that hand over: everything that can happen next, as a function of a state that
 * can be compared, so that every order of events can be tried. What a node decides is the code of
 * src/cluster/handover.ts; the network between them and the records that move are models.
 */

import {
  handle,
  RULES,
  targetsOf,
  tell,
  type HandoverEffect,
  type HandoverEvent,
  type Rule,
} from '../../src/cluster/handover.ts';
import { isOver, livePart, startHandover, type Handover } from '../../src/cluster/state.ts';
import type { Plan, Told } from '../../src/cluster/told.ts';

/** Mistakes that can be made in a model, to show that they are found. */
export interface Mistakes {
  readonly rules?: Readonly<Record<string, Rule>>;
  /** A write is answered before it is mirrored. */
  readonly answersFirst?: boolean;
  /** What a life told that is over counts as told by the one after it. */
  readonly mistakesLives?: boolean;
}

export interface Scenario {
  readonly addresses: readonly string[];
  /** What is in the -join of each. */
  readonly joins: Readonly<Record<string, readonly string[]>>;
  /** What it is when a node starts again, if that is something else. */
  readonly rejoins?: Readonly<Record<string, readonly string[]>>;
  /** A node that an operator takes for dead: if it is not, what it does is the operator's risk. */
  readonly forgotten?: string;
  /** Who owns each partition: the first of these that is a member. */
  readonly partitions: readonly (readonly string[])[];
}

/** Something that travels between two nodes. */
type Mail = { readonly kind: 'dial' | 'welcome' | 'told' } & {
  readonly life: string;
  readonly revision: number;
  readonly told: Told;
};

/** What a stream carries: a version of a partition, or a mark. */
type Piece =
  | { readonly kind: 'record'; readonly partition: number; readonly version: number }
  | { readonly kind: 'mirror'; readonly partition: number; readonly version: number }
  | { readonly kind: 'copied' }
  | { readonly kind: 'end' };

interface Stream {
  readonly epoch: number;
  readonly toLife: string;
  readonly pieces: readonly Piece[];
}

/** How many more of each may happen. */
export interface Budget {
  readonly crash: number;
  readonly restart: number;
  readonly cut: number;
  readonly plan: number;
  readonly write: number;
}

/** The state of a world; objects in it are never changed, and are interned. */
export interface World {
  readonly nodes: Readonly<Record<string, number>>;
  /** The number of the life that each address has, or had last. */
  readonly lives: Readonly<Record<string, number>>;
  readonly revisions: Readonly<Record<string, number>>;
  readonly mail: Readonly<Record<string, readonly number[]>>;
  readonly links: Readonly<Record<string, 'dialling' | 'up' | 'broken'>>;
  readonly streams: Readonly<Record<string, Stream>>;
  /** What each node holds of each partition that it serves, or served; and what it was given. */
  readonly held: Readonly<Record<string, readonly number[]>>;
  readonly given: Readonly<Record<string, readonly number[]>>;
  /** The last version of each partition that was acknowledged and must not be lost. */
  readonly acknowledged: readonly number[];
  readonly versions: number;
  readonly budget: Budget;
  readonly wrong: string;
}

/** Each thing that can happen, under a name. */
export type Step = readonly [name: string, after: () => World];

const NOTHING = 0;

export class Worlds {
  readonly #scenario: Scenario;
  #mistakes: Mistakes = {};
  readonly #objects: unknown[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #letters = new Map<string, number>();
  readonly #told = new Map<number, number>();
  readonly #targets = new Map<number, readonly string[]>();
  readonly #outcomes = new Map<string, { state: number; effects: readonly HandoverEffect[] }>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
  }

  /** Has these mistakes made from now on. */
  plant(mistakes: Mistakes): void {
    this.#mistakes = mistakes;
    this.#outcomes.clear();
  }

  /** A world in which nobody has started. */
  empty(budget: Budget): World {
    const none = this.#scenario.partitions.map(() => NOTHING);
    const all = <T>(value: T): Record<string, T> =>
      Object.fromEntries(this.#scenario.addresses.map((address) => [address, value]));
    return {
      nodes: {},
      lives: all(0),
      revisions: {},
      mail: {},
      links: {},
      streams: {},
      held: all(none),
      given: all(none),
      acknowledged: none,
      versions: 0,
      budget,
      wrong: '',
    };
  }

  node(world: World, address: string): Handover | undefined {
    const number = world.nodes[address];
    return number === undefined ? undefined : (this.#objects[number] as Handover);
  }

  living(world: World): Handover[] {
    return Object.keys(world.nodes).map((address) => this.node(world, address)!);
  }

  start(world: World, address: string): World {
    const life = `${address}${world.lives[address]! + 1}`;
    const { joins, rejoins = joins } = this.#scenario;
    const list = (world.lives[address] === 0 ? joins : rejoins)[address]!;
    const others = list.filter((join) => join !== address);
    const state = startHandover(address, life, others);
    const none = this.#scenario.partitions.map(() => NOTHING);
    return {
      ...world,
      nodes: { ...world.nodes, [address]: this.#intern(state) },
      lives: { ...world.lives, [address]: world.lives[address]! + 1 },
      revisions: { ...world.revisions, [address]: 1 },
      held: { ...world.held, [address]: none },
      given: { ...world.given, [address]: none },
    };
  }

  /** Takes steps, the oldest mail first and no failures, until nothing but plans is left to do. */
  settle(world: World, plans = 6): World {
    let at = world;
    for (let count = 0, left = plans; count < 5000; count++) {
      const steps = this.steps({ ...at, budget: NO_FAILURES });
      const step = steps[0];
      if (step !== undefined) at = { ...step[1](), budget: world.budget };
      else if (left-- > 0) at = this.#planAll(at);
      else return at;
      if (at.wrong !== '') return at;
    }
    return { ...at, wrong: 'it never comes to rest' };
  }

  /** Lets something happen to a node. */
  happen(world: World, address: string, event: HandoverEvent): World {
    const before = world.nodes[address];
    if (before === undefined) return world;
    const key = `${before} ${event.kind === 'told' ? `${event.life} ${event.revision} ${this.#numberOf(event.told)}` : JSON.stringify(event)}`;
    let outcome = this.#outcomes.get(key);
    if (outcome === undefined) {
      const { state, effects } = handle(
        this.#objects[before] as Handover,
        event,
        this.#mistakes.rules ?? RULES,
      );
      outcome = { state: this.#intern(state), effects };
      this.#outcomes.set(key, outcome);
    }
    if (outcome.state === before && outcome.effects.length === 0) return world;
    let next: World = { ...world, nodes: { ...world.nodes, [address]: outcome.state } };
    if (this.#toldIn(before) !== this.#toldIn(outcome.state)) next = this.#tellNews(next, address);
    for (const effect of outcome.effects) next = this.#effect(next, address, effect);
    return next;
  }

  /** All that can happen next. */
  steps(world: World): Step[] {
    const steps: Step[] = [];
    for (const [way, letters] of Object.entries(world.mail)) {
      if (letters.length > 0) steps.push([`mail ${way}`, () => this.#deliver(world, way)]);
    }
    for (const [way, stream] of Object.entries(world.streams)) {
      if (stream.pieces.length > 0) steps.push([`piece ${way}`, () => this.#receive(world, way)]);
    }
    for (const [way, link] of Object.entries(world.links)) {
      if (link === 'broken') steps.push([`lost ${way}`, () => this.#lose(world, way)]);
    }
    for (const address of Object.keys(world.nodes)) {
      for (const target of this.#targetsIn(world.nodes[address]!)) {
        const isIdle = world.links[`${address}>${target}`] === undefined;
        if (isIdle && world.nodes[target] !== undefined) {
          steps.push([`dial ${address}>${target}`, () => this.#dial(world, address, target)]);
        }
      }
    }
    const { crash, restart, cut, plan, write } = world.budget;
    const spend = (name: keyof Budget): World => ({
      ...world,
      budget: { ...world.budget, [name]: world.budget[name] - 1 },
    });
    for (const { address } of this.living(world)) {
      if (crash > 0) steps.push([`crash ${address}`, () => this.crash(spend('crash'), address)]);
      if (plan > 0 && this.#canPlan(world, address)) {
        steps.push([`plan ${address}`, () => this.#plan(spend('plan'), address)]);
      }
      for (const partition of this.#scenario.partitions.keys()) {
        if (write === 0 || !this.serves(world, address, partition)) continue;
        const written = this.#write(spend('write'), address, partition);
        if (written !== undefined) steps.push([`write ${partition} at ${address}`, () => written]);
      }
    }
    if (restart > 0) {
      for (const address of this.#scenario.addresses) {
        if (world.nodes[address] !== undefined || world.lives[address] === 0) continue;
        steps.push([`restart ${address}`, () => this.start(spend('restart'), address)]);
      }
    }
    if (cut > 0) {
      for (const way of Object.keys(world.streams)) {
        steps.push([`cut ${way}`, () => this.#breakStream(spend('cut'), way)]);
      }
      for (const way of Object.keys(world.links)) {
        if (world.links[way] !== 'up') continue;
        const links = { ...world.links, [way]: 'broken' as const };
        steps.push([`break ${way}`, () => ({ ...spend('cut'), links })]);
      }
    }
    return steps;
  }

  /** Whether a node answers for a partition. */
  serves(world: World, address: string, partition: number): boolean {
    const node = this.node(world, address);
    if (node === undefined || node.isGone || node.topology === null) return false;
    const { members, before } = node.topology;
    if (this.#owner(members, partition) !== address) return false;
    return !node.awaiting.includes(this.#owner(before, partition) ?? '');
  }

  /** What is wrong with a world; empty where nothing is. */
  fault(world: World): string {
    if (world.wrong !== '') return world.wrong;
    const clusters = new Set<string>();
    for (const { topology, isGone } of this.living(world)) {
      if (topology !== null && !isGone) clusters.add(topology.clusterId);
    }
    if (clusters.size > 1) return `there are ${clusters.size} clusters`;
    for (const partition of this.#scenario.partitions.keys()) {
      const servers = Object.keys(world.nodes).filter(
        (one) => one !== this.#scenario.forgotten && this.serves(world, one, partition),
      );
      if (servers.length > 1) return `partition ${partition} is served by ${servers.join(' and ')}`;
      for (const server of servers) {
        const held = world.held[server]![partition]!;
        if (held < world.acknowledged[partition]!) {
          return `${server} has lost what was acknowledged of partition ${partition}`;
        }
      }
    }
    return '';
  }

  /** What is wrong with a world that has come to rest with everybody alive; empty if all has ended. */
  unrest(world: World): string {
    const nodes = this.living(world).filter(({ isGone }) => !isGone);
    const epochs = new Set(nodes.map(({ topology }) => topology?.epoch ?? 0));
    if (epochs.size > 1 || epochs.has(0)) return `it ends with epochs ${[...epochs].join()}`;
    for (const node of nodes) {
      if (livePart(node.part) !== null) return `${node.address} is still ${node.part!.phase}`;
      if (!tell(node).isSettled) return `${node.address} never settles`;
      for (const partition of this.#scenario.partitions.keys()) {
        const owner = this.#owner(node.topology!.members, partition)!;
        if (!this.serves(world, owner, partition)) return `nobody serves partition ${partition}`;
      }
    }
    return '';
  }

  crash(world: World, address: string): World {
    const acknowledged = world.acknowledged.map((version, partition) =>
      this.#ownerNow(world, partition) === address ? NOTHING : version,
    );
    const nodes = { ...world.nodes };
    delete nodes[address];
    const links: Record<string, 'dialling' | 'up' | 'broken'> = {};
    for (const [way, link] of Object.entries(world.links)) {
      const [from, to] = ends(way);
      if (from !== address) links[way] = to === address ? 'broken' : link;
    }
    const mail = { ...world.mail };
    for (const way of Object.keys(mail)) if (ends(way)[1] === address) delete mail[way];
    let next: World = { ...world, acknowledged, nodes, links, mail };
    for (const way of Object.keys(world.streams)) {
      if (ends(way).includes(address)) next = this.#breakStream(next, way);
    }
    return next;
  }

  #planAll(world: World): World {
    let next = world;
    for (const { address } of this.living(world)) {
      // What has not gone on for so long is given up by whoever can.
      next = this.happen(next, address, { kind: 'failed', reason: 'it takes too long' });
    }
    for (const { address } of this.living(next)) next = this.#plan(next, address);
    // Who is no member yet says so again and again.
    for (const { address, topology } of this.living(next)) {
      if (topology === null) next = this.#tellNews(next, address);
    }
    return next;
  }

  #canPlan(world: World, address: string): boolean {
    return this.#plan(world, address) !== world;
  }

  #plan(world: World, address: string): World {
    const clusterId = `cluster of ${this.node(world, address)!.life}`;
    return this.happen(world, address, { kind: 'plan', clusterId });
  }

  /** The owner by the newest topology that anybody alive goes by. */
  #ownerNow(world: World, partition: number): string | undefined {
    const topologies = this.living(world).map(({ topology }) => topology);
    const newest = topologies.reduce(
      (best, one) => ((one?.epoch ?? 0) > (best?.epoch ?? 0) ? one : best),
      null,
    );
    return newest === null ? undefined : this.#owner(newest.members, partition);
  }

  #owner(members: readonly string[], partition: number): string | undefined {
    return this.#scenario.partitions[partition]!.find((one) => members.includes(one));
  }

  readonly #known = new Map<unknown, number>();

  #numberOf(object: object): number {
    let number = this.#known.get(object);
    if (number === undefined) {
      number = this.#intern(object);
      this.#known.set(object, number);
    }
    return number;
  }

  #intern(object: unknown): number {
    const text = JSON.stringify(object);
    let number = this.#numbers.get(text);
    if (number === undefined) {
      number = this.#objects.push(object) - 1;
      this.#numbers.set(text, number);
    }
    return number;
  }

  #post(world: World, from: string, to: string, kind: Mail['kind']): World {
    const node = this.node(world, from)!;
    const toldNumber = this.#toldIn(world.nodes[from]!);
    const revision = world.revisions[from]!;
    const name = `${kind} ${node.life} ${revision} ${toldNumber}`;
    let number = this.#letters.get(name);
    if (number === undefined) {
      const told = this.#objects[toldNumber] as Told;
      const letter: Mail = { kind, life: node.life, revision, told };
      number = this.#objects.push(letter) - 1;
      this.#letters.set(name, number);
    }
    const way = `${from}>${to}`;
    const letters = [...(world.mail[way] ?? []), number];
    return { ...world, mail: { ...world.mail, [way]: letters } };
  }

  /** What a node tells in a state, by its number. */
  #toldIn(state: number): number {
    let told = this.#told.get(state);
    if (told === undefined) {
      told = this.#intern(tell(this.#objects[state] as Handover));
      this.#told.set(state, told);
    }
    return told;
  }

  #targetsIn(state: number): readonly string[] {
    let targets = this.#targets.get(state);
    if (targets === undefined) {
      targets = targetsOf(this.#objects[state] as Handover);
      this.#targets.set(state, targets);
    }
    return targets;
  }

  /** A node tells its news over every connection, whoever dialled. */
  #tellNews(world: World, address: string): World {
    const revision = world.revisions[address]! + 1;
    let next: World = { ...world, revisions: { ...world.revisions, [address]: revision } };
    for (const other of Object.keys(world.nodes)) {
      if (other === address) continue;
      const isGreeted =
        world.links[`${other}>${address}`] === 'up' ||
        (world.mail[`${address}>${other}`] ?? []).some(
          (letter) => (this.#objects[letter] as Mail).kind === 'welcome',
        );
      const isUp = world.links[`${address}>${other}`] === 'up';
      if (isUp || isGreeted) next = this.#post(next, address, other, 'told');
    }
    return next;
  }

  #dial(world: World, from: string, to: string): World {
    const links = { ...world.links, [`${from}>${to}`]: 'dialling' as const };
    return this.#post({ ...world, links }, from, to, 'dial');
  }

  #deliver(world: World, way: string): World {
    const [from, to] = ends(way);
    const [first, ...rest] = world.mail[way]!;
    const { [way]: _, ...others } = world.mail;
    const mail = rest.length > 0 ? { ...others, [way]: rest } : others;
    let next: World = { ...world, mail };
    const letter = this.#objects[first!] as Mail;
    if (next.nodes[to] === undefined) return next;
    const life = this.#mistakes.mistakesLives ? `${from}${next.lives[from]}` : letter.life;
    const isLate = letter.life !== `${from}${next.lives[from]}`;
    const link = next.links[`${to}>${from}`];
    // Whoever has a living link to another life at that address refuses this one, which dials again.
    if (letter.kind === 'dial' && isOver(this.node(next, to)!, from, life)) {
      const { [way]: refused, ...links } = next.links;
      return refused === undefined || isLate ? next : { ...next, links };
    }
    // The answer of a life that is over comes over a connection that is over.
    if (letter.kind === 'welcome' && (isLate || link !== 'dialling')) return next;
    if (letter.kind === 'welcome') {
      if (Object.hasOwn(this.node(next, to)!.joins, from)) {
        next = this.happen(next, to, { kind: 'found', dialled: from, address: from });
      }
      next = { ...next, links: { ...next.links, [`${to}>${from}`]: 'up' } };
      next = this.happen(next, to, { kind: 'linked', address: from, life });
      next = this.#post(next, to, from, 'told');
    }
    const { revision, told } = letter;
    next = this.happen(next, to, { kind: 'told', address: from, life, revision, told });
    if (letter.kind === 'dial' && next.nodes[from] !== undefined && !isLate) {
      next = this.#post(next, to, from, 'welcome');
    }
    return next;
  }

  #lose(world: World, way: string): World {
    const [from, to] = ends(way);
    const { [way]: _, ...links } = world.links;
    return this.happen({ ...world, links }, from, { kind: 'lost', address: to });
  }

  /** What moves between two nodes by a plan. */
  #moving({ next }: Plan, from: string, to: string): number[] {
    return [...this.#scenario.partitions.keys()].filter(
      (partition) =>
        this.#owner(next.before, partition) === from && this.#owner(next.members, partition) === to,
    );
  }

  #effect(world: World, address: string, effect: HandoverEffect): World {
    switch (effect.kind) {
      case 'copy':
        return this.#copy(world, address, effect.plan);
      case 'abort':
        return this.#abort(world, address, effect.plan);
      case 'adopt':
        return this.#adopt(world, address, effect.plan);
      case 'expelled': {
        if (address === this.#scenario.forgotten) return this.crash(world, address);
        const { life } = this.node(world, address)!;
        return { ...world, wrong: `${life} is put out: ${effect.reason}` };
      }
      case 'left':
        return this.crash(world, address);
      case 'arrived':
        return world;
    }
  }

  #copy(world: World, address: string, plan: Plan): World {
    let next = world;
    for (const taker of takers(plan, address)) {
      const records = this.#moving(plan, address, taker).map((partition): Piece => {
        return { kind: 'record', partition, version: world.held[address]![partition]! };
      });
      const stream: Stream = {
        epoch: plan.next.epoch,
        toLife: plan.next.lives[taker]!,
        pieces: [...records, { kind: 'copied' }],
      };
      next = { ...next, streams: { ...next.streams, [`${address}>${taker}`]: stream } };
      if (next.nodes[taker] === undefined) next = this.#breakStream(next, `${address}>${taker}`);
    }
    return next;
  }

  #abort(world: World, address: string, plan: Plan): World {
    const none = this.#scenario.partitions.map(() => NOTHING);
    let next: World = { ...world, given: { ...world.given, [address]: none } };
    for (const taker of takers(plan, address)) {
      next = this.#acknowledgeAll(next, address, taker, plan);
      const { [`${address}>${taker}`]: _, ...streams } = next.streams;
      next = { ...next, streams };
    }
    return next;
  }

  /** A write that was done at the old owner stays done when the change is aborted. */
  #acknowledgeAll(world: World, address: string, taker: string, plan: Plan): World {
    const acknowledged = [...world.acknowledged];
    for (const partition of this.#moving(plan, address, taker)) {
      acknowledged[partition] = world.held[address]![partition]!;
    }
    return { ...world, acknowledged };
  }

  #adopt(world: World, address: string, plan: Plan | null): World {
    if (plan === null) return world;
    const held = world.held[address]!.map((version, partition) => {
      const isNew = this.#owner(plan.next.members, partition) === address;
      return isNew ? Math.max(version, world.given[address]![partition]!) : version;
    });
    let next: World = { ...world, held: { ...world.held, [address]: held } };
    for (const taker of this.node(next, address)!.giving) {
      const way = `${address}>${taker}`;
      const stream = next.streams[way];
      if (stream?.epoch === plan.next.epoch) {
        const pieces: readonly Piece[] = [...stream.pieces, { kind: 'end' }];
        next = { ...next, streams: { ...next.streams, [way]: { ...stream, pieces } } };
      } else {
        next = this.happen(next, address, { kind: 'given', address: taker });
      }
    }
    for (const giver of this.node(next, address)!.awaiting) {
      if (next.streams[`${giver}>${address}`]?.epoch === plan.next.epoch) continue;
      next = this.happen(next, address, { kind: 'broken', address: giver });
    }
    return next;
  }

  #receive(world: World, way: string): World {
    const [from, to] = ends(way);
    const stream = world.streams[way]!;
    const [piece, ...pieces] = stream.pieces;
    let next: World = { ...world, streams: { ...world.streams, [way]: { ...stream, pieces } } };
    switch (piece!.kind) {
      case 'record':
      case 'mirror': {
        const { partition, version } = piece as Piece & { partition: number; version: number };
        const isTaken = this.node(next, to)!.topology?.epoch === stream.epoch;
        const place = isTaken ? next.held : next.given;
        const versions = place[to]!.with(partition, version);
        next = { ...next, [isTaken ? 'held' : 'given']: { ...place, [to]: versions } };
        if (piece!.kind === 'record') return next;
        return { ...next, acknowledged: next.acknowledged.with(partition, version) };
      }
      case 'copied': {
        // Copies to every other new owner must be complete too.
        const others = Object.entries(next.streams).filter(
          ([one, { pieces: left }]) =>
            ends(one)[0] === from && left.some(({ kind }) => kind === 'copied'),
        );
        return others.length > 0 ? next : this.happen(next, from, { kind: 'copied' });
      }
      case 'end': {
        const { [way]: _, ...streams } = next.streams;
        const life = this.node(next, from)?.life ?? `${from}${next.lives[from]}`;
        const { epoch } = stream;
        next = this.happen({ ...next, streams }, to, { kind: 'ended', address: from, life, epoch });
        return this.happen(next, from, { kind: 'given', address: to });
      }
    }
  }

  #breakStream(world: World, way: string): World {
    const [from, to] = ends(way);
    if (world.streams[way] === undefined) return world;
    const { [way]: _, ...streams } = world.streams;
    let next: World = { ...world, streams };
    next = this.happen(next, from, { kind: 'failed', reason: `the stream to ${to} broke` });
    next = this.happen(next, from, { kind: 'given', address: to });
    return this.happen(next, to, { kind: 'broken', address: from });
  }

  /** A write at the node that serves the partition; undefined where it has to wait. */
  #write(world: World, address: string, partition: number): World | undefined {
    const version = world.versions + 1;
    const held = { ...world.held, [address]: world.held[address]!.with(partition, version) };
    const written: World = { ...world, versions: version, held };
    const acknowledged = world.acknowledged.with(partition, version);
    const part = livePart(this.node(world, address)!.part);
    const isMoving = part !== null && part.phase !== 'agreed';
    const taker = isMoving ? this.#owner(part.plan.next.members, partition)! : address;
    if (taker === address) return { ...written, acknowledged };
    const way = `${address}>${taker}`;
    const stream = written.streams[way];
    if (stream === undefined) return undefined;
    const mirror: Piece = { kind: 'mirror', partition, version };
    const streams = {
      ...written.streams,
      [way]: { ...stream, pieces: [...stream.pieces, mirror] },
    };
    return { ...written, streams, ...(this.#mistakes.answersFirst && { acknowledged }) };
  }
}

const NO_FAILURES: Budget = { crash: 0, restart: 0, cut: 0, plan: 0, write: 0 };

function ends(way: string): [from: string, to: string] {
  return way.split('>') as [string, string];
}

function takers({ next }: Plan, address: string): string[] {
  const { before, members } = next;
  if (!before.includes(address)) return [];
  return members.includes(address) ? members.filter((one) => !before.includes(one)) : [...members];
}
