/**
 * Durations as Go writes them (`1m30s`, `1.5s`, `100h0m0s`): parsing and printing, exact to the
 * nanosecond over the whole of int64.
 */

/** Nanoseconds in each unit. Micro is written with `u`, U+00B5 (micro sign) or U+03BC (mu). */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['\u00b5s', 1e3],
  ['\u03bcs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['h', 3600e9],
]);

const MAX = 2n ** 63n - 1n;

/**
 * Parses a duration exactly as Go's `time.ParseDuration` does: an optional sign, then one or more
 * decimal numbers, each with a unit (`ns`, `us`, `ms`, `s`, `m`, `h`), or a bare `0`.
 *
 * @example parseDuration('1h0.5m') // 3_630_000_000_000n
 * @returns nanoseconds, negative ones too; `undefined` if Go would report an error, which includes
 * all that int64 cannot hold.
 */
export function parseDuration(text: string): bigint | undefined {
  const negative = text.startsWith('-');
  let at = negative || text.startsWith('+') ? 1 : 0;
  if (text.length === at) return undefined;
  if (text.length === at + 1 && text.endsWith('0')) return 0n;

  // Go wraps to 0 where two terms of 2^63 ns meet; a bigint does not, and that is an error here.
  let total = 0n;
  while (at < text.length) {
    const pointAt = skipDigits(text, at);
    const fractionAt = text[pointAt] === '.' ? pointAt + 1 : pointAt;
    const unitAt = fractionAt > pointAt ? skipDigits(text, fractionAt) : pointAt;
    const termEnd = skipUnit(text, unitAt);
    const unit = UNITS.get(text.slice(unitAt, termEnd));
    const hasDigits = pointAt > at || unitAt > fractionAt;
    if (unit === undefined || !hasDigits) return undefined;

    const wholeAt = skipZeros(text, at, pointAt);
    // More than 19 digits are more than int64 holds, and a long BigInt is slow to make.
    if (pointAt - wholeAt > 19) return undefined;
    total += BigInt(text.slice(wholeAt, pointAt)) * BigInt(unit);
    if (unitAt > fractionAt) total += BigInt(fractionOf(text, fractionAt, unitAt, unit));
    if (total > MAX + 1n) return undefined;
    at = termEnd;
  }
  if (negative) return -total;
  return total > MAX ? undefined : total;
}

/** Whole nanoseconds in the fraction digits from `start` to `end`, in Go's floating-point steps. */
function fractionOf(text: string, start: number, end: number, unit: number): number {
  const digitsAt = skipZeros(text, start, end);
  let digits = text.slice(digitsAt, Math.min(end, digitsAt + 19));
  // Go drops the digits that would take the numerator beyond 2^63.
  if (digits.length === 19 && digits > '9223372036854775808') digits = digits.slice(0, 18);
  // Not `10 ** n`: beyond 1e22 the two round differently, and Go multiplies.
  let scale = 1;
  for (let n = digitsAt - start + digits.length; n > 0; n--) scale *= 10;
  return Math.trunc(Number(digits) * (unit / scale));
}

function skipDigits(text: string, from: number): number {
  let at = from;
  while (at < text.length && isDigit(text.charCodeAt(at))) at++;
  return at;
}

function skipZeros(text: string, from: number, end: number): number {
  let at = from;
  while (at < end && text.charCodeAt(at) === 0x30) at++;
  return at;
}

/** A unit goes on to the next digit or point, so `1sm` is one unknown unit. */
function skipUnit(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isDigit(text.charCodeAt(at)) && text[at] !== '.') at++;
  return at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/**
 * Prints a duration exactly as Go's `Duration.String` does: hours, minutes and seconds without
 * leading zero units, and below one second the largest of `ms`, `µs`, `ns` that fits.
 *
 * @example formatDuration(90_000_000_000n) // '1m30s'
 * @param ns nanoseconds, within int64.
 */
export function formatDuration(ns: bigint): string {
  if (ns < 0n) return `-${formatDuration(-ns)}`;
  const approximate = Number(ns);
  if (approximate < 1e9) return formatSubsecond(approximate);

  // Numbers are several times faster than bigints, and every answer with a deadline comes here.
  const isExact = approximate <= Number.MAX_SAFE_INTEGER;
  const minutes = isExact ? Math.floor(approximate / 60e9) : Number(ns / 60_000_000_000n);
  const rest = isExact ? approximate - minutes * 60e9 : Number(ns % 60_000_000_000n);
  const seconds = `${decimal(rest, 1e9)}s`;
  if (minutes === 0) return seconds;
  if (minutes < 60) return `${minutes}m${seconds}`;
  return `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}

function formatSubsecond(ns: number): string {
  if (ns === 0) return '0s';
  if (ns < 1e3) return `${ns}ns`;
  return ns < 1e6 ? `${decimal(ns, 1e3)}\u00b5s` : `${decimal(ns, 1e6)}ms`;
}

/** `value / scale` without trailing zeros; `scale` is a power of ten. */
function decimal(value: number, scale: number): string {
  const whole = Math.floor(value / scale);
  const rest = value - whole * scale;
  if (rest === 0) return `${whole}`;
  // Adding `scale` keeps the leading zeros; its own digit, the 1, is cut off again.
  return `${whole}.${`${scale + rest}`.slice(1).replace(/0+$/, '')}`;
}
