/** `GET /v1/topology` and `DELETE /v1/nodes/{node}`: who owns what, and taking a member away. */

import { parseDuration } from '../base/duration.ts';
import { failure, isFailure, type Failure } from '../base/errors.ts';
import { keyFromPath, keyText } from '../base/key.ts';
import { TOPOLOGY_WAIT_MAX_MS } from '../base/limits.ts';
import { systemTimers } from '../base/timers.ts';
import { headerLine } from '../http/exchange.ts';
import type { TopologyControl } from '../record/engine.ts';
import { JSON_HEAD, sendFailure } from './answer.ts';
import type { Visit } from './visit.ts';

const NOT_MANAGED = failure('NOT_SUPPORTED', 'the members of this engine are not managed here');

/** Answers the topology; with `wait`, when it is another than the client has. */
export async function showTopology(visit: Visit): Promise<void> {
  const { exchange, options } = visit;
  const control = options.engine.topology;
  if (control === undefined) return sendFailure(exchange, NOT_MANAGED);
  const parameters = visit.parameters();
  if (isFailure(parameters)) return sendFailure(exchange, parameters);
  const { owners = 'false', wait = '0s' } = parameters;
  const waitMs = Number(parseDuration(wait) ?? -1n) / 1e6;
  if (owners !== 'true' && owners !== 'false') {
    return sendFailure(exchange, failure('INVALID_PARAMETER', 'owners is true or false'));
  }
  if (waitMs < 0 || waitMs > TOPOLOGY_WAIT_MAX_MS) {
    const detail = `wait is a duration of at most ${TOPOLOGY_WAIT_MAX_MS / 1000}s`;
    return sendFailure(exchange, failure('INVALID_PARAMETER', detail));
  }
  const known = exchange.header('if-none-match') ?? tagOf(control);
  if (waitMs > 0) await changeFrom(known, control, visit, waitMs);
  if (exchange.isGone) return;
  const view = control.view(owners === 'true');
  if (isFailure(view)) return sendFailure(exchange, view);
  const tag = headerLine('ETag', tagOf(control));
  const isKnown = exchange.header('if-none-match') === tagOf(control);
  if (isKnown) exchange.send(304, tag, '');
  else exchange.send(200, JSON_HEAD + tag, `${JSON.stringify(view)}\n`);
}

function tagOf(control: TopologyControl): string {
  return `"${control.revision()}"`;
}

/** Waits until the topology has another tag, for a time at most, or until the node closes. */
function changeFrom(
  tag: string,
  control: TopologyControl,
  { options }: Visit,
  waitMs: number,
): Promise<void> {
  const { timers = systemTimers, closing } = options;
  return new Promise((resolve) => {
    const look = (): void => {
      if (tagOf(control) !== tag) end();
    };
    const forget = control.onChange(look);
    const cancel = timers.after(waitMs, () => end());
    const end = (): void => {
      forget();
      cancel();
      closing?.removeEventListener('abort', end);
      resolve();
    };
    closing?.addEventListener('abort', end);
    look();
  });
}

/** Begins to take a member away: it hands over what it has, or, with `force`, is gone already. */
export function removeNode(visit: Visit): void {
  const { exchange } = visit;
  const removal = removalOf(visit, visit.options.engine.topology);
  if (isFailure(removal)) return sendFailure(exchange, removal);
  const head = JSON_HEAD + headerLine('Location', '/v1/topology');
  exchange.send(202, head, `${JSON.stringify(removal)}\n`);
}

function removalOf(visit: Visit, control: TopologyControl | undefined): object | Failure {
  if (control === undefined) return NOT_MANAGED;
  const parameters = visit.parameters();
  if (isFailure(parameters)) return parameters;
  const { force = 'false' } = parameters;
  if (force !== 'true' && force !== 'false') {
    return failure('INVALID_PARAMETER', 'force is true or false');
  }
  const name = keyFromPath(visit.place.writtenKey);
  if (name === undefined) return failure('NODE_NOT_FOUND', 'the name is not percent-encoded UTF-8');
  return control.remove(keyText(name), force === 'true');
}
