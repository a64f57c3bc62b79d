/** `GET /metrics`: what a Prometheus server scrapes. */

import { failure, isFailure } from '../base/errors.ts';
import { headerLine } from '../http/exchange.ts';
import { byteString, sendFailure } from './answer.ts';
import type { Visit } from './visit.ts';

/** Answers the metrics in the text format of Prometheus. */
export async function showMetrics(visit: Visit): Promise<void> {
  const { exchange, options } = visit;
  const parameters = visit.parameters();
  if (isFailure(parameters)) return sendFailure(exchange, parameters);
  const { metrics } = options;
  if (metrics === undefined) {
    return sendFailure(exchange, failure('ROUTE_NOT_FOUND', 'this node has no metrics'));
  }
  const text = await metrics.render();
  return exchange.send(200, headerLine('Content-Type', metrics.contentType), byteString(text));
}
