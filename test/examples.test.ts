import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

import { eventually } from './support/eventually.ts';
import { needs } from './support/needs.ts';
import { NodeProcess } from './support/node-process.ts';
import { ValkeyServer } from './support/valkey.ts';

/** A command of an example, and what a document says that it prints. */
interface Example {
  readonly line: number;
  readonly command: string;
  readonly output: string;
  /** Commands that come before it, and that run while it does: a comment in front of its block. */
  readonly before: string;
  readonly meanwhile: string;
}

/** What an example is left out for: it takes a file of tokens, a data directory, several nodes. */
const LEFT_OUT = [
  'memhashd token',
  'Authorization: Bearer',
  '/v1/snapshot',
  'DELETE http://127.0.0.1:8001/v1/nodes',
];

/** Commands in the `console` blocks of a document. */
function examplesOf(text: string): Example[] {
  const examples: Example[] = [];
  const block = /(?:<!-- (before|meanwhile): ([^\n]*) -->\n)?```console\n(.*?)```/gs;
  for (const { 1: when, 2: script = '', 3: body = '', index } of text.matchAll(block)) {
    const line = text.slice(0, index).split('\n').length;
    // A command goes on after a backslash, and while a quote is open.
    for (const part of body.split(/^\$ /m).slice(1)) {
      const lines = part.split('\n');
      let command = lines.shift()!;
      while (command.endsWith('\\') || command.split("'").length % 2 === 0) {
        command += `\n${lines.shift()!}`;
      }
      const isFirst = part === body.split(/^\$ /m)[1];
      const before = isFirst && when === 'before' ? script : '';
      const meanwhile = isFirst && when === 'meanwhile' ? script : '';
      examples.push({ line, command, output: lines.join('\n').trim(), before, meanwhile });
    }
  }
  return examples.filter(({ command }) => !LEFT_OUT.some((part) => command.includes(part)));
}

/** What is another each time; its parts in parentheses are compared all the same. */
const VARIABLE = [
  /(?<!\d)[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/, // a time
  /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/, // an id
  /127\.0\.0\.1:\d+/,
  /\b[\da-z]{5}-[\da-z]{5,6}-\d+\b/, // an entity tag
  /MTI3[\w-]+/, // a cursor or a position
  /(?<=")a\d(?=")/, // a key of which there are several
  /(?<=Content-Length: )\d+/,
];

const VARIABLES = new RegExp(VARIABLE.map(({ source }) => source).join('|'), 'g');

/**
 * Expects that a command printed what the document says, but for what is another each time.
 *
 * @returns what stands for each such text of the document here.
 */
function expectOutput({ line, output }: Example, printed: string): Map<string, string> {
  const got = comparable(printed);
  // Where nothing is said, nothing has failed.
  const said = output === '' ? got.replace(/^.*urn:memhashd:problem.*$/m, '') : comparable(output);
  const texts = said.match(VARIABLES) ?? [];
  const pattern = said.split(VARIABLES).map(escape).join('(.+?)');
  const found = new RegExp(`^${pattern}$`).exec(got);
  const expected = found === null ? said : got;
  expect(`line ${line}:\n${got}`).toBe(`line ${line}:\n${expected}`);
  return new Map(texts.map((text, at) => [text, found![at + 1]!]));
}

const escape = (text: string) => text.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');

/** Without what differs between clients; the order of headers says nothing. */
function comparable(text: string): string {
  const [head = '', ...body] = text.replaceAll('\r', '').trim().split('\n\n');
  if (!head.startsWith('HTTP/')) return text.trim();
  const [status = '', ...headers] = head.split('\n');
  const kept = headers.filter((header) => !/^(?:Date|Connection|Keep-Alive):/.test(header));
  return [[status, ...kept.toSorted()].join('\n'), ...body].join('\n\n');
}

const run = promisify(execFile);

const blocks = (text: string) => text.trim().split('\n\n').length;

/** Runs a command of an example until it ends, or, for a stream, until it printed what is expected. */
async function print(
  command: string,
  { output, meanwhile }: Example,
  script: (text: string) => string,
) {
  if (!command.includes('curl -N')) return (await run('bash', ['-c', script(command)])).stdout;
  const child = spawn('bash', ['-c', script(`exec ${command}`)]);
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  await eventually(() => expect(printed).toContain('event: ready'));
  await run('bash', ['-c', script(meanwhile)]);
  await eventually(() => expect(blocks(printed)).toBeGreaterThanOrEqual(blocks(output)));
  child.kill();
  return printed;
}

/** What the engine `valkey` answers with 501: its examples are those of the other engine. */
const NOT_SUPPORTED = ['/v1/watch', '/v1/topology'];

/** Nodes of the engine `valkey` list servers, which have members of their own. */
const OTHER_ANSWER = ['/v1/nodes'];

/** Does the examples of a document, in their order, and holds what they print against it. */
async function expectExamples(path: string, url: string, leftOut: readonly string[] = []) {
  const all = examplesOf(readFileSync(join(import.meta.dirname, '..', path), 'utf8'));
  const examples = all.filter(({ command }) => !leftOut.some((part) => command.includes(part)));
  expect(examples.length).toBeGreaterThan(4);
  const known = new Map([['http://127.0.0.1:8001', url]]);
  const script = (text: string): string => {
    let here = text;
    for (const [said, actual] of known) here = here.replaceAll(said, actual);
    return `curl() { command curl -sS --max-time 60 "$@"; }\n${here}`;
  };
  for (const example of examples) {
    if (example.before !== '') await run('bash', ['-c', script(example.before)]);
    const printed = await print(example.command, example, script);
    for (const [said, got] of expectOutput(example, printed)) known.set(said, got);
  }
}

const DOCUMENTS = ['README.md', 'docs/api.md'];

needs('curl', 'bash')('the examples of', () => {
  test.each(DOCUMENTS)('%s do what it says', async (path) => {
    await using node = await NodeProcess.start([]);
    await expectExamples(path, node.url);
  });
});

needs(
  'curl',
  'bash',
  'redis-server',
)('over the engine valkey the examples of', () => {
  const left = `but for ${NOT_SUPPORTED.join(' and ')}, which are 501, and ${OTHER_ANSWER.join()}, which lists servers`;
  test.each(DOCUMENTS)(`%s do what it says, ${left}`, async (path) => {
    await using server = await ValkeyServer.start();
    await using node = await NodeProcess.start(['-engine', 'valkey', '-valkey-addr', server.addr]);
    await expectExamples(path, node.url, [...NOT_SUPPORTED, ...OTHER_ANSWER]);
  });
});
