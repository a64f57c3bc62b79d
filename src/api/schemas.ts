/**
 * The documents of the API as JSON Schemas (2020-12): bodies, whose members are those that are read, and
 * answers. `GET /openapi.json` shows them.
 */

import {
  BATCH_OPERATIONS_MAX,
  ENTITY_TAG_CHARS_MAX,
  ENTITY_TAGS_MAX,
  ITEM_CHARS_MAX,
  KEY_BYTES_MAX,
  POINTER_CHARS_MAX,
} from '../base/limits.ts';

export type Schema = Readonly<Record<string, unknown>>;

/** A schema by its name. */
export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

const object = (properties: Record<string, Schema>, required: readonly string[], more = {}) => ({
  type: 'object',
  properties,
  required,
  ...more,
});
const list = (items: Schema, more = {}): Schema => ({ type: 'array', items, ...more });
const text = (description: string, more = {}): Schema => ({ type: 'string', description, ...more });
const whole = (description: string): Schema => ({ type: 'integer', minimum: 0, description });
const nullable = (schema: Schema): Schema => ({ anyOf: [schema, { type: 'null' }] });

/** Documents that have no members but these. */
const CLOSED = { additionalProperties: false };

const ANY: Schema = { description: 'Any JSON.' };
const VALUE: Schema = { description: 'The value: any JSON, kept byte for byte.' };
const KEY = text(`A key: 1 to ${KEY_BYTES_MAX} bytes of UTF-8.`, { minLength: 1 });
const POINTER = text('A JSON pointer (RFC 6901).', { maxLength: POINTER_CHARS_MAX });
const TAG = text('An entity tag without its quotes.', { maxLength: ENTITY_TAG_CHARS_MAX });
const VERSIONS: Schema = {
  description: '`*`, an entity tag without its quotes, or a list of them.',
  anyOf: [TAG, list(TAG, { maxItems: ENTITY_TAGS_MAX })],
};
const TIME = text('RFC 3339 in UTC; year 1 for never.', { format: 'date-time' });
const EPOCH = whole('Number of a topology.');
const CHANGE = {
  kind: text('What changes.', { enum: ['join', 'leave', 'forget'] }),
  who: text('The address of the member that comes or goes.'),
  epoch: EPOCH,
};

