// A node whose disk is full: what it refuses, what it still does, and how it gets over that.
import { expect, test } from 'vitest';

import { ask, pathOf, put } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { NodeProcess } from '../support/node-process.ts';
import { needsTmpfs, Tmpfs } from '../support/tmpfs.ts';

const TEXT = 'v'.repeat(100_000);

needsTmpfs()('a disk that fills up', () => {
  test.each(['always', 'interval'])(
    'with -fsync %s changes are refused until there is room, loads go on, and nothing is lost',
    async (fsync) => {
      using disk = new Tmpfs(40);
      const flags = ['-data-dir', disk.path, '-fsync', fsync];
      const acknowledged: number[] = [];
      {
        await using node = await NodeProcess.start(flags);
        const store = (n: number) => put(node.url, `key ${n}`, `"${n} ${TEXT}"`);
        let refused = await store(0);
        while (refused.status === 200 && acknowledged.length < 2000) {
          acknowledged.push(acknowledged.length);
          refused = await store(acknowledged.length);
        }
        expect(refused.status).toBe(507);
        expect(refused.body).toMatchObject({ code: 'DISK_FULL' });
        expect(acknowledged.length).toBeGreaterThan(50);
        await node.logged('nothing can be changed: the disk fails');
        expect((await store(5000)).status).toBe(507);
        expect((await ask(node.url, 'DELETE', pathOf('key 0'))).status).toBe(507);
        expect((await ask(node.url, 'GET', pathOf('key 0'))).status).toBe(200);
        disk.resize(400);
        await node.logged('the disk works again');
        for (const n of [6000, 6001, 6002]) {
          await eventually(async () => expect((await store(n)).status).toBe(200));
          acknowledged.push(n);
        }
        node.signal('SIGTERM');
        expect((await node.ended()).code).toBe(0);
      }
      await using node = await NodeProcess.start(flags);
      for (const n of acknowledged) {
        const answer = await ask(node.url, 'GET', pathOf(`key ${n}`));
        expect(answer.body.data).toBe(`${n} ${TEXT}`);
      }
      expect((await ask(node.url, 'GET', pathOf('key 5000'))).status).toBe(404);
    },
  );

  test('a node that is killed while its disk is full comes back with all that was acknowledged', async () => {
    using disk = new Tmpfs(40);
    const flags = ['-data-dir', disk.path, '-fsync', 'always'];
    let acknowledged = 0;
    {
      await using node = await NodeProcess.start(flags);
      while ((await put(node.url, `key ${acknowledged}`, `"${TEXT}"`)).status === 200) {
        acknowledged++;
      }
      await node.kill();
    }
    disk.resize(400);
    await using node = await NodeProcess.start(flags);
    for (let n = 0; n < acknowledged; n++) {
      expect((await ask(node.url, 'GET', pathOf(`key ${n}`))).status).toBe(200);
    }
  });
});
