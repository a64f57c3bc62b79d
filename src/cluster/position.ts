/** Positions of a watch: how far it has come at each member, as text that any node reads. */

/** The change that was taken last, in one life of a member. */
export interface Place {
  readonly life: string;
  readonly number: number;
}

/** Hexadecimal digits of a node's id that tell its lives apart. */
const LIFE_CHARS = 8;

/** What tells one life of a member from the next. */
export function lifeOf(id: string): string {
  return id.slice(0, LIFE_CHARS);
}

export function encodePosition(places: ReadonlyMap<string, Place>): string {
  const lines = [...places].map(([member, { life, number }]) => `${member} ${life} ${number}`);
  return Buffer.from(lines.join('\n')).toString('base64url');
}

/** The places that a text names; undefined if it is no position. */
export function decodePosition(text: string): Map<string, Place> | undefined {
  const places = new Map<string, Place>();
  const decoded = Buffer.from(text, 'base64url').toString();
  for (const line of decoded === '' ? [] : decoded.split('\n')) {
    const [, member, life, number] = /^(\S+) ([\da-f]{8}) (\d{1,15})$/.exec(line) ?? [];
    if (member === undefined || life === undefined) return undefined;
    places.set(member, { life, number: Number(number) });
  }
  return encodePosition(places) === text ? places : undefined;
}
