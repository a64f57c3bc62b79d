/** The routes of the HTTP API: which of them a request target names. */

import { ROWS } from './rows.ts';
import type { Offer, Place, Row } from './visit.ts';

/** What is served at a path. */
export interface Route {
  readonly path: string;
  /** The methods, as the `Allow` header lists them. */
  readonly allow: string;
  /** The media types of patches, as the `Accept-Patch` header lists them; empty if it serves none. */
  readonly acceptPatch: string;
  readonly offers: ReadonlyMap<string, Offer>;
}

/** A request target that leads somewhere. */
export interface Match extends Place {
  readonly route: Route;
}

const KEYS = '/v1/keys/';
const KEY_PATH = `${KEYS}{key}`;
const NODES = '/v1/nodes/';
const NODE_PATH = `${NODES}{node}`;

/**
 * How the targets of requests for records begin: a node that has more to do than it can do refuses them.
 * The others tell how it is, or help it.
 */
export const SHED_TARGETS: readonly string[] = ['/v1/keys', '/v1/batch', '/v1/watch'];

/** Routes by their path; those of a key by what follows it. */
const FIXED = new Map<string, Route>();
const OF_KEY = new Map<string, Route>();

for (const row of ROWS) {
  const route = routeFrom(row);
  if (row.path.startsWith(KEY_PATH)) OF_KEY.set(row.path.slice(KEY_PATH.length), route);
  else FIXED.set(row.path, route);
}

/** The route of most requests. */
const OF_RECORD = OF_KEY.get('')!;

function routeFrom({ path, methods }: Row): Route {
  const offers = new Map<string, Offer>();
  for (const [method, offer] of Object.entries(methods)) {
    offers.set(method, offer);
    if (method === 'GET') offers.set('HEAD', offer);
  }
  const allow = [...offers.keys(), 'OPTIONS'].join(', ');
  return { path, offers, allow, acceptPatch: methods['PATCH']?.types?.join(', ') ?? '' };
}

/** The target that was asked for last: who counts an answer asks again for what has just been served. */
let lastTarget = '';
let lastMatch: Match | undefined;

/**
 * Where a request target leads, if anywhere. The key stays as it is written there: it is
 * percent-decoded once, by `keyOf`, and the path is never cleaned, so `.`, `..` and `%2F` are keys.
 */
export function matchTarget(target: string): Match | undefined {
  if (target !== lastTarget) {
    lastMatch = findMatch(target);
    lastTarget = target;
  }
  return lastMatch;
}

function findMatch(target: string): Match | undefined {
  const path = originForm(target);
  const mark = path.indexOf('?');
  const end = mark < 0 ? path.length : mark;
  const query = mark < 0 ? '' : path.slice(mark + 1);
  if (path.startsWith(KEYS)) {
    const slash = path.indexOf('/', KEYS.length);
    const keyEnd = slash < 0 || slash > end ? end : slash;
    const route = keyEnd === end ? OF_RECORD : OF_KEY.get(path.slice(keyEnd, end));
    return route && { route, writtenKey: path.slice(KEYS.length, keyEnd), query };
  }
  const node = path.slice(NODES.length, end);
  if (path.startsWith(NODES) && node !== '' && !node.includes('/')) {
    return { route: FIXED.get(NODE_PATH)!, writtenKey: node, query };
  }
  const route = FIXED.get(path.slice(0, end));
  return route && { route, writtenKey: '', query };
}

/** Drops the scheme and authority that a client may put before the path (RFC 9112 §3.2.2). */
function originForm(target: string): string {
  return target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?]*/i, '');
}
