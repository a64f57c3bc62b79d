/** How long requests took, by route, method and status: a histogram that costs a request next to nothing. */

/** Upper bounds of the buckets, in seconds. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Any other method is counted as `other`: a client must not make series by inventing methods. */
const METHODS = new Set(['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS']);

interface Series {
  readonly labels: { readonly route: string; readonly method: string; readonly status: string };
  /** Requests by bucket; the last has no bound. */
  readonly counts: number[];
  sumSeconds: number;
}

/** A value of a histogram as prom-client renders it. */
interface HistogramValue {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export class RequestTimes {
  readonly name: string;
  /** By status, then method, then route: the smallest key first. */
  readonly #series = new Map<number, Map<string, Map<string, Series>>>();

  constructor(name: string) {
    this.name = name;
  }

  /** Counts a request; `route` is a path of the table of routes, of which there are few. */
  count(route: string, method: string, status: number, seconds: number): void {
    const series = this.#seriesOf(route, METHODS.has(method) ? method : 'other', status);
    let at = 0;
    while (at < BOUNDS.length && seconds > BOUNDS[at]!) at++;
    series.counts[at]!++;
    series.sumSeconds += seconds;
  }

  /** All buckets, sums and counts. */
  values(): HistogramValue[] {
    const values: HistogramValue[] = [];
    for (const byMethod of this.#series.values()) {
      for (const byRoute of byMethod.values()) {
        for (const series of byRoute.values()) values.push(...this.#valuesOf(series));
      }
    }
    return values;
  }

  *#valuesOf({ labels, counts, sumSeconds }: Series): Generator<HistogramValue> {
    let total = 0;
    for (const [at, count] of counts.entries()) {
      total += count;
      const le = BOUNDS[at] ?? '+Inf';
      yield { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: total };
    }
    yield { metricName: `${this.name}_sum`, labels, value: sumSeconds };
    yield { metricName: `${this.name}_count`, labels, value: total };
  }

  #seriesOf(route: string, method: string, status: number): Series {
    const byMethod = memberOf(this.#series, status, () => new Map<string, Map<string, Series>>());
    const byRoute = memberOf(byMethod, method, () => new Map<string, Series>());
    return memberOf(byRoute, route, () => ({
      labels: { route, method, status: String(status) },
      counts: Array<number>(BOUNDS.length + 1).fill(0),
      sumSeconds: 0,
    }));
  }
}

function memberOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
