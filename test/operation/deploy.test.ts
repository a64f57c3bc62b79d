// The files by which memhashd is run: each names settings, paths and ports that there are.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';

import { makeToken } from '../../src/api/access.ts';
import { ROWS } from '../../src/api/rows.ts';
import { CLOSE_TIMEOUT_MS } from '../../src/base/limits.ts';
import { FLAGS } from '../../src/node/config.ts';
import { parseFlags } from '../../src/node/flags.ts';
import { Certificates, tlsFlags } from '../support/certificates.ts';
import { NodeProcess } from '../support/node-process.ts';
import { needs } from '../support/needs.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('the image', () => {
  const file = read('Dockerfile');
  const env = Object.fromEntries(
    [...file.matchAll(/^ENV (\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
  );

  test('flags behind its name leave its own settings as they are', () => {
    expect(file).not.toMatch(/^CMD/m);
    const config = parseFlags(FLAGS, ['-max-memory', '512mb'], env);
    expect(config).toMatchObject({ 'client-addr': { host: '', port: 8001 }, 'max-memory': 512e6 });
    const other = parseFlags(FLAGS, ['-client-addr', ':9000'], env);
    expect(other).toMatchObject({ 'client-addr': { host: '', port: 9000 } });
  });

  test('has what it runs, and runs without rights', () => {
    const [, entry] = /^ENTRYPOINT \["node", "(.+)"\]$/m.exec(file)!;
    const { bin } = JSON.parse(read('package.json')) as { bin: { memhashd: string } };
    expect(entry).toBe(bin.memhashd);
    expect(file).toMatch(/^USER node$/m);
    expect(file).toMatch(/^COPY LICENSE docker\/health\.mjs/m);
  });
});

const directory = mkdtempSync(join(tmpdir(), 'memhashd-deploy-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs the health check of a container; gives its exit code. */
function checkHealth(args: readonly string[], env: Record<string, string> = {}): number | null {
  return spawnSync(process.execPath, [join(root, 'docker/health.mjs'), ...args], { env }).status;
}

describe('the health check of a container', () => {
  test('succeeds while the node serves, with tokens too, and fails when it is gone', async () => {
    const tokens = join(directory, 'tokens');
    writeFileSync(tokens, makeToken({ name: 'a', rights: ['read'], prefixes: undefined }).entry);
    await using node = await NodeProcess.start(['-auth-file', tokens]);
    expect(checkHealth([String(node.port)])).toBe(0);
    await node.kill();
    expect(checkHealth([String(node.port)])).toBe(1);
  });

  test('goes by the port of the settings, and speaks TLS', async () => {
    using certificates = new Certificates();
    await using node = await NodeProcess.start(tlsFlags(certificates.selfSigned('own')));
    expect(checkHealth([], { MEMHASHD_CLIENT_ADDR: `:${node.port}` })).toBe(0);
  });
});

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

/** What the test looks at of a document for Kubernetes. */
interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly selector: Record<string, string> & { readonly matchLabels?: Record<string, string> };
    readonly clusterIP?: string;
    readonly publishNotReadyAddresses?: boolean;
    readonly ports?: readonly { readonly targetPort: string; readonly port: number }[];
    readonly replicas: number;
    readonly serviceName: string;
    readonly podManagementPolicy: string;
    readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[];
    readonly template: {
      readonly metadata: { readonly labels: Record<string, string> };
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly volumes: readonly { readonly name: string }[];
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
          readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
          readonly startupProbe: Probe;
          readonly livenessProbe: Probe;
          readonly readinessProbe: Probe;
        }[];
      };
    };
  };
}

