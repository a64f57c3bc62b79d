// SECURITY.md: each promise names a test, and there is such a test.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'SECURITY.md'), 'utf8');

/** The rows of its tables, but for heads and rules. */
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (threat|promise) \|/.test(line))
  .map((line) => line.slice(2, -2).split(' | '));

/** What runs of a file, which a title that stands in a comment alone does not. */
function withoutComments(source: string): string {
  return source.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '');
}

test.each(rows)('%s', (_, ...cells) => {
  const named = [...cells.at(-1)!.matchAll(/`([\w/.-]+)`((?:,? "[^"]+")+)/g)];
  expect(named.length).toBeGreaterThan(0);
  for (const [, file, titles] of named) {
    const source = withoutComments(readFileSync(join(root, file!), 'utf8'));
    for (const [, title] of titles!.matchAll(/"([^"]+)"/g)) expect(source).toContain(title);
  }
});

test('every bound that it names is that of limits.ts', () => {
  const limits = readFileSync(join(root, 'src/base/limits.ts'), 'utf8');
  const bounds = {
    HEADER_BYTES_MAX: '32 * KIB',
    HEADER_FIELDS_MAX: '4096',
    VALUE_BYTES_MAX: '16 * MIB',
    BODIES_IN_FLIGHT_BYTES_MAX: '192 * MIB',
    NESTING_MAX: '512',
    BATCH_OPERATIONS_MAX: '10_000',
    BATCH_ANSWER_BYTES_MAX: '64 * MIB',
    PROBLEM_DETAIL_CHARS_MAX: '16 * KIB',
    LOG_UNREAD_BYTES_MAX: 'MIB',
    STRANGERS_BYTES_MAX: '4 * MIB',
    PEER_UNREAD_BYTES_MAX: '4 * MIB',
    PEER_CONNECTIONS_MAX: '4 * MEMBERS_MAX',
    HEADERS_TIMEOUT_MS: '10_000',
    REQUEST_TIMEOUT_MS: '60_000',
  };
  for (const [name, value] of Object.entries(bounds)) {
    expect(limits).toContain(`export const ${name} = ${value};`);
  }
});
