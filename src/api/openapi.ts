/** `GET /openapi.json`: the API as an OpenAPI document, made from the table that serves it. */

import {
  FAILURE_CODES,
  failureTitle,
  httpStatus,
  isFailure,
  retryAfterSeconds,
  type FailureCode,
} from '../base/errors.ts';
import { KEY_BYTES_MAX, WATCHED_MAX } from '../base/limits.ts';
import { sendFailure, sendJson } from './answer.ts';
import { JSON_TYPE } from './negotiate.ts';
import { ANSWER_HEADERS, PARAMETERS, REQUEST_HEADERS, type AnswerHeader } from './parameters.ts';
import { ref, SCHEMAS, type Schema } from './schemas.ts';
import type { Offer, Row, Visit } from './visit.ts';

const PROBLEM_TYPE = 'application/problem+json';

/** What may happen to any request. */
const ALWAYS: readonly FailureCode[] = [
  'MALFORMED_REQUEST',
  'INVALID_PARAMETER',
  'NOT_ACCEPTABLE',
  'REQUEST_TIMEOUT',
  'EXPECTATION_FAILED',
  'HEADERS_TOO_LARGE',
  'INTERNAL_ERROR',
  'UNSUPPORTED_TRANSFER_CODING',
  'OVERLOADED',
];

const WITH_RIGHT: readonly FailureCode[] = ['UNAUTHENTICATED', 'FORBIDDEN'];

const WITH_BODY: readonly FailureCode[] = [
  'MALFORMED_BODY',
  'NESTED_TOO_DEEPLY',
  'BODY_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
];

const OF_KEY: readonly FailureCode[] = [
  'INVALID_KEY',
  'NOT_READY',
  'OWNER_UNAVAILABLE',
  'OUTCOME_UNKNOWN',
  'NOT_SUPPORTED',
  // What others have stored at a server is no record.
  'WRONG_TYPE',
];

const OF_WRITE: readonly FailureCode[] = [
  'DISK_FAILED',
  'DISK_FULL',
  'MEMORY_FULL',
  'NOT_REPLICATED',
];

/** Answers the document. */
export function showOpenApi(visit: Visit, rows: readonly Row[]): void {
  const parameters = visit.parameters();
  if (isFailure(parameters)) return sendFailure(visit.exchange, parameters);
  return sendJson(visit.exchange, describeApi(rows));
}

/** What a route does with a method, as the document and the page show it. */
interface Described {
  readonly path: string;
  readonly method: string;
  readonly offer: Offer;
}

export function* offersOf(rows: readonly Row[]): Generator<Described> {
  for (const { path, methods } of rows) {
    for (const [method, offer] of Object.entries(methods)) yield { path, method, offer };
  }
}

/** How a request may fail, in the order of the table of failures. */
export function failuresOf(path: string, offer: Offer): FailureCode[] {
  const { right, headers = [] } = offer;
  const isOfKey = path.includes('{key}');
  const found = new Set([
    ...ALWAYS,
    ...(right === undefined ? [] : WITH_RIGHT),
    ...(offer.body === undefined ? [] : WITH_BODY),
    ...(isOfKey ? OF_KEY : []),
    ...(isOfKey && right === 'write' ? OF_WRITE : []),
    ...(headers.some((name) => name === 'If-Match')
      ? (['INVALID_CONDITION', 'PRECONDITION_FAILED'] as const)
      : []),
    ...(offer.fails ?? []),
  ]);
  return FAILURE_CODES.filter((code) => found.has(code));
}

/** The OpenAPI document (3.1). */
function describeApi(rows: readonly Row[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const { path, method, offer } of offersOf(rows)) {
    const operations = (paths[path] ??= { options: OPTIONS });
    operations[method.toLowerCase()] = operationOf(path, method, offer);
    if (method === 'GET') operations['head'] = headOf(path, offer);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'memhashd',
      version: '1',
      summary: 'A sharded store of JSON documents.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: { ...SCHEMAS, Code: { type: 'string', enum: FAILURE_CODES } },
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description:
            'Where the node has an -auth-file; the right that a route takes stands with it.',
        },
      },
    },
  };
}

const OPTIONS = {
  summary: 'Tells which methods there are.',
  responses: { 204: { description: 'In `Allow`.' } },
};