describe('the manifest for Kubernetes', () => {
  const documents = parseAllDocuments(read('deploy/kubernetes/memhashd.yaml')).map(
    (document) => document.toJS() as Manifest,
  );
  const set = documents.find(({ kind }) => kind === 'StatefulSet')!.spec;
  const pod = set.template.spec;
  const [container] = pod.containers;
  const ports = new Map(container!.ports.map(({ name, containerPort }) => [name, containerPort]));

  test('every node lists every node by the name that the headless service gives it', () => {
    const peers = documents.find(({ metadata }) => metadata.name === set.serviceName)!.spec;
    expect(peers).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
    const names = Array.from(
      { length: set.replicas },
      (_, n) => `memhashd-${n}.${set.serviceName}`,
    );
    for (const name of names) {
      const args = container!.args.map((arg) =>
        arg.replace(`$(POD_NAME).${set.serviceName}`, name),
      );
      const config = parseFlags(FLAGS, args, { MEMHASHD_CLIENT_ADDR: ':8001' });
      expect(config).toMatchObject({
        'server-addr': { host: '', port: ports.get('peers') },
        'advertise-addr': { host: name, port: ports.get('peers') },
        'client-addr': { port: ports.get('clients') },
        join: names.map((host) => ({ host, port: ports.get('peers') })),
      });
    }
    expect(set.podManagementPolicy).toBe('Parallel');
  });

  test('what is mounted is there, and records lie on a claim of the pod', () => {
    const claims = set.volumeClaimTemplates.map(({ metadata }) => metadata.name);
    const mounts = container!.volumeMounts;
    const volumes = [...claims, ...pod.volumes.map(({ name }) => name)];
    expect(mounts.map(({ name }) => name).toSorted()).toEqual(volumes.toSorted());
    const { mountPath } = mounts.find(({ name }) => name === claims[0])!;
    const flag = container!.args.find((arg) => arg.startsWith('-data-dir='));
    expect(flag).toContain(`${mountPath}/`);
  });

  test('services and selectors lead to the pods', () => {
    expect(set.selector.matchLabels).toEqual(set.template.metadata.labels);
    const services = documents.filter(({ kind }) => kind === 'Service');
    expect(services).toHaveLength(2);
    for (const { spec } of services) {
      expect(spec.selector).toEqual(set.template.metadata.labels);
      for (const { port, targetPort } of spec.ports!) expect(ports.get(targetPort)).toBe(port);
    }
  });

  test('probes ask for paths that are open to all', () => {
    const open = new Set(
      ROWS.filter(({ methods }) => methods['GET']?.right === undefined).map(({ path }) => path),
    );
    const { startupProbe, livenessProbe, readinessProbe } = container!;
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
      expect(open).toContain(httpGet.path);
      expect(ports.has(httpGet.port)).toBe(true);
    }
  });

  test('a node has the time that it needs to finish', () => {
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(CLOSE_TIMEOUT_MS);
  });
});

test('settings that the files name are flags', () => {
  const variables = new Set(
    Object.keys(FLAGS).map((name) => `MEMHASHD_${name.toUpperCase().replaceAll('-', '_')}`),
  );
  const files = [
    'Dockerfile',
    'docker-compose.yml',
    'docker-compose.tls.yml',
    'deploy/kubernetes/memhashd.yaml',
    'deploy/systemd/memhashd.service',
    'docs/operations.md',
  ];
  for (const file of files) {
    for (const [name] of read(file).matchAll(/\bMEMHASHD_\w+/g)) expect(variables).toContain(name);
  }
});

needs('systemd-analyze')('the unit for systemd', () => {
  const unit = read('deploy/systemd/memhashd.service');

  /** Runs systemd-analyze on the unit, with a program that is there in place of memhashd. */
  function analyze(...command: string[]): { status: number | null; output: string } {
    const file = join(directory, 'memhashd.service');
    const here = unit.replace(/^ExecStart=.*/m, `ExecStart=${process.execPath}`);
    writeFileSync(file, here);
    const { status, stdout, stderr } = spawnSync('systemd-analyze', [...command, file], {
      encoding: 'utf8',
    });
    return { status, output: stdout + stderr };
  }

  test('is in order', () => {
    const { status, output } = analyze('verify', '--man=no');
    expect(output).toBe('');
    expect(status).toBe(0);
  });

  test('gives the service next to no rights', () => {
    // 0 is none, 100 all; the score of a unit without any protection is 96.
    const { status, output } = analyze(
      'security',
      '--offline=true',
      '--threshold=15',
      '--no-pager',
    );
    expect(output).toContain('Overall exposure level');
    expect(status).toBe(0);
  });
});
