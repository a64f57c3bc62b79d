/** Things that stand at prefixes, and which of them a text passes. */

/** Where a text passes nothing, nothing is made. */
const NOTHING: readonly never[] = [];

/**
 * At each prefix stands one thing or none. What a text passes is found in a time that the text bounds,
 * however many prefixes there are, and at once where it begins like none of them.
 */
export class PrefixTree<Thing> {
  readonly #root = new Branch<Thing>('');

  get(prefix: string): Thing | undefined {
    return this.#root.get(prefix);
  }

  set(prefix: string, thing: Thing): void {
    this.#root.at(prefix).thing = thing;
  }

  delete(prefix: string): void {
    this.#root.delete(prefix);
  }

  /** What stands at the prefixes of a text, itself included; the shortest first. */
  along(text: string): readonly Thing[] {
    let found: Thing[] | undefined;
    let branch: Branch<Thing> | undefined = this.#root;
    for (let end = 0; branch !== undefined; end += branch?.label.length ?? 0) {
      if (branch.thing !== undefined) (found ??= []).push(branch.thing);
      branch = branch.towards(text, end);
    }
    return found ?? NOTHING;
  }
}

/** A prefix where something stands, or where those that go on part; in between there are none. */
class Branch<Thing> {
  /** What it adds to the branch above it. */
  label: string;
  thing: Thing | undefined;
  /** The branches that go on from here, by the first characters of their labels. */
  readonly #next = new Map<number, Branch<Thing>>();

  constructor(label: string) {
    this.label = label;
  }

  /** The branch that goes on as a text does behind `end`, where this one ends. */
  towards(text: string, end: number): Branch<Thing> | undefined {
    const next = this.#next.get(text.charCodeAt(end));
    return next !== undefined && text.startsWith(next.label, end) ? next : undefined;
  }

  get(rest: string): Thing | undefined {
    if (rest === '') return this.thing;
    const next = this.towards(rest, 0);
    return next?.get(rest.slice(next.label.length));
  }

  /** The branch to which `rest` leads from here; made if there is none. */
  at(rest: string): Branch<Thing> {
    if (rest === '') return this;
    const next = this.#next.get(rest.charCodeAt(0)) ?? this.#add(new Branch(rest));
    const shared = sharedLength(next.label, rest);
    return (shared === next.label.length ? next : this.#split(next, shared)).at(rest.slice(shared));
  }

  /** Removes what stands where `rest` leads to from here. */
  delete(rest: string): void {
    if (rest === '') {
      this.thing = undefined;
      return;
    }
    const next = this.towards(rest, 0);
    if (next === undefined) return;
    next.delete(rest.slice(next.label.length));
    if (next.thing !== undefined || next.#next.size > 1) return;
    // Nothing stands there and nothing parts: what goes on goes on from here.
    this.#next.delete(next.label.charCodeAt(0));
    for (const only of next.#next.values()) {
      only.label = next.label + only.label;
      this.#add(only);
    }
  }

  #add(next: Branch<Thing>): Branch<Thing> {
    this.#next.set(next.label.charCodeAt(0), next);
    return next;
  }

  /** Puts a branch before one, which ends where so many characters of its label do. */
  #split(next: Branch<Thing>, shared: number): Branch<Thing> {
    const before = this.#add(new Branch(next.label.slice(0, shared)));
    next.label = next.label.slice(shared);
    before.#add(next);
    return before;
  }
}

/** How many characters two texts begin with alike. */
function sharedLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one.charCodeAt(length) === other.charCodeAt(length)) length++;
  return length;
}
