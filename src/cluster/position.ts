/** Positions of a watch: how far it has come at each member, as text that any node reads. */

import { LIFE_CHARS, type WatchPlace } from '../record/watch.ts';

/** What tells one life of a member from the next, short enough for positions. */
export function lifeOf(life: string): string {
  return life.slice(0, LIFE_CHARS);
}

export function encodePosition(places: ReadonlyMap<string, WatchPlace>): string {
  const lines = [...places].map(([member, { life, number }]) => `${member} ${life} ${number}`);
  return Buffer.from(lines.join('\n')).toString('base64url');
}

/** The places that a text names; undefined if it is no position. */
export function decodePosition(text: string): Map<string, WatchPlace> | undefined {
  const places = new Map<string, WatchPlace>();
  const decoded = Buffer.from(text, 'base64url').toString();
  for (const line of decoded === '' ? [] : decoded.split('\n')) {
    const [, member, life, number] = /^(\S+) ([\da-f]{8}) (\d{1,15})$/.exec(line) ?? [];
    if (member === undefined || life === undefined) return undefined;
    places.set(member, { life, number: Number(number) });
  }
  return encodePosition(places) === text ? places : undefined;
}
