/** The paths of the HTTP API: which route a request line names, and the methods served there. */

import { failure, type Failure } from '../base/errors.ts';
import { keyFromPath, type Key } from '../base/key.ts';
import { KEY_BYTES_MAX } from '../base/limits.ts';

/** The methods of each route, as its `Allow` header lists them. */
const METHODS = {
  keys: ['GET', 'HEAD'],
  key: ['GET', 'HEAD', 'PUT', 'DELETE'],
  index: ['GET', 'HEAD', 'POST'],
  item: ['GET', 'HEAD', 'POST'],
  nodes: ['GET', 'HEAD'],
} as const;

/** A route to one record; `segment` is the key as the path writes it. */
export interface RecordRoute {
  readonly name: 'key' | 'index' | 'item';
  readonly segment: string;
  readonly query: string;
}

interface PlainRoute {
  readonly name: 'keys' | 'nodes';
  readonly query: string;
}

export type Route = RecordRoute | PlainRoute;

const KEYS = '/v1/keys';

/**
 * The route that a request target names, or undefined. The key stays as it is written there: it is
 * percent-decoded once, by `keyOf`, and the path is never cleaned, so `.`, `..` and `%2F` are keys.
 */
export function routeOf(target: string): Route | undefined {
  const path = originForm(target);
  const mark = path.indexOf('?');
  const end = mark < 0 ? path.length : mark;
  const query = mark < 0 ? '' : path.slice(mark + 1);
  if (!path.startsWith(KEYS))
    return path.slice(0, end) === '/v1/nodes' ? { name: 'nodes', query } : undefined;
  if (end === KEYS.length) return { name: 'keys', query };
  if (path[KEYS.length] !== '/') return undefined;
  const start = KEYS.length + 1;
  const slash = path.lastIndexOf('/', end - 1);
  if (slash < start) return { name: 'key', segment: path.slice(start, end), query };
  const segment = path.slice(start, slash);
  const name = path.slice(slash + 1, end);
  if (segment.includes('/') || (name !== 'index' && name !== 'item')) return undefined;
  return { name, segment, query };
}

/** The methods that are served on a route, none where there is no route. */
export function methodsOf(route: Route | undefined): readonly string[] {
  return route === undefined ? [] : METHODS[route.name];
}

/** Drops the scheme and authority that a client may put before the path (RFC 9112 §3.2.2). */
function originForm(target: string): string {
  return target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?]*/i, '');
}

/** The key that a path segment names. */
export function keyOf(segment: string): Key | Failure {
  const key = keyFromPath(segment);
  if (key === undefined) return failure('INVALID_KEY', 'the key is not percent-encoded UTF-8');
  if (key.length > 0 && key.length <= KEY_BYTES_MAX) return key;
  const found = key.length === 0 ? 'none' : `${key.length}`;
  return failure('INVALID_KEY', `a key has 1 to ${KEY_BYTES_MAX} bytes, this one has ${found}`);
}
