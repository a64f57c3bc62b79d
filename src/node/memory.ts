/** The engine on this node's memory, by the flags of a node: its store, its disk, its place in the cluster. */

import { randomInt, randomUUID } from 'node:crypto';

import { systemClock } from '../base/clock.ts';
import { Deferred } from '../base/deferred.ts';
import { systemTimers } from '../base/timers.ts';
import { Cluster, type ClusterOptions } from '../cluster/cluster.ts';
import { formatAddress } from '../net/address.ts';
import { Resolver, systemLookup } from '../net/resolver.ts';
import { loadSecret } from '../net/secret.ts';
import type { TlsMaterial } from '../net/tls.ts';
import type { Credentials } from '../peer/credentials.ts';
import { SocketTransport } from '../peer/socket-transport.ts';
import type { NodeRef } from '../record/reply.ts';
import { Store } from '../store/store.ts';
import type { Backend, Setting } from './backend.ts';
import { Beginning } from './beginning.ts';
import type { Config } from './config.ts';
import { Disk } from './disk.ts';
import { logForwarded } from './forwarded.ts';
import { joinsOf, readKept, type KeptTopology } from './kept.ts';
import { listenAt } from './listen-at.ts';
import { Maintenance } from './maintenance.ts';

/** A random number from 0 to less than 1. */
const random = (): number => randomInt(2 ** 32) / 2 ** 32;

/**
 * Makes the engine; it listens for peers, and has not met any yet.
 *
 * @throws Error that names the flag which is wrong.
 */
export async function openMemory(setting: Setting): Promise<Backend> {
  const { config, log, checks, tls, scheduler } = setting;
  const disk = await Disk.open(config, log);
  const transport = new SocketTransport(readCredentials(config, tls), systemTimers);
  const server = await listenAt(transport, 'server-addr', config).catch(async (error: unknown) => {
    await disk?.close();
    throw error;
  });
  const advertised = config['advertise-addr'] ?? server;
  const self = { id: disk?.identity.id ?? randomUUID(), addr: formatAddress(advertised) };
  const store = makeStore(setting, self, disk);
  const gone = new Deferred<string | undefined>();
  let isLeaving = false;
  /** Whether there is nobody to hand over to, so that leaving is just going. */
  let isAlone = false;
  const kept = readKept(disk?.identity.topology);
  const beginning = new Beginning({
    config,
    disk,
    store,
    kept,
    log,
    self: self.addr,
    engine: () => cluster,
  });
  const cluster: Cluster = await makeCluster(setting, kept, {
    self,
    store,
    transport,
    onAdopt(topology) {
      disk?.keepTopology({ ...topology, hasLeft: false });
      isAlone = topology.members.length === 1;
      if (isLeaving && isAlone) gone.resolve(undefined);
    },
    giveOthers: (topology) => beginning.giveOthers(topology),
    onGone(reason) {
      if (reason === undefined) disk?.keepLeaving();
      gone.resolve(reason);
    },
  });
  const maintenance = new Maintenance(store, scheduler, checks);
  return {
    engine: cluster,
    stats: () => store.stats(),
    linkStats: () => cluster.linkStats(),
    watchers: () => cluster.watchers(),
    changeStats: () => cluster.changeStats(),
    diskStats: disk && (() => disk.stats()),
    diskBytes: disk && (() => disk.bytes()),
    gone: gone.promise,
    leave() {
      isLeaving = true;
      if (isAlone) gone.resolve(undefined);
      else cluster.leave();
    },
    facts: { id: self.id, server: self.addr },
    host: advertised.host,
    reload: (material) => transport.reload(readCredentials(config, material)),
    prepare: () => beginning.prepare(),
    complete: () => beginning.complete(),
    ...(disk && { snapshot: () => disk.snapshot(config.snapshots) }),
    save: async () => disk?.close(),
    finish: () => cluster.finish(),
    close() {
      cluster.close();
      transport.close();
      maintenance.stop();
    },
  };
}

function makeStore({ config, scheduler }: Setting, self: NodeRef, disk: Disk | undefined): Store {
  return new Store({
    node: self,
    clock: systemClock,
    scheduler,
    partitions: config['num-partitions'],
    maxMemoryBytes: config['max-memory'],
    eviction: config.eviction,
    valueBytesMax: config['max-value-size'],
    hashKey: disk?.identity.hashKey,
    random,
  });
}

async function makeCluster(
  { config, log, scheduler }: Setting,
  kept: KeptTopology | undefined,
  own: Pick<ClusterOptions, 'self' | 'store' | 'transport' | 'onAdopt' | 'giveOthers' | 'onGone'>,
): Promise<Cluster> {
  const resolver = new Resolver(systemLookup, systemTimers);
  const joins = await resolver.expand(config.join ?? []);
  return new Cluster({
    ...own,
    life: randomUUID(),
    partitions: config['num-partitions'],
    ...joinsOf(joins.map(formatAddress), kept, own.self.addr),
    joinRetries: config['join-retries'],
    migrationBytesPerSecond: config['migration-rate'],
    onServed: config['log-requests'] ? logForwarded(log) : undefined,
    clock: systemClock,
    scheduler,
    timers: systemTimers,
    random,
    log,
  });
}

/** By what members prove themselves: a secret goes before certificates, which clients may need, too. */
function readCredentials(config: Config, tls: TlsMaterial | undefined): Credentials {
  const file = config['cluster-secret-file'];
  if (file !== undefined) return { kind: 'secret', key: loadSecret(file) };
  return tls === undefined ? { kind: 'none' } : { kind: 'certificate', material: tls };
}
