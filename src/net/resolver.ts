/** Names of hosts: one look-up a name at a time, few at once, and the last good answer is remembered. */

import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

import {
  LOOKUP_PATIENCE_MS,
  LOOKUP_TIMEOUT_MS,
  LOOKUPS_AT_ONCE,
  NAMES_MAX,
} from '../base/limits.ts';
import type { Timers } from '../base/timers.ts';
import { formatAddress, type Address } from './address.ts';

/** Asks the system for all addresses of a name. */
export type Lookup = (
  name: string,
  done: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void;

/** The resolver of the system. It takes one of a few threads for each name, and may hold it for long. */
export const systemLookup: Lookup = (name, done) => lookup(name, { all: true }, done);

type Outcome = readonly LookupAddress[] | Error;

interface Name {
  /** What it last led to. */
  known?: readonly LookupAddress[];
  /** Who waits for the look-up that is under way. */
  waiting?: ((outcome: Outcome) => void)[];
}

export class Resolver {
  readonly #lookup: Lookup;
  readonly #timers: Timers;
  readonly #names = new Map<string, Name>();
  /** Names whose look-up has not begun. */
  readonly #queue: string[] = [];
  #running = 0;

  constructor(look: Lookup, timers: Timers) {
    this.#lookup = look;
    this.#timers = timers;
  }

  /** As sockets ask for it; they try all of the addresses. */
  readonly socketLookup: LookupFunction = (name, { all }, done) => {
    this.resolve(name, (outcome) => {
      if (outcome instanceof Error) done(outcome, []);
      else if (all === true) done(null, [...outcome]);
      else done(null, outcome[0]!.address, outcome[0]!.family);
    });
  };

  /**
   * Calls `done` once, with all addresses of a name. Where it was found before, what was found then
   * will do if the answer takes long or is that there is none.
   */
  resolve(name: string, done: (outcome: Outcome) => void): void {
    const family = isIP(name);
    if (family !== 0) return done([{ address: name, family }]);
    const entry = this.#entry(name);
    const { known } = entry;
    if (known === undefined) return this.#ask(name, entry, done);
    let isDone = false;
    const finish = (outcome: Outcome): void => {
      cancel();
      if (!isDone) done(outcome instanceof Error ? known : outcome);
      isDone = true;
    };
    const cancel = this.#timers.after(LOOKUP_PATIENCE_MS, () => finish(known));
    this.#ask(name, entry, finish);
  }

  /**
   * The addresses of a name, of the family that the system names first: a host may have one of each. A
   * name that is not found in time leads nowhere.
   */
  async addressesOf(name: string): Promise<readonly string[]> {
    const outcome = await new Promise<Outcome>((resolve) => {
      const cancel = this.#timers.after(LOOKUP_TIMEOUT_MS, () => resolve([]));
      this.resolve(name, (found) => {
        cancel();
        resolve(found);
      });
    });
    if (outcome instanceof Error) return [];
    return outcome
      .filter(({ family }) => family === outcome[0]!.family)
      .map(({ address }) => address);
  }

  /** The addresses, each of a name that leads to several hosts replaced by one for each of them. */
  async expand(addresses: readonly Address[]): Promise<Address[]> {
    const expanded = addresses.map(async (address) => {
      const hosts = await this.addressesOf(address.host);
      return hosts.length < 2 ? [address] : hosts.map((host) => ({ ...address, host }));
    });
    const all = (await Promise.all(expanded)).flat();
    return [...new Map(all.map((address) => [formatAddress(address), address])).values()];
  }

  #entry(name: string): Name {
    let entry = this.#names.get(name);
    if (entry === undefined) {
      entry = {};
      if (this.#names.size >= NAMES_MAX) this.#forget();
      this.#names.set(name, entry);
    }
    return entry;
  }

  /** Forgets the names that nobody waits for. */
  #forget(): void {
    for (const [name, { waiting }] of this.#names) {
      if (waiting === undefined) this.#names.delete(name);
    }
  }

  #ask(name: string, entry: Name, done: (outcome: Outcome) => void): void {
    if (entry.waiting !== undefined) {
      entry.waiting.push(done);
      return;
    }
    entry.waiting = [done];
    this.#queue.push(name);
    this.#run();
  }

  #run(): void {
    while (this.#running < LOOKUPS_AT_ONCE) {
      const name = this.#queue.shift();
      if (name === undefined) return;
      this.#running++;
      this.#lookup(name, (error, addresses) => {
        this.#running--;
        this.#settle(name, error ?? addresses);
        this.#run();
      });
    }
  }

  #settle(name: string, outcome: Outcome): void {
    const entry = this.#names.get(name)!;
    const waiting = entry.waiting!;
    delete entry.waiting;
    if (!(outcome instanceof Error)) entry.known = outcome;
    for (const done of waiting) done(outcome);
  }
}
