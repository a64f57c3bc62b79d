/** Fences: by which topology of which cluster something was sent, so that what comes late is told apart. */

import type { FieldReader } from './fields.ts';
import type { FrameWriter } from './frame.ts';

export interface Fence {
  /** Tells clusters apart: {@link clusterNumber} of the cluster id, which a hello compared in full. */
  readonly cluster: number;
  /** The number of the topology. */
  readonly epoch: number;
}

/** How many bytes {@link writeFence} writes. */
export const FENCE_BYTES = 8;

/** Whether two fences are of one topology. */
export function isSameFence(one: Fence, other: Fence): boolean {
  return one.epoch === other.epoch && one.cluster === other.cluster;
}

/** The first 32 bits of a cluster id. */
export function clusterNumber(clusterId: string): number {
  return Number.parseInt(clusterId.slice(0, 8), 16);
}

export function writeFence(to: FrameWriter, { cluster, epoch }: Fence): void {
  to.u32(cluster);
  to.u32(epoch);
}

export function readFence(from: FieldReader): Fence {
  return { cluster: from.u32(), epoch: from.u32() };
}
