/** `/v1/keys/{key}`: loads, stores and deletes a record. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import type { Condition } from '../record/request.ts';
import { conditionOf } from './condition.ts';
import { STORE_DOCUMENT } from './document.ts';
import { parseQuery } from './query.ts';
import { inBody, serving } from './serve.ts';
import type { Visit } from './visit.ts';

/** GET: answers the record, or 304 where the client has it. */
export const loadRecord = serving((visit, key) => {
  const terms = termsOf(visit);
  return isFailure(terms) ? terms : { action: 'load', key, ...terms };
});

/** PUT: stores a value for a time. */
export const storeRecord = serving((visit, key) => {
  const terms = termsOf(visit);
  if (isFailure(terms)) return terms;
  return inBody(STORE_DOCUMENT, ({ value, ttlNs }) => {
    const { valueBytesMax } = visit.options;
    if (value.end - value.start > valueBytesMax) {
      return failure('VALUE_TOO_LARGE', `a value has at most ${valueBytesMax} bytes`);
    }
    return { action: 'store', key, value, ttlNs, ...terms };
  });
});

/** DELETE: removes the record, if there is one. */
export const deleteRecord = serving((visit, key) => {
  const terms = termsOf(visit);
  return isFailure(terms) ? terms : { action: 'delete', key, ...terms };
});

/** What query and headers ask for. */
function termsOf({ exchange, place }: Visit): { condition: Condition | undefined } | Failure {
  const parameters = parseQuery(place.query, []);
  if (isFailure(parameters)) return parameters;
  const condition = conditionOf(exchange);
  return condition !== undefined && isFailure(condition) ? condition : { condition };
}