function operationOf(path: string, method: string, offer: Offer): object {
  return {
    summary: offer.about,
    operationId: `${method.toLowerCase()} ${path}`,
    ...(offer.right !== undefined && { security: [{ token: [offer.right] }] }),
    parameters: parametersOf(path, offer),
    ...(offer.body !== undefined && {
      // Where a parameter may say the same there need be none.
      requestBody: { required: !isSaidByQuery(offer), content: bodyOf(offer) },
    }),
    responses: responsesOf(path, method, offer),
  };
}

/** GET without the body of its answer. */
function headOf(path: string, offer: Offer): object {
  const responses = Object.entries(responsesOf(path, 'GET', offer)).map(
    ([status, { description, headers }]) => [status, { description, ...(headers && { headers }) }],
  );
  return {
    summary: `${offer.about} The headers only.`,
    operationId: `head ${path}`,
    ...(offer.right !== undefined && { security: [{ token: [offer.right] }] }),
    parameters: parametersOf(path, offer),
    responses: Object.fromEntries(responses),
  };
}

function isSaidByQuery({ query = [] }: Offer): boolean {
  return query.some((name) => name === 'index' || name === 'item');
}

function bodyOf({ types = [JSON_TYPE], body }: Offer): object {
  return Object.fromEntries(types.map((type) => [type, { schema: ref(body!) }]));
}

function parametersOf(path: string, { query = [], repeated = [], headers = [] }: Offer): object[] {
  const segments = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    description:
      name === 'key'
        ? `A key: 1 to ${KEY_BYTES_MAX} bytes of UTF-8, percent-encoded once.`
        : 'The id or the address of a member.',
    schema: { type: 'string', minLength: 1 },
  }));
  return [
    ...segments,
    ...query.map((name) => {
      const { about, schema } = PARAMETERS[name];
      const isList = repeated.includes(name);
      const shown = isList ? { type: 'array', items: schema, maxItems: WATCHED_MAX } : schema;
      return { name, in: 'query', description: about, schema: shown };
    }),
    ...headers.map((name) => {
      const { about, schema } = REQUEST_HEADERS[name];
      return { name, in: 'header', description: about, schema };
    }),
  ];
}

interface Response {
  readonly description: string;
  readonly headers?: object;
  readonly content?: object;
}

function responsesOf(path: string, method: string, offer: Offer): Record<string, Response> {
  const { status = 200, shows = [], headers = [] } = offer;
  const responses: Record<string, Response> = {
    [status]: { description: 'Done.', ...headersOf(shows), content: contentOf(offer) },
  };
  if (method === 'GET' && headers.includes('If-None-Match')) {
    responses['304'] = { description: 'The client has it.', ...headersOf(['ETag']) };
  }
  for (const [failed, codes] of byStatus(failuresOf(path, offer))) {
    responses[failed] = problemOf(codes, path);
  }
  return responses;
}

function contentOf({ answers = [JSON_TYPE], answer }: Offer): object {
  const schemaOf = (type: string): Schema =>
    type === JSON_TYPE ? ref(answer!) : { type: 'string' };
  return Object.fromEntries(answers.map((type) => [type, { schema: schemaOf(type) }]));
}

function byStatus(codes: readonly FailureCode[]): Map<number, FailureCode[]> {
  const groups = new Map<number, FailureCode[]>();
  for (const code of codes) {
    const status = httpStatus(code);
    groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return groups;
}

function problemOf(codes: readonly FailureCode[], path: string): Response {
  const schema = { allOf: [ref('Problem'), { properties: { code: { enum: codes } } }] };
  const shown: AnswerHeader[] = [];
  if (codes.some((code) => retryAfterSeconds(code) !== undefined)) shown.push('Retry-After');
  if (codes.includes('UNAUTHENTICATED')) shown.push('WWW-Authenticate');
  // With `?verbose` a node that is not ready says more.
  const more = path === '/readyz' && codes.includes('NOT_READY');
  return {
    description: codes.map((code) => `\`${code}\`: ${failureTitle(code)}.`).join(' '),
    ...headersOf(shown),
    content: {
      [PROBLEM_TYPE]: { schema },
      ...(more && { [JSON_TYPE]: { schema: ref('Readiness') } }),
    },
  };
}

function headersOf(names: readonly AnswerHeader[]): { headers?: object } {
  if (names.length === 0) return {};
  const headers = names.map((name) => {
    const { about, schema } = ANSWER_HEADERS[name];
    return [name, { description: about, schema }] as const;
  });
  return { headers: Object.fromEntries(headers) };
}
