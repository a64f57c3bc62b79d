// The contract again, with the records at servers of Valkey or Redis.
import { describeContract, type SetUp } from '../contract.ts';
import { needs } from '../support/needs.ts';
import { NodeProcess } from '../support/node-process.ts';
import { installedPrograms, ValkeyCluster, ValkeyServer } from '../support/valkey.ts';

async function setUp(servers: AsyncDisposable, flags: readonly string[]): Promise<SetUp> {
  try {
    const node = await NodeProcess.start(['-engine', 'valkey', ...flags]);
    return {
      url: node.url,
      async [Symbol.asyncDispose]() {
        await node[Symbol.asyncDispose]();
        await servers[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await servers[Symbol.asyncDispose]();
    throw error;
  }
}

needs('redis-server').each(installedPrograms())('the engine on %s', (program) => {
  describeContract('a single server', async () => {
    const server = await ValkeyServer.start([], { program });
    return setUp(server, ['-valkey-addr', server.addr, '-valkey-db', '3', '-valkey-prefix', 'é*:']);
  });

  describeContract('a cluster of six', async () => {
    const cluster = await ValkeyCluster.form([], { program });
    return setUp(cluster, cluster.seeds);
  });
});
