/** A client that holds every answer against the OpenAPI document of the node that gave it. */

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

import { matchTarget } from '../../src/api/routes.ts';
import { ask, type Answer, type Send, type Server } from './client.ts';

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: object }>>;
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** A client of `server` that expects each answer to be one that its document describes. */
export async function documented(server: Server): Promise<Send> {
  const { json } = await ask(server, 'GET', '/openapi.json');
  const check = new DocumentCheck(json as Description);
  return async (method, target, question) => {
    const answer = await ask(server, method, target, question);
    const problem = check.problemOf(method, target, answer);
    if (problem !== undefined) throw new Error(`${method} ${target.slice(0, 100)}: ${problem}`);
    return answer;
  };
}

/** Statuses of answers at a path or with a method that is not there, or to no request at all. */
const OF_NO_ROUTE: readonly number[] = [400, 404, 405, 431, 501];

export class DocumentCheck {
  readonly #description: Description;
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #checks = new Map<string, ValidateFunction>();

  constructor(description: Description) {
    this.#description = description;
    this.#ajv.addSchema(description, 'api');
  }

  /** In what an answer is none that is described; undefined if it is one. */
  problemOf(method: string, target: string, answer: Answer): string | undefined {
    const { status, headers, text } = answer;
    const path = matchTarget(target)?.route.path ?? '';
    const operation = this.#description.paths[path]?.[method.toLowerCase()];
    if (operation === undefined) {
      if (!OF_NO_ROUTE.includes(status)) return `it is ${status}`;
      return text === '' ? undefined : this.#bodyProblem('#/components/schemas/Problem', answer);
    }
    const response = operation.responses[status];
    if (response === undefined) return `there is no ${status}`;
    if (response.content === undefined) return text === '' ? undefined : 'it has a body';
    const [type = ''] = (headers['content-type'] ?? '').split(';');
    if (!(type in response.content)) return `${status} has no ${type}`;
    if (!type.endsWith('json')) return undefined;
    const place = [path, method.toLowerCase(), 'responses', `${status}`, 'content', type, 'schema'];
    return this.#bodyProblem(`#/paths/${place.map(escape).join('/')}`, answer);
  }

  #bodyProblem(pointer: string, { json }: Answer): string | undefined {
    const check = this.#checks.get(pointer) ?? this.#ajv.compile({ $ref: `api${pointer}` });
    this.#checks.set(pointer, check);
    return check(json) ? undefined : this.#ajv.errorsText(check.errors);
  }
}

/** A member's name in a pointer that stands in a URI. */
function escape(name: string): string {
  return encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'));
}
