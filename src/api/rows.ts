/** The table of the HTTP API: a row for each path, with all that is served there. */

import { appendToRecord } from './append.ts';
import { serveBatch } from './batch.ts';
import { showDocs } from './docs.ts';
import { expireRecord } from './expire.ts';
import { showLife, showReadiness } from './health.ts';
import { incrementRecord } from './increment.ts';
import { listKeys } from './keys.ts';
import { showMetrics } from './metrics.ts';
import { showNodes } from './nodes.ts';
import { showOpenApi } from './openapi.ts';
import { loadElement, loadItem } from './part.ts';
import { deleteRecord, loadRecord, PATCH_TYPES, patchRecord, storeRecord } from './record.ts';
import { takeSnapshot } from './snapshot.ts';
import { removeNode, showTopology } from './topology.ts';
import type { Offer, Row } from './visit.ts';
import { WATCHED, WATCH_PARAMETERS } from './watch-query.ts';
import { WATCH_TYPES, watchKeys } from './watch.ts';

const CONDITIONS = ['If-Match', 'If-None-Match'] as const;

/** What may become of a change of a part of a value. */
const EDIT_FAILURES = [
  'TARGET_NOT_FOUND',
  'WRONG_TYPE',
  'RESULT_TOO_LARGE',
  'RESULT_TOO_DEEP',
] as const;

const ELEMENT: Offer = {
  right: 'read',
  handle: loadElement,
  about: 'Loads an element of a list.',
  query: ['index'],
  body: 'Index',
  answer: 'Record',
  fails: ['KEY_NOT_FOUND', 'INVALID_INDEX', 'INDEX_OUT_OF_RANGE', 'WRONG_TYPE'],
};

const ITEM: Offer = {
  right: 'read',
  handle: loadItem,
  about: 'Loads a member of a dictionary.',
  query: ['item'],
  body: 'Item',
  answer: 'Record',
  fails: ['KEY_NOT_FOUND', 'INVALID_ITEM', 'ITEM_NOT_FOUND', 'WRONG_TYPE'],
};

