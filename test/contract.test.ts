import fc from 'fast-check';
import { expect, test } from 'vitest';

import { ask, dataOf, get, put } from './support/client.ts';
import { describeContract } from './contract.ts';
import { describeEdits } from './edits.ts';
import { NodeProcess } from './support/node-process.ts';

describeContract('a single node', () => NodeProcess.start());
describeEdits('a single node', () => NodeProcess.start());

test('defect 6: requests leave no line on stdout or stderr', async () => {
  await using node = await NodeProcess.start();
  const started = node.stderr;
  await put(node.url, 'a', '1');
  await get(node.url, 'a');
  await get(node.url, 'missing');
  await ask(node.url, 'BREW', '/v1/keys').catch(() => {});
  await ask(node.url, 'GET', '/nowhere');
  await ask(node.url, 'DELETE', '/v1/keys/a');
  node.signal('SIGTERM');
  const ended = await node.ended();
  expect(ended).toMatchObject({ code: 0, stdout: '' });
  const log = ended.stderr.slice(started.length).trim().split('\n');
  const messages = log.map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toEqual(['stopping', 'stopped']);
});

test('property: any JSON text under any key comes back byte for byte', async () => {
  await using node = await NodeProcess.start();
  const character = fc
    .integer({ min: 0, max: 0x10_ffff })
    .filter((code) => code < 0xd800 || code > 0xdfff)
    .map((code) => String.fromCodePoint(code));
  const key = fc
    .string({ unit: character, minLength: 1, maxLength: 1000 })
    .filter((written) => Buffer.byteLength(written) <= 4096);
  const value = fc
    .tuple(fc.jsonValue({ stringUnit: character }), fc.nat(2))
    .map(([json, indent]) => JSON.stringify(json, null, indent));
  await fc.assert(
    fc.asyncProperty(key, value, async (written, json) => {
      expect(dataOf(await put(node.url, written, json))).toBe(json);
      expect(dataOf(await get(node.url, written))).toBe(json);
      const keys = (await ask(node.url, 'GET', '/v1/keys')).json;
      expect(keys).toContain(written);
    }),
    { numRuns: 200 },
  );
});
