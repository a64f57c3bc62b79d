/** The metrics of a node, in the words of Prometheus; `docs/operations.md` says what each means. */

import { collectDefaultMetrics, Counter, Gauge, Registry, type Metric } from 'prom-client';

import { matchTarget } from '../api/routes.ts';
import type { Failure } from '../base/errors.ts';
import type { ChangeStats } from '../cluster/cluster.ts';
import type { JournalStats } from '../disk/journal.ts';
import type { LinkStats } from '../peer/link.ts';
import type { StoreStats } from '../store/store.ts';
import { RequestTimes } from './request-times.ts';

/** A member, as `GET /v1/nodes` shows it. */
interface MemberFacts {
  readonly addr: string;
  readonly state?: string;
  readonly partitions?: number;
  readonly epoch?: number;
}

export class NodeMetrics {
  readonly #registry = new Registry();
  readonly #times = new RequestTimes('memhashd_http_request_seconds');
  readonly #refused: Counter;
  readonly #batchOperations: Counter;

  constructor(members: () => readonly MemberFacts[], version: string) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry, prefix: 'memhashd_' });
    this.#registry.registerMetric(this.#histogram());
    this.#refused = new Counter({
      name: 'memhashd_http_refused_total',
      help: 'Bytes on the client port that were no proper request, by the code of the answer.',
      labelNames: ['code'],
      registers,
    });
    this.#batchOperations = new Counter({
      name: 'memhashd_batch_operations_total',
      help: 'Operations of batches; the batches themselves are requests by their route.',
      registers,
    });
    this.#addCluster(members, version);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(): Promise<string> {
    return this.#registry.metrics();
  }

  onAnswer(target: string, method: string, status: number, seconds: number): void {
    const route = matchTarget(target)?.route.path ?? 'none';
    this.#times.count(route, method, status, seconds);
  }

  onRefused({ code }: Failure): void {
    this.#refused.inc({ code });
  }

  onBatch(operations: number): void {
    this.#batchOperations.inc(operations);
  }

  /** Our own histogram, in the shape of those of prom-client. */
  #histogram(): Metric {
    const times = this.#times;
    const facts = {
      name: times.name,
      help: 'Time from a request to the end of its answer, by route, method and status.',
      type: 'histogram',
      aggregator: 'sum',
    };
    return {
      ...facts,
      get: async () => ({ ...facts, values: times.values() }),
      reset: () => {},
    } as unknown as Metric;
  }

  /** Adds how many requests were refused because there was too much to do. */
  addShedding(shedding: { readonly count: number }): void {
    this.#counter(
      'http_shed_total',
      'Requests for records that were refused because the node was asked for more than it can do.',
      () => shedding.count,
    );
  }

  /** Adds what a store of this node holds, and the bound of its memory. */
  addStore(store: () => StoreStats, maxMemoryBytes: number): void {
    this.#gauge('records', 'Records of this node.', () => store().records);
    this.#gauge('records_expiring', 'Records that have a time to live.', () => store().expiring);
    this.#gauge('store_live_bytes', 'Records with their headers.', () => store().liveBytes);
    this.#gauge('store_key_table_bytes', 'Tables of keys.', () => store().keyTableBytes);
    this.#gauge(
      'store_garbage_bytes',
      'Dead records whose memory is not won back yet.',
      () => store().garbageBytes,
    );
    this.#counter(
      'store_moved_bytes_total',
      'Records that compaction has moved to win that back.',
      () => store().movedBytes,
    );
    this.#gauge('store_max_bytes', 'The bound of -max-memory, 0 for none.', () => maxMemoryBytes);
    this.#counter('evicted_total', 'Records evicted to make room.', () => store().evicted);
    this.#counter('expired_total', 'Records that expired and were freed.', () => store().expired);
    this.#gauge(
      'expiry_lag_seconds',
      'From the deadline of the record that was freed last to that moment.',
      () => store().expiryLagUs / 1e6,
    );
  }

  /** Adds what the links to peers do. */
  addLinks(links: () => readonly LinkStats[]): void {
    const options = { labelNames: ['peer'], registers: [] };
    const counter = (name: string, help: string, read: (link: LinkStats) => number): Counter =>
      new Counter({
        ...options,
        name: `memhashd_peer_${name}`,
        help,
        collect() {
          this.reset();
          for (const link of links()) this.inc({ peer: link.peer }, read(link));
        },
      });
    const waiting = new Gauge({
      ...options,
      name: 'memhashd_peer_requests_waiting',
      help: 'Requests that wait for the answer of another member.',
      collect() {
        this.reset();
        for (const link of links()) this.set({ peer: link.peer }, link.waiting);
      },
    });
    const counters = [
      counter(
        'links_made_total',
        'How often a link to another member was made.',
        ({ made }) => made,
      ),
      counter('sent_bytes_total', 'Sent on the link to another member.', (link) => link.sentBytes),
      counter('received_bytes_total', 'Received on that link.', (link) => link.receivedBytes),
    ];
    for (const metric of [waiting, ...counters]) this.#registry.registerMetric<string>(metric);
  }

  /** Adds how many watch the changes of this node. */
  addWatchers(watchers: () => number): void {
    this.#gauge('watchers', 'Clients, and other members, that watch the changes here.', watchers);
  }

  /** Adds how far a change of members is. */
  addChange(change: () => ChangeStats): void {
    this.#gauge('change_under_way', 'Whether the members are changing.', () =>
      change().isUnderWay ? 1 : 0,
    );
    this.#gauge(
      'change_bytes',
      'Records that this node gives in a change of members.',
      () => change().bytes,
    );
    this.#gauge('change_copied_bytes', 'Those that are copied.', () => change().bytesDone);
  }

  /** Adds what is on the disk of this node, `bytes`, and what waits to be written there. */
  addDisk(disk: () => JournalStats, bytes: () => Promise<number>): void {
    this.#gauge('disk_bytes', 'Files that the records of this node are kept in.', bytes);
    this.#gauge('disk_failed', 'Whether the disk fails, so that nothing can be changed.', () =>
      disk().isFailed ? 1 : 0,
    );
    this.#counter(
      'disk_batches_total',
      'Batches of changes that were written to the disk.',
      () => disk().batches,
    );
    this.#gauge(
      'disk_unwritten_bytes',
      'Values that wait to be written to the disk.',
      () => disk().unwrittenBytes,
    );
  }

  #addCluster(members: () => readonly MemberFacts[], version: string): void {
    const own = () => members().find(({ state }) => state === 'self');
    this.#gauge('ready', 'Whether the node is a member and serves.', () => (own() ? 1 : 0));
    this.#gauge('members', 'Members of the cluster, this one included.', () => members().length);
    this.#gauge('topology_epoch', 'Number of the topology in use.', () => own()?.epoch ?? 0);
    this.#gauge('partitions_owned', 'Partitions of this node.', () => own()?.partitions ?? 0);
    const peers = new Gauge({
      name: 'memhashd_peer_up',
      help: 'Whether there is a link to another member.',
      labelNames: ['peer'],
      registers: [],
      collect() {
        this.reset();
        for (const { addr, state } of members()) {
          if (state !== 'self') this.set({ peer: addr }, state === 'up' ? 1 : 0);
        }
      },
    });
    const build = new Gauge({
      name: 'memhashd_build_info',
      help: 'Always 1; the version of memhashd is its label.',
      labelNames: ['version'],
      registers: [],
    });
    build.set({ version }, 1);
    for (const gauge of [peers, build]) this.#registry.registerMetric(gauge);
  }

  #gauge(name: string, help: string, read: () => number | Promise<number>): void {
    const gauge = new Gauge({
      name: `memhashd_${name}`,
      help,
      registers: [],
      async collect() {
        this.set(await read());
      },
    });
    this.#registry.registerMetric(gauge);
  }

  /** A counter that is kept elsewhere. */
  #counter(name: string, help: string, read: () => number): void {
    const counter = new Counter({
      name: `memhashd_${name}`,
      help,
      registers: [],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
    this.#registry.registerMetric(counter);
  }
}
