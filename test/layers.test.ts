// The layer rules of .oxlintrc.json, seen to refuse every import that does not point down.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

const packages = ['node:buffer', 'node:fs', 'node:net', 'node:worker_threads', 'pino', 'ioredis'];
const shared = ['base/b.ts', 'base/json/b.ts', 'record/b.ts'];
const bufferOnly = ['node:buffer'];
const anyOfNode = packages.filter((name) => name.startsWith('node:'));

/** Each room by one of its files, lowest first, and what that file may import besides its own room. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'base/a.ts': [...bufferOnly, 'node:worker_threads', 'base/json/b.ts'],
  'base/json/a.ts': [...bufferOnly, 'node:worker_threads', 'base/json/b.ts'],
  'net/a.ts': [...anyOfNode, 'base/b.ts', 'base/json/b.ts'],
  'record/a.ts': [...bufferOnly, 'base/b.ts', 'base/json/b.ts'],
  'store/a.ts': [...bufferOnly, 'node:worker_threads', ...shared, 'store/keys/b.ts'],
  'store/memory/a.ts': [...bufferOnly, 'node:worker_threads', ...shared, 'store/keys/b.ts'],
  'disk/a.ts': [...anyOfNode, ...shared],
  'peer/a.ts': [...anyOfNode, ...shared, 'net/b.ts'],
  'valkey/a.ts': [...anyOfNode, 'ioredis', ...shared, 'net/b.ts'],
  'cluster/a.ts': [
    'pino',
    ...shared,
    'net/b.ts',
    'store/b.ts',
    'store/keys/b.ts',
    'disk/b.ts',
    'peer/b.ts',
  ],
  'http/a.ts': [...anyOfNode, 'base/b.ts', 'base/json/b.ts', 'net/b.ts'],
  'api/a.ts': [...bufferOnly, ...shared, 'http/exchange.ts'],
};

const rooms =
  'base base/json net record store store/keys disk peer valkey cluster http api node bin'.split(
    ' ',
  );

/** What any file might import: one of each room, and of each kind of package. */
const everything = [...packages, ...rooms].map((target) =>
  packages.includes(target) ? target : `${target}/b.ts`,
);
everything.push('http/exchange.ts');

interface Report {
  diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[];
}

/** Lints `files` (path under `src` → lines) by the project's rules: what `code` finds, as `path: line`. */
function lint(files: Record<string, string[]>, code: string): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'memhashd-layers-'));
  try {
    for (const name of ['.oxlintrc.json', 'tsconfig.json'])
      cpSync(join(root, name), join(dir, name));
    symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'), 'junction');
    for (const [path, lines] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, 'src', path)), { recursive: true });
      writeFileSync(join(dir, 'src', path), lines.join('\n'));
    }
    const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');
    const { stdout } = spawnSync(process.execPath, [oxlint, '-f', 'json', 'src'], {
      cwd: dir,
      encoding: 'utf8',
    });
    const report = JSON.parse(stdout) as Report;
    return report.diagnostics
      .filter((found) => found.code === code)
      .map(({ filename, labels: [label] }) => {
        const path = filename.replaceAll('\\', '/').replace('src/', '');
        return `${path}: ${files[path]?.[(label?.span.line ?? 0) - 1]}`;
      })
      .toSorted();
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** The line by which `file` imports `target`, a path under `src` or a package. */
function importLine(file: string, target: string): string {
  if (!target.endsWith('.ts')) return `export * from '${target}';`;
  const path = posix.relative(posix.dirname(file), target);
  return `export * from '${path.startsWith('.') ? path : `./${path}`}';`;
}

/** Whether `target` lies in the room of `file`. */
function isOwn(file: string, target: string): boolean {
  return target.endsWith('.ts') && file.split('/')[0] === target.split('/')[0];
}

test('an import that does not point down is refused, and no other', () => {
  const files: Record<string, string[]> = {};
  const refused: string[] = [];
  for (const [file, allowed] of Object.entries(mayImport)) {
    files[file] = everything.map((target) => importLine(file, target));
    for (const target of everything) {
      if (isOwn(file, target) || allowed.includes(target)) continue;
      refused.push(`${file}: ${importLine(file, target)}`);
    }
  }
  files['node/a.ts'] = everything.map((target) => importLine('node/a.ts', target));
  refused.push(`node/a.ts: ${importLine('node/a.ts', 'bin/b.ts')}`);
  files['store/a.test.ts'] = [importLine('store/a.ts', 'http/b.ts')];
  expect(lint(files, 'eslint(no-restricted-imports)')).toEqual(refused.toSorted());
});

test('a cycle of imports is refused, types included', () => {
  const files = {
    'store/a.ts': [`import type { B } from './b.ts';`, 'export type A = B[];'],
    'store/b.ts': [`import type { A } from './a.ts';`, 'export type B = A | null;'],
  };
  expect(lint(files, 'import(no-cycle)')).toEqual([
    `store/a.ts: import type { B } from './b.ts';`,
    `store/b.ts: import type { A } from './a.ts';`,
  ]);
});

test('a promise that nobody waits for is refused', () => {
  const files = { 'store/a.ts': ['const f = async () => 1;', 'f();'] };
  expect(lint(files, 'typescript(no-floating-promises)')).toEqual(['store/a.ts: f();']);
});
