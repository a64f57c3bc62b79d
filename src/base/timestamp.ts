/** Points in time as the HTTP API shows them: RFC 3339, UTC, microseconds. */

// Every part that a timestamp can have, cut out of what `Date` prints, for an answer has three
// timestamps and `Date` takes several times as long.
const DATES = cut(366, 86_400_000, 4, 11); // -03-01T … -02-29T
const MINUTES = cut(1440, 60_000, 11, 17); // 00:00: … 23:59:
const SECONDS = cut(60, 1000, 17, 20); // 00. … 59.
const THOUSANDTHS = cut(1000, 1, 20, 23); // 000 … 999

/** Characters `start` to `end` of `count` times, `stepMs` apart, from 1 March of a leap year's eve. */
function cut(count: number, stepMs: number, start: number, end: number): readonly string[] {
  const firstMs = Date.UTC(1999, 2, 1);
  return Array.from({ length: count }, (_, n) =>
    new Date(firstMs + n * stepMs).toISOString().slice(start, end),
  );
}

/** The day that was asked for last: most times that are shown are of today. */
let lastDays = -1;
let lastDate = '';

/** The latest second that was asked for: as a rule a time that is shown has just passed. */
let newest = -1;
let newestText = '';

/**
 * Prints a time as RFC 3339 in UTC, with six fraction digits.
 *
 * @example formatTimestamp(1_795_395_420_123_456) // '2026-11-23T00:57:00.123456Z'
 * @param us whole microseconds since the Unix epoch, at most `Number.MAX_SAFE_INTEGER` (year 2255).
 * 0 stands for never and prints as Go's zero time, `0001-01-01T00:00:00Z`.
 */
export function formatTimestamp(us: number): string {
  if (us === 0) return '0001-01-01T00:00:00Z';
  const second = Math.floor(us / 1e6);
  const micros = us - second * 1e6;
  if (second > newest) {
    // Through a buffer: the text is to be one piece, not a link of pieces.
    newestText = Buffer.from(secondText(second), 'latin1').toString('latin1');
    newest = second;
  }
  const whole = second === newest ? newestText : secondText(second);
  // Joined in short pieces, which V8 copies at once; longer ones it would only link.
  const fraction = `${THOUSANDTHS[Math.floor(micros / 1000)]}${THOUSANDTHS[micros % 1000]}Z`;
  return whole + fraction;
}

/** Everything before the fraction; `second` counts from the Unix epoch. */
function secondText(second: number): string {
  const days = Math.floor(second / 86_400);
  const inDay = second - days * 86_400;
  if (days !== lastDays) {
    lastDate = dateOf(days);
    lastDays = days;
  }
  const time = `${MINUTES[Math.floor(inDay / 60)]}${SECONDS[inDay % 60]}`;
  return lastDate + time;
}

/** The date of a day, given as the number of days since the Unix epoch. */
function dateOf(days: number): string {
  // Years from 1 March of the year 0 on, so that the leap day is the last of its year. 400 years
  // have 146,097 days; taking out the leap days passed leaves years of 365.
  const fromMarch = days + 719_468;
  const era = Math.floor(fromMarch / 146_097);
  const inEra = fromMarch - era * 146_097;
  const leapDays =
    Math.floor(inEra / 1460) - Math.floor(inEra / 36_524) + Math.floor(inEra / 146_096);
  const yearOfEra = Math.floor((inEra - leapDays) / 365);
  const inYear =
    inEra - (yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const year = era * 400 + yearOfEra + (inYear < 306 ? 0 : 1); // 306: 1 January
  return `${year}${DATES[inYear]}`;
}
