/** A hundred joins and leaves under load, and whether what clients saw meanwhile can be. */

import { seededRandom } from '../test/support/random.ts';
import { checkHistory, runVersions } from '../test/support/versions.ts';
import { ClusterNodes } from './cluster-nodes.ts';
import type { Effort } from './section.ts';
import { OURS, quantiles, type Series } from './series.ts';

const CLIENTS = 4;
const KEYS = Array.from({ length: 60 }, (_, n) => `key ${n}`);

/** Throws at the first answer that is no success, and at a history that cannot be. */
export async function checkChanges({ pick, progress }: Effort): Promise<Series[]> {
  const changes = pick(100, 10);
  const random = seededRandom('changes of members');
  await using cluster = await ClusterNodes.form(2);
  cluster.expect(4);
  const members = [0, 1];
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, () =>
    runVersions({
      urls: () => members.map((at) => cluster.url(at)),
      keys: KEYS,
      random,
      isOver: () => isOver,
      allows: (code) => code === 'KEY_NOT_FOUND',
      onAnswer: () => {},
    }),
  );
  const tookMs: number[] = [];
  const change = async (): Promise<void> => {
    for (let count = 1; count <= changes; count++) {
      const startMs = performance.now();
      await changeOnce(cluster, members, random);
      tookMs.push(performance.now() - startMs);
      if (count % 10 === 0) progress(`changes: ${count} of ${changes}`);
    }
  };
  try {
    await Promise.race([change(), Promise.all(clients)]);
  } finally {
    isOver = true;
  }
  const history = (await Promise.all(clients)).flat();
  checkHistory(history);
  return [
    {
      id: 'changes-time',
      title: 'A node joins or leaves, from its start or to its end, half of the times in',
      unit: 's',
      rows: [{ system: OURS, value: quantiles(tookMs).p50 / 1000 }],
      bounds: [],
      note: `${changes} changes between two and four nodes; ${history.length} operations of ${CLIENTS} clients on ${KEYS.length} keys, none failed, lost or stale`,
    },
  ];
}

/** Lets a node join or a member leave, so that there are two to four, and waits until all has moved. */
async function changeOnce(
  cluster: ClusterNodes,
  members: number[],
  random: () => number,
): Promise<void> {
  const absent = [...cluster.members.keys()].filter((at) => !members.includes(at));
  if (members.length === 2 || (absent.length > 0 && random() < 0.5)) {
    const at = absent[Math.floor(random() * absent.length)]!;
    cluster.start(at);
    await cluster.settled([...members, at]);
    members.push(at);
  } else {
    const [at] = members.splice(Math.floor(random() * members.length), 1);
    await cluster.leave(at!, members[0]!);
    await cluster.settled(members);
  }
}
