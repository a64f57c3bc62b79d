/** `?replicas=N` of a write: answered when so many replicas have it. */

import { failure, type Failure } from '../base/errors.ts';
import { REPLICAS_MAX } from '../base/limits.ts';
import type { Engine } from '../record/engine.ts';

/** Reads the parameter; an engine without replicas can promise none. */
export function parseReplicas(
  text: string | undefined,
  engine: Engine,
): number | undefined | Failure {
  if (text === undefined) return undefined;
  const replicas = /^\d{1,2}$/.test(text) ? Number(text) : Infinity;
  if (replicas > REPLICAS_MAX) {
    return failure('INVALID_PARAMETER', `replicas is a number from 0 to ${REPLICAS_MAX}`);
  }
  if (replicas > 0 && engine.hasReplicas !== true) {
    return failure('NOT_SUPPORTED', 'the engine memory has no replicas: see docs/engines.md');
  }
  return replicas;
}
