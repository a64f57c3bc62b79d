/** Content negotiation: which media types a client takes, and what it sends. */

/** The media type of most bodies and answers. */
export const JSON_TYPE = 'application/json';

/**
 * How much a client wants an answer of media type `type`, from 0 for not at all to 1, by its `Accept`
 * header (RFC 9110 §12.5.1): the most specific range that covers the type decides. No header accepts
 * anything.
 */
export function weightOf(type: string, accept: string | undefined): number {
  if (accept === undefined || accept === '*/*' || accept === type) return 1;
  if (accept.trim() === '') return 1;
  let weight = 0;
  let precision = -1;
  for (const [, range = '', parameters = ''] of accept.matchAll(RANGES)) {
    const found = rangesOf(type).indexOf(range.toLowerCase());
    if (found < 0 || found < precision) continue;
    precision = found;
    const [, q = '1'] = /;[\t ]*q=([^;]*)/i.exec(parameters) ?? [];
    weight = Number(q) || 0;
  }
  return weight;
}

/** The elements of an `Accept` header: a range and its parameters. */
const RANGES = /(?:^|,)[\t ]*([\w.+*-]+\/[\w.+*-]+)[\t ]*(;[^,]*)?(?=,|$)/g;

/** The ranges that cover a type, the more precise ones later. */
function rangesOf(type: string): string[] {
  return ['*/*', `${type.slice(0, type.indexOf('/'))}/*`, type];
}

/** The media type that a `Content-Type` header names, in lower case and without its parameters. */
export function mediaTypeOf(contentType: string | undefined): string {
  if (contentType === JSON_TYPE) return JSON_TYPE;
  const [type = ''] = (contentType ?? '').split(';', 1);
  return type.trim().toLowerCase();
}

/**
 * Whether a `Content-Type` header announces one of some media types. Where that may be JSON, so does
 * none, and the wildcard some clients send. Form types are refused above all: they are what a foreign
 * web page can send without asking first.
 */
export function announces(contentType: string | undefined, types: readonly string[]): boolean {
  const type = mediaTypeOf(contentType);
  return types.includes(type) || (types.includes(JSON_TYPE) && (type === '' || type === '*/*'));
}
