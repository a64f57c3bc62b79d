/** File systems of a size of one's own, in memory; only root may make them. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';

/** A file system that is gone when its scope ends. */
export class Tmpfs implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'memhashd-tmpfs-'));

  constructor(mib: number) {
    mount('-t', 'tmpfs', '-o', `size=${mib}m`, 'memhashd-test', this.path);
  }

  /** Gives it another size. */
  resize(mib: number): void {
    mount('-o', `remount,size=${mib}m`, this.path);
  }

  [Symbol.dispose](): void {
    spawnSync('/bin/umount', ['-l', this.path]);
    rmSync(this.path, { recursive: true });
  }
}

function mount(...args: string[]): void {
  const { status, stderr } = spawnSync('/bin/mount', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`mount ${args.join(' ')}: ${stderr ?? 'not found'}`);
}

/** A `describe` for what needs a file system of its own; skipped, with the reason, where none can be made. */
export function needsTmpfs(): typeof describe {
  try {
    new Tmpfs(1)[Symbol.dispose]();
    return describe;
  } catch (error) {
    console.warn(`tests are skipped: ${(error as Error).message}`);
    const { skipIf } = describe;
    return skipIf(true) as typeof describe;
  }
}
