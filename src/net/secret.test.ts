import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { loadSecret, makeSecret } from './secret.ts';

const dir = mkdtempSync(join(tmpdir(), 'memhashd-secret-'));
afterAll(() => rmSync(dir, { recursive: true }));

function fileOf(content: string | Buffer): string {
  const file = join(dir, 'secret');
  writeFileSync(file, content);
  return file;
}

test('a secret is made by chance, and long enough to be used', () => {
  const [one, other] = [makeSecret(), makeSecret()];
  expect(one).not.toBe(other);
  expect(loadSecret(fileOf(one))).toHaveLength(32);
  expect(loadSecret(fileOf(one)).equals(loadSecret(fileOf(other)))).toBe(false);
});

test('the same secret gives the same key, whatever line end an editor has left', () => {
  const secret = makeSecret();
  const key = loadSecret(fileOf(secret));
  for (const end of ['\n', '\r\n', '\n\n']) {
    expect(loadSecret(fileOf(secret + end)).equals(key)).toBe(true);
  }
});

test('what is too short or too long to be a secret is refused, naming flag and file', () => {
  for (const content of ['', '\n'.repeat(99), 'x'.repeat(31), 'x'.repeat(70_000)]) {
    expect(() => loadSecret(fileOf(content))).toThrow(
      /^-cluster-secret-file .*secret has \d+ bytes, and a secret has 32 to 65536 bytes/,
    );
  }
  expect(() => loadSecret(join(dir, 'missing'))).toThrow(/missing cannot be read: ENOENT/);
});