export const ROWS: readonly Row[] = [
  {
    path: '/v1/keys',
    methods: {
      GET: {
        right: 'read',
        handle: listKeys,
        about: 'Lists keys, in no particular order.',
        query: ['prefix', 'limit', 'cursor', 'scope'],
        answer: 'Keys',
        shows: ['Link'],
        fails: ['NOT_READY', 'OWNER_UNAVAILABLE'],
      },
    },
  },
  {
    path: '/v1/keys/{key}',
    methods: {
      GET: {
        right: 'read',
        handle: loadRecord,
        about: 'Loads a record, or a part of it.',
        query: ['pointer'],
        headers: CONDITIONS,
        answer: 'Record',
        shows: ['ETag'],
        fails: ['KEY_NOT_FOUND', 'INVALID_POINTER', 'PART_NOT_FOUND'],
      },
      PUT: {
        right: 'write',
        handle: storeRecord,
        about: 'Stores a record, or a part of it.',
        query: ['pointer', 'replicas'],
        headers: CONDITIONS,
        body: 'Store',
        answer: 'Record',
        shows: ['ETag'],
        fails: [
          'KEY_NOT_FOUND',
          'INVALID_EXPIRE_TIME',
          'INVALID_POINTER',
          'VALUE_TOO_LARGE',
          ...EDIT_FAILURES,
        ],
      },
      PATCH: {
        right: 'write',
        handle: patchRecord,
        about: 'Changes a record by a merge patch (RFC 7396) or a JSON patch (RFC 6902).',
        query: ['expire_time', 'replicas'],
        headers: CONDITIONS,
        body: 'Patch',
        types: PATCH_TYPES,
        answer: 'Record',
        shows: ['ETag'],
        fails: [
          'KEY_NOT_FOUND',
          'INVALID_EXPIRE_TIME',
          'INVALID_PATCH',
          'TEST_FAILED',
          ...EDIT_FAILURES,
        ],
      },
      DELETE: {
        right: 'write',
        handle: deleteRecord,
        about: 'Deletes a record, or removes a part of it.',
        query: ['pointer', 'replicas'],
        headers: CONDITIONS,
        answer: 'Record',
        shows: ['ETag'],
        fails: ['KEY_NOT_FOUND', 'INVALID_POINTER', 'PART_NOT_FOUND', ...EDIT_FAILURES],
      },
    },
  },
  { path: '/v1/keys/{key}/index', methods: { GET: ELEMENT, POST: ELEMENT } },
  { path: '/v1/keys/{key}/item', methods: { GET: ITEM, POST: ITEM } },
  {
    path: '/v1/keys/{key}/increment',
    methods: {
      POST: {
        right: 'write',
        handle: incrementRecord,
        about: 'Adds to a number, exactly; answers the new one.',
        query: ['replicas'],
        headers: CONDITIONS,
        body: 'Increment',
        answer: 'Record',
        shows: ['ETag'],
        fails: [
          'KEY_NOT_FOUND',
          'INVALID_NUMBER',
          'INVALID_POINTER',
          'INVALID_EXPIRE_TIME',
          'NUMBER_OUT_OF_RANGE',
          ...EDIT_FAILURES,
        ],
      },
    },
  },
  {
    path: '/v1/keys/{key}/append',
    methods: {
      POST: {
        right: 'write',
        handle: appendToRecord,
        about: 'Adds to the end of a list; answers its length.',
        query: ['replicas'],
        headers: CONDITIONS,
        body: 'Append',
        answer: 'Record',
        shows: ['ETag'],
        fails: ['KEY_NOT_FOUND', 'INVALID_POINTER', 'INVALID_EXPIRE_TIME', ...EDIT_FAILURES],
      },
    },
  },
  {
    path: '/v1/keys/{key}/expire',
    methods: {
      POST: {
        right: 'write',
        handle: expireRecord,
        about: 'Gives a record another time to live, counted from now.',
        query: ['replicas'],
        headers: CONDITIONS,
        body: 'Expire',
        answer: 'Record',
        shows: ['ETag'],
        fails: ['KEY_NOT_FOUND', 'INVALID_EXPIRE_TIME'],
      },
    },
  },
  {
    path: '/v1/batch',
    methods: {
      POST: {
        right: 'read',
        handle: serveBatch,
        about: 'Does many operations, each with the right that it takes and an outcome of its own.',
        query: ['meta'],
        headers: ['Prefer'],
        body: 'Batch',
        answer: 'Results',
        fails: ['TOO_MANY_OPERATIONS'],
      },
    },
  },
  {
    path: '/v1/watch',
    methods: {
      GET: {
        right: 'read',
        handle: watchKeys,
        about:
          'Tells of changes as they happen: a stream of events, or in JSON an answer at a time.',
        query: WATCH_PARAMETERS,
        repeated: WATCHED,
        headers: ['Last-Event-ID'],
        answer: 'Events',
        answers: WATCH_TYPES,
        fails: ['HISTORY_GONE', 'NOT_READY', 'NOT_SUPPORTED', 'OWNER_UNAVAILABLE'],
      },
    },
  },
  {
    path: '/v1/nodes',
    methods: {
      GET: {
        right: 'read',
        handle: showNodes,
        about: 'Lists the members of the cluster.',
        answer: 'Members',
        fails: ['NOT_READY', 'OWNER_UNAVAILABLE'],
      },
    },
  },
  {
    path: '/v1/nodes/{node}',
    methods: {
      DELETE: {
        right: 'admin',
        handle: removeNode,
        about: 'Begins to take a member away, named by its id or address.',
        query: ['force'],
        status: 202,
        answer: 'Removal',
        shows: ['Location'],
        fails: [
          'NODE_NOT_FOUND',
          'NODE_REACHABLE',
          'NODE_UNREACHABLE',
          'LAST_NODE',
          'NOT_READY',
          'NOT_SUPPORTED',
        ],
      },
    },
  },
  {
    path: '/v1/topology',
    methods: {
      GET: {
        right: 'read',
        handle: showTopology,
        about: 'Shows who owns what, and what is changing.',
        query: ['owners', 'wait'],
        headers: ['If-None-Match'],
        answer: 'Topology',
        shows: ['ETag'],
        fails: ['NOT_READY', 'NOT_SUPPORTED'],
      },
    },
  },
  {
    path: '/v1/snapshot',
    methods: {
      POST: {
        right: 'admin',
        handle: takeSnapshot,
        about: 'Writes all records of this node into a file beside them.',
        answer: 'Snapshot',
        fails: ['DISK_FAILED', 'DISK_FULL', 'NOT_READY', 'NOT_SUPPORTED'],
      },
    },
  },
  {
    path: '/metrics',
    methods: {
      GET: {
        right: 'read',
        handle: showMetrics,
        about: 'Metrics in the text format of Prometheus.',
        answers: ['text/plain'],
      },
    },
  },
  {
    path: '/livez',
    methods: {
      GET: {
        right: undefined,
        handle: showLife,
        about: 'Whether the process lives.',
        answer: 'Life',
      },
    },
  },
  {
    path: '/readyz',
    methods: {
      GET: {
        right: undefined,
        handle: showReadiness,
        about: 'Whether requests should go to this node.',
        query: ['verbose'],
        answer: 'Readiness',
        fails: ['NOT_READY'],
      },
    },
  },
  {
    path: '/openapi.json',
    methods: {
      GET: {
        right: undefined,
        handle: (visit) => showOpenApi(visit, ROWS),
        about: 'This description of the API (OpenAPI 3.1).',
        answer: 'Description',
      },
    },
  },
  {
    path: '/docs',
    methods: {
      GET: {
        right: undefined,
        handle: (visit) => showDocs(visit, ROWS),
        about: 'The same as a page for people.',
        answers: ['text/html'],
      },
    },
  },
];
