/** Numbers as JSON writes them, compared and added exactly. */

import { NUMBER_CHARS_MAX } from '../base/limits.ts';

/** `digits` × 10^`exponent`. */
interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** True if a text is a JSON number that is short enough to count with. */
export function isNumber(text: string): boolean {
  return text.length <= NUMBER_CHARS_MAX && NUMBER.test(text) && decimalOf(text) !== undefined;
}

/** Undefined if it has more digits, written out, than there may be. */
function decimalOf(text: string): Decimal | undefined {
  const [mantissa = '', power = '0'] = text.split(/[eE]/);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const exponent = Number(power) - fraction.length;
  const digits = BigInt(whole + fraction);
  if (digits === 0n)
    return { digits, exponent: Math.max(-NUMBER_CHARS_MAX, Math.min(exponent, 0)) };
  return Math.abs(exponent) > NUMBER_CHARS_MAX ? undefined : { digits, exponent };
}

/**
 * The exact sum of two numbers for which {@link isNumber} is true, written without an exponent; it has
 * as many digits after the point as the longer of the two.
 *
 * @example add('0.1', '0.20') // '0.30'
 * @returns undefined if it has too many digits.
 */
export function add(left: string, right: string): string | undefined {
  const a = decimalOf(left)!;
  const b = decimalOf(right)!;
  const exponent = Math.min(a.exponent, b.exponent, 0);
  const text = write(scaled(a, exponent) + scaled(b, exponent), -exponent);
  return text.length <= NUMBER_CHARS_MAX ? text : undefined;
}

/** Whether the number `left` is below (-1), at (0) or above (1) `right`. */
export function compare(left: string, right: string): -1 | 0 | 1 {
  const a = decimalOf(left)!;
  const b = decimalOf(right)!;
  const exponent = Math.min(a.exponent, b.exponent);
  const difference = scaled(a, exponent) - scaled(b, exponent);
  if (difference === 0n) return 0;
  return difference < 0n ? -1 : 1;
}

function scaled({ digits, exponent }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(exponent - to);
}

/** `digits` with so many of them after the point. */
function write(digits: bigint, fraction: number): string {
  if (fraction === 0) return String(digits);
  const sign = digits < 0n ? '-' : '';
  const text = String(digits < 0n ? -digits : digits).padStart(fraction + 1, '0');
  return `${sign}${text.slice(0, -fraction)}.${text.slice(-fraction)}`;
}

/** Characters of a number up to which its spelling does not matter. */
const SPELLED_CHARS_MAX = 64 * 1024;

/**
 * Whether two JSON numbers of any size are the same: `1`, `1.0` and `10e-1` are. Numbers of more than
 * 65,536 characters are only if they are written alike.
 */
export function isSameNumber(left: string, right: string): boolean {
  if (Math.max(left.length, right.length) > SPELLED_CHARS_MAX) return left === right;
  return normalized(left) === normalized(right);
}

/** A number in the one way that all its spellings have in common: digits without zeros, and a power of ten. */
function normalized(text: string): string {
  const [mantissa = '', power = '0'] = text
    .replace('-', (sign, at) => (at === 0 ? '' : sign))
    .split(/[eE]/);
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const exponent =
    BigInt(power) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${text.startsWith('-') ? '-' : ''}${significant}e${exponent}`;
}
