/** What writers were told of their keys, to be compared with what is there in the end. */

import { ask, pathOf, put, type Answer } from './client.ts';

/** A number as text, or undefined for a key that is not there. */
type State = string | undefined;

/** Keys are written by one writer each, one request after the other. */
export class Ledger {
  readonly #random: () => number;
  /** What each key holds for certain. */
  readonly #acknowledged = new Map<string, State>();
  /** What each key may hold as well, because nobody knows what became of the request. */
  readonly #uncertain = new Map<string, Set<State>>();
  #writes = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Changes that were acknowledged. */
  get writes(): number {
    return this.#writes;
  }

  /**
   * Stores or deletes a key of a writer at a node.
   *
   * @returns whether it was acknowledged.
   */
  async write(writer: number, url: string): Promise<boolean> {
    const key = `${writer}:${Math.floor(this.#random() * 20)}`;
    const state = this.#random() < 0.2 ? undefined : String(this.#writes);
    const possible = this.#uncertain.get(key) ?? new Set();
    this.#uncertain.set(key, possible.add(state));
    const request = state === undefined ? ask(url, 'DELETE', pathOf(key)) : put(url, key, state);
    const answer = await request.catch(() => undefined);
    if (answer?.status !== 200) return false;
    this.#acknowledged.set(key, state);
    this.#uncertain.delete(key);
    this.#writes++;
    return true;
  }

  /**
   * Compares each key with what is there now, and goes by that from then on.
   *
   * @throws Error that names the first key that is not as it should be.
   */
  async verify(load: (key: string) => Promise<Answer>): Promise<void> {
    for (const key of new Set([...this.#acknowledged.keys(), ...this.#uncertain.keys()])) {
      const { status, body } = await load(key);
      if (status !== 200 && status !== 404) throw new Error(`${key}: ${status}`);
      const found = status === 404 ? undefined : JSON.stringify(body.data);
      const allowed = [this.#acknowledged.get(key), ...(this.#uncertain.get(key) ?? [])];
      if (!allowed.includes(found)) {
        throw new Error(`${key} is ${found} and should be ${allowed.join(' or ')}`);
      }
      this.#acknowledged.set(key, found);
    }
    this.#uncertain.clear();
  }
}
