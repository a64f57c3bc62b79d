/** Certificates for tests, made by the project's own script and by openssl. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SCRIPT = join(import.meta.dirname, '../../scripts/make-certificate.sh');

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A directory of certificates, removed at the end. */
export class Certificates implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'memhashd-tls-'));

  /** A self-signed certificate, as `scripts/make-certificate.sh` makes it. */
  selfSigned(name: string): Certificate {
    const dir = join(this.dir, name);
    execFileSync(SCRIPT, [dir]);
    return { cert: join(dir, 'cert.pem'), key: join(dir, 'key.pem') };
  }

  /** A certificate for `host` that `authority` has signed. */
  signedBy(
    authority: Certificate,
    name: string,
    host = name,
    constraints: readonly string[] = [],
  ): Certificate {
    const [cert, key, request, extensions] = ['crt', 'key', 'csr', 'ext'].map((end) =>
      join(this.dir, `${name}.${end}`),
    );
    writeFileSync(extensions!, constraints.map((text) => `basicConstraints=${text}\n`).join(''));
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    openssl('req', ...curve, '-subj', `/CN=${host}`, '-keyout', key!, '-out', request!);
    const signer = ['-CA', authority.cert, '-CAkey', authority.key, '-CAcreateserial'];
    const what = ['-in', request!, '-extfile', extensions!];
    openssl('x509', '-req', ...what, ...signer, '-days', '2', '-out', cert!);
    return { cert: cert!, key: key! };
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

/** The flags that make a node use a certificate. */
export function tlsFlags({ cert, key }: Certificate, ca?: string): string[] {
  const flags = ['-tls-cert', cert, '-tls-key', key];
  return ca === undefined ? flags : [...flags, '-tls-ca', ca];
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}
