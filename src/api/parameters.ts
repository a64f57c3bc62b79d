/** The parameters of queries and the headers that mean something to a route, and what they may be. */

import {
  ITEM_CHARS_MAX,
  KEY_BYTES_MAX,
  PAGE_KEYS_MAX,
  POINTER_CHARS_MAX,
  REPLICAS_MAX,
} from '../base/limits.ts';
import { ref, type Schema } from './schemas.ts';

interface Parameter {
  readonly about: string;
  readonly schema: Schema;
}

const FLAG: Schema = { type: 'boolean', default: false };
const TEXT: Schema = { type: 'string' };

/** Of queries. */
export const PARAMETERS = {
  pointer: {
    about: 'A JSON pointer (RFC 6901): the request is about that part of the value.',
    schema: { ...TEXT, maxLength: POINTER_CHARS_MAX },
  },
  expire_time: { about: 'The time to live from now on.', schema: ref('Duration') },
  replicas: {
    about: 'How many replicas are to have the change before it is answered.',
    schema: { type: 'integer', minimum: 0, maximum: REPLICAS_MAX },
  },
  index: {
    about: 'The position of the element, from 0; in place of a body.',
    schema: { type: 'integer', minimum: 0 },
  },
  item: {
    about: 'The name of the item; in place of a body.',
    schema: { ...TEXT, maxLength: ITEM_CHARS_MAX },
  },
  prefix: {
    about: 'Only keys that start with this.',
    schema: { ...TEXT, maxLength: KEY_BYTES_MAX },
  },
  key: { about: 'This key.', schema: { ...TEXT, minLength: 1, maxLength: KEY_BYTES_MAX } },
  limit: {
    about: 'A page of at most so many keys.',
    schema: { type: 'integer', minimum: 1, maximum: PAGE_KEYS_MAX },
  },
  cursor: { about: 'Where the page begins: from the `Link` of the page before.', schema: TEXT },
  scope: {
    about: 'The node that is asked, or all members.',
    schema: { ...TEXT, enum: ['node', 'cluster'], default: 'node' },
  },
  meta: { about: 'Whether each result has `meta` and `node`.', schema: FLAG },
  values: { about: 'Whether events of stores have the value.', schema: FLAG },
  initial: { about: 'Whether the records that are there come first.', schema: FLAG },
  since: { about: 'The position behind which to go on.', schema: TEXT },
  wait: { about: 'How long to wait for news, 60 s at most.', schema: ref('Duration') },
  owners: { about: 'Whether the owner of each partition is shown.', schema: FLAG },
  force: { about: 'Whether a member that is dead is forgotten.', schema: FLAG },
  verbose: { about: 'Shows every check with its result.', schema: TEXT },
} as const satisfies Record<string, Parameter>;

export type ParameterName = keyof typeof PARAMETERS;

/** Of requests. */
export const REQUEST_HEADERS = {
  'If-Match': { about: '`*` or entity tags: only if the record has one of them.', schema: TEXT },
  'If-None-Match': { about: '`*` or entity tags: only if it has none of them.', schema: TEXT },
  'Last-Event-ID': { about: 'As `since`, which it goes before.', schema: TEXT },
  Prefer: { about: '`return=minimal`: failures only.', schema: TEXT },
} as const satisfies Record<string, Parameter>;

export type RequestHeader = keyof typeof REQUEST_HEADERS;

/** Of answers. */
export const ANSWER_HEADERS = {
  ETag: { about: 'The version.', schema: TEXT },
  Link: { about: 'The next page, if there is one.', schema: TEXT },
  Location: { about: 'Where to see how it goes.', schema: TEXT },
  'Retry-After': { about: 'Seconds after which it may well succeed.', schema: { type: 'integer' } },
  'WWW-Authenticate': { about: 'That a bearer token is needed.', schema: TEXT },
} as const satisfies Record<string, Parameter>;

export type AnswerHeader = keyof typeof ANSWER_HEADERS;
