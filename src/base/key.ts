/** Keys as the process holds them. */

declare const brand: unique symbol;

/**
 * A key as a byte string: each char code (0 to 255) is one byte of the key's UTF-8 form, so an ASCII
 * key is the same as text, `length` counts bytes, and `<` is byte order. The limits on length are
 * not the type's business.
 */
export type Key = string & { readonly [brand]: 'Key' };

/**
 * The key that a text names.
 *
 * @example keyFromText('é') // '\xc3\xa9'
 * @returns `undefined` if the text has a lone surrogate and so no UTF-8 form.
 */
export function keyFromText(text: string): Key | undefined {
  if (isAscii(text)) return text as Key;
  // With the `u` flag a surrogate matches only where it is not half of a pair.
  if (/\p{Surrogate}/u.test(text)) return undefined;
  return Buffer.from(text, 'utf8').toString('latin1') as Key;
}

/** The text a key stands for; the inverse of {@link keyFromText}. */
export function keyText(key: Key): string {
  return isAscii(key) ? key : Buffer.from(key, 'latin1').toString('utf8');
}

/**
 * The key that one path segment of a URL names (RFC 3986 §2.1: percent-encoded once). A plus is a
 * plus, and bytes beyond ASCII may come raw, as curl sends them.
 *
 * @example keyFromPath('a%2Fb') // 'a/b'
 * @param segment as in `req.url` of node:http, one char code a byte.
 * @returns `undefined` for a malformed escape or bytes that are not UTF-8.
 */
export function keyFromPath(segment: string): Key | undefined {
  if (isAscii(segment) && !segment.includes('%')) return segment as Key;
  const escaped = segment.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  try {
    return keyFromText(decodeURIComponent(escaped));
  } catch {
    return undefined;
  }
}

/**
 * The same key in memory of its own: one that was cut out of a text keeps all of that text in memory, and
 * so must not be kept for long.
 */
export function ownKey(key: Key): Key {
  return Buffer.from(key, 'latin1').toString('latin1') as Key;
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false;
  return true;
}
