/** `/v1/keys/{key}/index` and `/item`: load an element of a list, a member of a dictionary. */

import { failure, isFailure, type Failure } from '../base/errors.ts';
import type { Request } from '../record/request.ts';
import { INDEX_DOCUMENT, ITEM_DOCUMENT, parseIndex, parseItem } from './document.ts';
import { inBody, serving } from './serve.ts';

/** GET and POST: the position comes in the query or, where there is none, in the body. */
export const loadElement = serving((visit, key) => {
  const make = (index: number | Failure): Request | Failure =>
    typeof index === 'number' ? { action: 'index', key, index } : index;
  if (visit.place.query === '') return inBody(INDEX_DOCUMENT, make);
  const parameters = visit.parameters();
  return isFailure(parameters) ? parameters : make(parseIndex(parameters.index));
});

/** GET and POST: the name comes in the query or, where there is none, in the body. */
export const loadItem = serving((visit, key) => {
  const make = (item: string | Failure): Request | Failure =>
    typeof item === 'string' ? { action: 'item', key, item } : item;
  if (visit.place.query === '') return inBody(ITEM_DOCUMENT, make);
  const parameters = visit.parameters();
  if (isFailure(parameters)) return parameters;
  const { item } = parameters;
  return make(
    item === undefined ? failure('INVALID_ITEM', 'the parameter item is missing') : parseItem(item),
  );
});
