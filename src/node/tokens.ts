/** The file of `-auth-file`, read into the tokens that the API goes by. */

import { readFileSync } from 'node:fs';

import { parseTokens } from '../api/access.ts';
import type { Config } from './config.ts';

/**
 * The tokens, undefined where there is no file.
 *
 * @throws Error that names the flag and the file, and quotes nothing of it.
 */
export function readTokens({
  'auth-file': file,
}: Config): ReturnType<typeof parseTokens> | undefined {
  if (file === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`-auth-file ${file} cannot be read (${code})`, { cause: error });
  }
  try {
    return parseTokens(text);
  } catch (error) {
    throw new Error(`-auth-file ${file}: ${(error as Error).message}`, { cause: error });
  }
}
