import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const read = (path: string) => readFileSync(join(import.meta.dirname, '..', path), 'utf8');

test('docs/api.md lists every failure, with its status, and no other', () => {
  const codes = [...read('src/base/errors.ts').matchAll(/^ {2}([A-Z_]+): \{ status: (\d+)/gm)];
  const rows = [...read('docs/api.md').matchAll(/^\| (\d+) \| `([A-Z_]+)` \|/gm)];
  expect(codes.length).toBeGreaterThan(20);
  expect(rows.map(([, status, code]) => `${code} ${status}`)).toEqual(
    codes.map(([, code, status]) => `${code} ${status}`),
  );
});
