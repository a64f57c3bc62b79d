/** Watching: how soon a change is told among a thousand who watch, and what they cost those who store. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { startMemhashd, type Contestant } from './contestants.ts';
import { measureCost } from './cost.ts';
import { canMeasureProcessorTime } from './processes.ts';
import type { Effort } from './section.ts';
import { median, OURS, quantiles, type Series } from './series.ts';

const WATCHERS = 1000;
const CONNECTIONS = 32;
const ROUND_MAX_MS = 30_000;

const NOBODY = 'memhashd, nobody watching';

/** The longest that a change may take until its event is there, for 99 of 100. */
const DELAY_MS_MAX = 20;

/** At most so many times the processor time of a store that nobody watches. */
const COST_RATIO_MAX = 1.1;

/** Measures one node with watchers of many prefixes, one of which matches what is stored. */
export async function measureWatch({ pick, progress }: Effort): Promise<Series[]> {
  if (!canMeasureProcessorTime) {
    progress('watch: left out, only Linux tells the processor time of a process');
    return [];
  }
  await using quiet = await startMemhashd();
  await using watched = await startMemhashd();
  const sockets = await watchAll(watched.port);
  progress(`watch: ${WATCHERS} are watching`);
  const delaysMs = await measureDelays(watched.port, pick(2000, 300));
  const costsUs = { quiet: [0], watched: [0] };
  const rounds = pick(15, 3);
  for (let round = 0; round <= rounds; round++) {
    progress(`watch: round ${round} of ${rounds}`);
    const order =
      round % 2 === 0 ? (['quiet', 'watched'] as const) : (['watched', 'quiet'] as const);
    for (const name of order) {
      const contestant = name === 'quiet' ? quiet : watched;
      costsUs[name][round] = await measureStores(contestant, pick(20_000, 5000));
    }
  }
  for (const socket of sockets) socket.destroy();
  return [
    {
      id: 'watch-delay',
      title: 'From a store to its event at the client that watches, 99 of 100',
      unit: 'ms',
      rows: [{ system: OURS, value: quantiles(delaysMs).p99 }],
      bounds: [{ of: 'value', limit: 'at most', bound: DELAY_MS_MAX }],
      note: `${WATCHERS} watchers of a prefix each, one of which matches; one store at a time`,
    },
    {
      id: 'watch-cost',
      title: `PUT with ${WATCHERS} watchers: processor time of the server per request`,
      unit: 'us',
      reference: NOBODY,
      rows: [
        { system: OURS, value: median(costsUs.watched.slice(1)) },
        { system: NOBODY, value: median(costsUs.quiet.slice(1)) },
      ],
      bounds: [{ of: 'ratio', limit: 'at most', bound: COST_RATIO_MAX }],
      note: `${CONNECTIONS} connections, 20-byte keys, 50-byte values, of which nobody is told`,
    },
  ];
}

/** Watches prefixes that nobody stores, and does not care for what comes. */
async function watchAll(port: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let n = 0; n < WATCHERS; n++) {
    const socket = connect(port, '127.0.0.1');
    socket.write(`GET /v1/watch?prefix=nobody:${n}: HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    await once(socket, 'data');
    socket.resume();
    sockets.push(socket);
  }
  return sockets;
}

/** Milliseconds from before a store is sent until its event is there. */
async function measureDelays(port: number, stores: number): Promise<number[]> {
  const watcher = connect(port, '127.0.0.1');
  watcher.write('GET /v1/watch?prefix=told: HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await once(watcher, 'data');
  const client = connect(port, '127.0.0.1');
  const delaysMs: number[] = [];
  for (let n = 0; n < stores; n++) {
    const told = once(watcher, 'data');
    const answered = once(client, 'data');
    const startMs = performance.now();
    client.write(
      `PUT /v1/keys/told:${n} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n{"data":1}`,
    );
    await told;
    delaysMs.push(performance.now() - startMs);
    await answered;
  }
  watcher.destroy();
  client.destroy();
  return delaysMs;
}

function measureStores(
  { name, protocol, port, pids }: Contestant,
  requests: number,
): Promise<number> {
  return measureCost(name, pids, {
    protocol,
    port,
    operation: 'put',
    connections: CONNECTIONS,
    requestsMax: requests,
    durationMaxMs: ROUND_MAX_MS,
  });
}
