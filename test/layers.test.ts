// The layer rules of .oxlintrc.json, seen to refuse every import that does not point down.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');

const pure = ['errors.ts', 'json/b.ts', 'node:buffer'];
const store = ['store/request.ts', 'store/b.ts'];
const packages = ['node:fs', 'node:net', 'node:worker_threads', 'pino'];

/** Each layer by one of its files, lowest first, and what that file may import. */
const mayImport = {
  'key.ts': pure,
  'json/a.ts': pure,
  'store/a.ts': [...pure, ...store, 'node:worker_threads'],
  'disk/a.ts': [...pure, ...packages, ...store, 'disk/b.ts'],
  'cluster/a.ts': [...pure, ...packages, ...store, 'disk/b.ts', 'cluster/b.ts'],
  'http/a.ts': [...pure, ...packages, 'store/request.ts', 'cluster/b.ts', 'http/b.ts'],
  'config.ts': [...pure, ...packages, ...store, 'disk/b.ts', 'cluster/b.ts', 'log.ts', 'node.ts'],
};
const everything = [...mayImport['config.ts'], 'http/b.ts'];

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
  const up = file.includes('/') ? '../' : './';
  const from = target.endsWith('.ts') ? up + target : target;
  return `export * from '${from.replace(`../${dirname(file)}/`, './')}';`;
}

test('an import that does not point down is refused, and no other', () => {
  const files: Record<string, string[]> = {};
  const refused: string[] = [];
  for (const [file, allowed] of Object.entries(mayImport)) {
    files[file] = everything.map((target) => importLine(file, target));
    for (const target of everything) {
      if (!allowed.includes(target)) refused.push(`${file}: ${importLine(file, target)}`);
    }
  }
  files['node.ts'] = everything.filter((t) => t !== 'node.ts').map((t) => importLine('node.ts', t));
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