/** By name; the members of a body stand in the order in which they are read. */
export const SCHEMAS = {
  Duration: text('A duration as Go writes it, not negative: `1h30m`, `1.5s`, `100ms`.', {
    pattern: '^[-+]?(0|([0-9]+\\.?[0-9]*|\\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$',
    examples: ['90s'],
  }),

  // Bodies.
  Store: object({ data: VALUE, expire_time: ref('Duration') }, ['data']),
  Patch: {
    description: 'A merge patch: any JSON. A JSON patch: a list of operations.',
  },
  Index: object({ index: whole('A position in a list, from 0.') }, ['index']),
  Item: object({ item: text('The name of a member.', { maxLength: ITEM_CHARS_MAX }) }, ['item']),
  Increment: object(
    {
      by: { type: 'number', default: 1 },
      initial: { type: 'number', default: 0, description: 'Where there is no number yet.' },
      min: { type: 'number' },
      max: { type: 'number' },
      pointer: POINTER,
      expire_time: ref('Duration'),
      expire: text('Which records the time is for.', {
        enum: ['created', 'always'],
        default: 'created',
      }),
    },
    [],
  ),
  Append: object(
    {
      values: list(ANY),
      pointer: POINTER,
      max_length: {
        type: 'integer',
        minimum: 1,
        description: 'Of a list that becomes longer the first elements go.',
      },
      expire_time: ref('Duration'),
    },
    ['values'],
  ),
  Expire: object({ expire_time: ref('Duration') }, ['expire_time']),
  Operation: object(
    {
      load: KEY,
      store: KEY,
      delete: KEY,
      data: VALUE,
      expire_time: ref('Duration'),
      pointer: POINTER,
      if_match: VERSIONS,
      if_none_match: VERSIONS,
    },
    [],
    {
      ...CLOSED,
      oneOf: [{ required: ['load'] }, { required: ['store', 'data'] }, { required: ['delete'] }],
    },
  ),
  Batch: list(ref('Operation'), { maxItems: BATCH_OPERATIONS_MAX }),

  // Answers.
  Meta: object(
    {
      index: whole('How often the key was stored since it was created.'),
      expire_time: text('The time to live, `0s` for a record that stays.'),
      accessed_at: TIME,
      created_at: TIME,
      updated_at: TIME,
    },
    ['index', 'expire_time', 'accessed_at', 'created_at', 'updated_at'],
    CLOSED,
  ),
  Node: object({ id: text('Of a member.'), addr: text('Of a member.') }, ['id', 'addr'], CLOSED),
  Record: object(
    { action: text('What was done.'), meta: ref('Meta'), data: VALUE, node: ref('Node') },
    ['action', 'meta', 'node'],
    CLOSED,
  ),
  Keys: list({ type: 'string' }),
  Result: object(
    {
      position: whole('Of the operation; only with `Prefer: return=minimal`.'),
      status: whole('As if the operation had come alone.'),
      code: ref('Code'),
      detail: { type: 'string' },
      etag: TAG,
      meta: ref('Meta'),
      node: ref('Node'),
      data: VALUE,
    },
    ['status'],
    CLOSED,
  ),
  Results: object(
    { results: list(ref('Result')), failed: whole('How many failed.') },
    ['results', 'failed'],
    CLOSED,
  ),
  Event: object(
    {
      event: text('What happened.', {
        enum: ['ready', 'store', 'delete', 'expire', 'evict', 'lost'],
      }),
      key: { type: 'string' },
      etag: TAG,
      expire_time: { type: 'string' },
      data: VALUE,
      members: whole('From how many members everything is told.'),
      member: { type: 'string' },
      reason: { type: 'string' },
    },
    ['event'],
    CLOSED,
  ),
  Events: object(
    { events: list(ref('Event')), next: text('Where to go on.') },
    ['events', 'next'],
    CLOSED,
  ),
  Member: object({ id: nullable({ type: 'string' }), addr: { type: 'string' } }, ['id', 'addr'], {
    description: 'A member; an engine adds what else it knows.',
  }),
  Members: list(ref('Member')),
  Change: object(CHANGE, ['kind', 'who', 'epoch']),
  Topology: object(
    {
      cluster_id: { type: 'string' },
      epoch: EPOCH,
      partitions: whole('How many there are.'),
      members: ref('Members'),
      change: nullable(ref('Change')),
      last: nullable(ref('Change')),
      is_settled: { type: 'boolean' },
      owners: list(whole('The position of the owner of a partition in `members`.')),
    },
    ['cluster_id', 'epoch', 'partitions', 'members', 'change', 'last', 'is_settled'],
  ),
  Removal: object(
    { kind: CHANGE.kind, who: CHANGE.who, partitions: whole('That it owned.') },
    ['kind', 'who', 'partitions'],
    CLOSED,
  ),
  Snapshot: object(
    { file: { type: 'string' }, records: whole('In the file.'), bytes: whole('Of the file.') },
    ['file', 'records', 'bytes'],
    CLOSED,
  ),
  Life: object({ alive: { const: true } }, ['alive'], CLOSED),
  Readiness: object(
    {
      ready: { type: 'boolean' },
      checks: list(
        object(
          { name: { type: 'string' }, ok: { type: 'boolean' }, problem: { type: 'string' } },
          ['name', 'ok'],
          CLOSED,
        ),
      ),
    },
    ['ready'],
    CLOSED,
  ),
  Description: object({ openapi: { const: '3.1.0' } }, ['openapi']),
  Problem: object(
    {
      type: text('A URN with the code.'),
      title: text('The same for every problem of this code.'),
      status: { type: 'integer' },
      detail: text('What happened this time, for people.'),
      code: ref('Code'),
      text: text('As `detail`.'),
    },
    ['type', 'title', 'status', 'detail', 'code', 'text'],
    { ...CLOSED, description: 'A problem document (RFC 9457).' },
  ),
} as const satisfies Record<string, Schema>;

export type SchemaName = keyof typeof SCHEMAS;

/** Documents that are objects: bodies are read member by member. */
export type ObjectName = {
  [Name in SchemaName]: (typeof SCHEMAS)[Name] extends { type: string; properties: object }
    ? Name
    : never;
}[SchemaName];
