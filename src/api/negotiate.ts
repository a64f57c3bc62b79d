/** Content negotiation: whether a client takes JSON, and what it sends. */

/** The ranges that cover `application/json`, each with its parameters. */
const JSON_RANGES =
  /(?:^|,)[\t ]*(\*\/\*|application\/\*|application\/json)[\t ]*(;[^,]*)?(?=,|$)/gi;

/** How closely each of those ranges describes it. */
const PRECISION: Readonly<Record<string, number>> = {
  '*/*': 1,
  'application/*': 2,
  'application/json': 3,
};

/**
 * Whether an `Accept` header lets the answer be `application/json` (RFC 9110 §12.5.1): the most
 * specific range that covers it decides, and a weight of 0 excludes it. No header accepts anything.
 */
export function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return true;
  let weight = 0;
  let precision = 0;
  for (const [, range = '', parameters = ''] of accept.matchAll(JSON_RANGES)) {
    const found = PRECISION[range.toLowerCase()] ?? 0;
    if (found < precision) continue;
    precision = found;
    const [, q = '1'] = /;[\t ]*q=([^;]*)/i.exec(parameters) ?? [];
    weight = Number(q);
  }
  return weight > 0 || accept.trim() === '';
}

/** The media type that a `Content-Type` header names, in lower case and without its parameters. */
export function mediaTypeOf(contentType: string | undefined): string {
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

/** The media type of most bodies. */
export const JSON_TYPE = 'application/json';
