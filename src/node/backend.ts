/** What is behind the API of a node: an engine, and what goes with it. */

import type { ApiOptions, HealthCheck } from '../api/visit.ts';
import type { Scheduler } from '../base/scheduler.ts';
import type { ChangeStats } from '../cluster/cluster.ts';
import type { JournalStats } from '../disk/journal.ts';
import type { TlsMaterial } from '../net/tls.ts';
import type { LinkStats } from '../peer/link.ts';
import type { Engine } from '../record/engine.ts';
import type { StoreStats } from '../store/store.ts';
import type { Config } from './config.ts';
import type { Log } from './log.ts';

/** What is behind the API of a node. */
export interface Backend {
  readonly engine: Engine;
  /** What the store of this node holds, if it has one. */
  readonly stats?: () => StoreStats;
  /** What the links to its peers do, if it has peers. */
  readonly linkStats?: () => readonly LinkStats[];
  /** How many watch its changes, if they can be watched. */
  readonly watchers?: () => number;
  /** How far a change of its members is, if it has members. */
  readonly changeStats?: () => ChangeStats;
  /** What waits to be written to its disk, if it has one. */
  readonly diskStats?: (() => JournalStats) | undefined;
  /** What its records take there. */
  readonly diskBytes?: (() => Promise<number>) | undefined;
  /** What the log says of it. */
  readonly facts: object;
  /** Where others reach this node, when its address for clients is every interface. */
  readonly host: string;
  /** What else must hold for requests to go to this node. */
  readonly checks?: () => readonly HealthCheck[];
  /**
   * Resolves when this node is no member any more: to nothing if it has left, and to the reason if it
   * was put out.
   */
  readonly gone?: Promise<string | undefined>;
  /** Begins to hand over all keys to the other members. */
  readonly leave?: () => void;
  /** Reads again what members prove themselves with, given the certificates that are in use now. */
  reload(tls: TlsMaterial | undefined): void;
  /** Gets ready for the engine to start, while requests are answered that it is not ready yet. */
  prepare?(): Promise<void>;
  /** Does what had to wait until the engine had started. */
  complete?(): Promise<void>;
  /** Writes all records of this node into a file. */
  readonly snapshot?: ApiOptions['snapshot'];
  /** Answers what other nodes have asked, and lets them ask nothing more; in bounded time. */
  finish?(): Promise<void>;
  close(): void;
  /** Saves what must outlive the process; after {@link close}. */
  save?(): Promise<void>;
}

/** What a backend is made from. */
export interface Setting {
  readonly config: Config;
  readonly log: Log;
  readonly checks: boolean;
  readonly tls: TlsMaterial | undefined;
  readonly scheduler: Scheduler;
}
