/** What the bench measures: one quantity of several systems, and the bounds set for ours. */

/** The name of our system in every series. */
export const OURS = 'memhashd';

/** The value that one system reached. */
export interface Row {
  readonly system: string;
  readonly value: number;
}

/** What a figure of ours has to reach: the value itself, or its ratio to the series' reference. */
export interface Bound {
  readonly of: 'value' | 'ratio';
  readonly limit: 'at most' | 'at least';
  readonly bound: number;
}

/** One quantity, side by side. */
export interface Series {
  /** Names the series in files, such as `http-get`. */
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** The system that ratios are taken to; without one there are no ratios. */
  readonly reference?: string;
  readonly rows: readonly Row[];
  readonly bounds: readonly Bound[];
  /** What a reader has to know about how it was measured. */
  readonly note?: string;
}

/** A row's value as a multiple of the reference's; undefined if the series has none. */
export function ratioOf(series: Series, row: Row): number | undefined {
  const reference = series.rows.find(({ system }) => system === series.reference);
  return reference === undefined ? undefined : row.value / reference.value;
}

/** A bound in the unit of the series; undefined if the reference was not measured. */
export function boundValue(series: Series, { of, bound }: Bound): number | undefined {
  if (of === 'value') return bound;
  const reference = series.rows.find(({ system }) => system === series.reference);
  return reference && bound * reference.value;
}

/** Whether our row keeps a bound; undefined if what it takes was not measured. */
export function isReached(series: Series, bound: Bound): boolean | undefined {
  const ours = series.rows.find(({ system }) => system === OURS);
  const value = boundValue(series, bound);
  if (ours === undefined || value === undefined) return undefined;
  return bound.limit === 'at most' ? ours.value <= value : ours.value >= value;
}

/** The middle one of some measurements, which one disturbed round does not move. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
}

/** What half, 99 % and 99.9 % of some measurements are at most, and the highest of them. */
export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export function quantiles(values: readonly number[] | Float64Array): Quantiles {
  const sorted = Float64Array.from(values).toSorted();
  const quantile = (q: number): number => sorted[Math.ceil(q * sorted.length) - 1] ?? 0;
  return { p50: quantile(0.5), p99: quantile(0.99), p999: quantile(0.999), max: quantile(1) };
}
