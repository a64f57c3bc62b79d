import { expect, test } from 'vitest';

import { RequestTimes } from './request-times.ts';

/** The values of a series, in the text form of Prometheus. */
function written(times: RequestTimes): string[] {
  return times.values().map(({ metricName, labels, value }) => {
    const shown = Object.entries(labels).map(([name, label]) => `${name}=${label}`);
    return `${metricName}{${shown.join()}} ${value}`;
  });
}

test('a request counts in every bucket that it fits in, in the sum and in the count', () => {
  const times = new RequestTimes('t');
  times.count('/a', 'GET', 200, 0.0005);
  times.count('/a', 'GET', 200, 0.3);
  times.count('/a', 'GET', 200, 60);
  const labels = 'route=/a,method=GET,status=200';
  const lines = written(times);
  expect(lines).toContain(`t_bucket{le=0.0005,${labels}} 1`);
  expect(lines).toContain(`t_bucket{le=0.25,${labels}} 1`);
  expect(lines).toContain(`t_bucket{le=0.5,${labels}} 2`);
  expect(lines).toContain(`t_bucket{le=10,${labels}} 2`);
  expect(lines).toContain(`t_bucket{le=+Inf,${labels}} 3`);
  expect(lines).toContain(`t_sum{${labels}} 60.3005`);
  expect(lines).toContain(`t_count{${labels}} 3`);
});

test('routes, methods and statuses are series of their own, invented methods one together', () => {
  const times = new RequestTimes('t');
  times.count('/a', 'GET', 200, 1);
  times.count('/b', 'GET', 200, 1);
  times.count('/a', 'GET', 404, 1);
  times.count('/a', 'BREW', 405, 1);
  times.count('/a', 'BOIL', 405, 1);
  const counts = written(times).filter((line) => line.startsWith('t_count'));
  expect(counts).toEqual([
    't_count{route=/a,method=GET,status=200} 1',
    't_count{route=/b,method=GET,status=200} 1',
    't_count{route=/a,method=GET,status=404} 1',
    't_count{route=/a,method=other,status=405} 2',
  ]);
});
