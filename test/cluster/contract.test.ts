// The contract again, with keys of which most have another owner than the node that is asked.
import { describeContract, type SetUp } from '../contract.ts';
import { describeEdits } from '../edits.ts';
import { Certificates, tlsFlags } from '../support/certificates.ts';
import { TestCluster } from '../support/test-cluster.ts';

const listTarget = '/v1/keys?scope=cluster';

async function formCluster(): Promise<SetUp> {
  const cluster = await TestCluster.form(3);
  return {
    url: cluster.url(2),
    listTarget,
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

describeContract('one of three nodes', formCluster);
describeEdits('one of three nodes', formCluster);

describeContract('one of three nodes with TLS', async (): Promise<SetUp> => {
  const certificates = new Certificates();
  const cluster = await TestCluster.of(tlsFlags(certificates.selfSigned('shared')));
  for (const n of [1, 2, 3]) cluster.start(n, cluster.peers(3));
  for (const n of [1, 2, 3]) await cluster.node(n).logged('serving');
  return {
    url: `https://${cluster.client(3)}`,
    listTarget,
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      certificates[Symbol.dispose]();
    },
  };
});
