/** Content negotiation: whether a client takes JSON, and whether it sends JSON. */

/**
 * Whether an `Accept` header lets the answer be `application/json` (RFC 9110 §12.5.1): the most
 * specific range that covers it decides, and a weight of 0 excludes it. No header accepts anything.
 */
export function acceptsJson(accept: string | undefined): boolean {
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return true;
  let weight = 0;
  let precision = 0;
  for (const element of accept.split(',')) {
    const [range, ...parameters] = element.split(';').map((part) => part.trim().toLowerCase());
    const found = precisionOf(range);
    if (found < precision || found === 0) continue;
    precision = found;
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    weight = q === undefined ? 1 : Number(q.slice(2));
  }
  return weight > 0 || accept.trim() === '';
}

/** How closely a media range describes `application/json`; 0 means that it does not. */
function precisionOf(range: string | undefined): number {
  return ['*/*', 'application/*', 'application/json'].indexOf(range ?? '') + 1;
}

/**
 * Whether a `Content-Type` header announces JSON; none, and the wildcard some clients send, do.
 * Form types are refused above all: they are what a foreign web page can send without asking first.
 */
export function announcesJson(contentType: string | undefined): boolean {
  if (contentType === undefined || contentType === 'application/json') return true;
  const [type = ''] = contentType.split(';');
  return ['application/json', '*/*', ''].includes(type.trim().toLowerCase());
}
