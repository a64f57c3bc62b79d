// A host name of `-join` that leads to several hosts, as that of a headless service does.
import { expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { createNamespaces, type Network } from '../support/network.ts';
import { NodeProcess } from '../support/node-process.ts';

const names = ['one', 'two', 'three'];
const network = createNamespaces(names, 'nodes');
if (network === undefined) console.warn('tests are skipped: no network namespaces here');

function start(where: Network, name: string, flags: string): NodeProcess {
  const all = `-server-addr ${name}:2373 -client-addr :8001 -insecure-peers ${flags}`;
  return new NodeProcess(all.split(' '), { command: where.command(name) });
}

async function members(where: Network, name: string): Promise<string[]> {
  const nodes = JSON.parse(await where.curl(name, 8001, '/v1/nodes')) as Record<string, string>[];
  return nodes.map(({ addr, state }) => `${addr} ${state}`);
}

test.skipIf(network === undefined)(
  'a name that leads to all nodes makes one cluster of them, whoever starts first',
  async () => {
    using where = network!;
    const running: NodeProcess[] = [];
    try {
      for (const name of names) {
        running.push(start(where, name, '-join nodes:2373 -join-retries 100'));
        // One that is alone waits for the others of that name.
        if (name !== 'three') await running.at(-1)!.logged('the cluster is forming');
      }
      for (const node of running) await node.logged('serving');
      const addresses = names.map((name) => `${name}:2373`).toSorted();
      for (const name of names) {
        await eventually(async () => {
          const states = addresses.map((at) => `${at} ${at === `${name}:2373` ? 'self' : 'up'}`);
          expect(await members(where, name)).toEqual(states);
        });
      }
      // A node that comes back finds them by the name, too.
      await running[1]!.kill();
      running[1] = start(where, 'two', '-join nodes:2373');
      await running[1].logged('serving');
      expect(await members(where, 'two')).toHaveLength(3);
    } finally {
      for (const node of running) await node.kill();
    }
  },
  60_000,
);
