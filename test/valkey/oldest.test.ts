// The oldest version that the engine works with: what is asked of a server stands in 6.2 already.
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';

import * as list from '../../src/valkey/scripts/list.ts';
import * as load from '../../src/valkey/scripts/load.ts';
import * as store from '../../src/valkey/scripts/store.ts';
import { ask, pathOf, put } from '../support/client.ts';
import { needs } from '../support/needs.ts';
import { NodeProcess } from '../support/node-process.ts';
import { ValkeyCluster, ValkeyServer } from '../support/valkey.ts';

/** A command as its name and words that may be options. */
type Words = readonly string[];

/** What a server says of a command, a part of `COMMAND DOCS`. */
interface Documentation {
  readonly since?: string;
  readonly token?: string;
  readonly arguments?: readonly Documentation[];
  readonly subcommands?: Readonly<Record<string, Documentation>>;
}

/** Maps and lists from an answer of RESP2, in which a map is a list of names and values. */
function documentationOf(answer: unknown[]): Documentation {
  const fields = pairs(answer).map(([name, value]) => {
    if (name === 'arguments') return [name, (value as unknown[][]).map(documentationOf)];
    if (name === 'subcommands') return [name, commandsOf(value as unknown[])];
    return [name, value];
  });
  return Object.fromEntries(fields) as Documentation;
}

function commandsOf(answer: unknown[]): Record<string, Documentation> {
  const all = pairs(answer).map(([name, value]) => [name, documentationOf(value as unknown[])]);
  return Object.fromEntries(all) as Record<string, Documentation>;
}

function pairs(answer: readonly unknown[]): [string, unknown][] {
  return Array.from({ length: answer.length / 2 }, (_, n) => [
    String(answer[2 * n]),
    answer[2 * n + 1],
  ]);
}

function isNew({ since = '0.0' }: Documentation): boolean {
  const [major, minor] = since.split('.').map(Number) as [number, number];
  return major > 6 || (major === 6 && minor > 2);
}

/** Which of the words of a command came after 6.2. */
function newWords(commands: Record<string, Documentation>, [name, ...words]: Words): string[] {
  const command = name!.toLowerCase();
  const known = commands[command];
  if (known === undefined) return [`${command} is unknown`];
  const part = known.subcommands?.[`${command}|${words[0]?.toLowerCase()}`];
  const used = part === undefined ? [known] : [known, part];
  const options = used.flatMap((documentation) => optionsOf(documentation));
  const news = [...used, ...options.filter(({ token }) => words.includes(token!))].filter(isNew);
  return news.map(({ token, since }) => `${[name, ...words].join(' ')}: ${token ?? ''} ${since}`);
}

/** All options within; one that is of a group is as old as the group at most. */
function optionsOf({ since, arguments: all = [] }: Documentation, isRoot = true): Documentation[] {
  const group = isRoot ? undefined : since;
  return all.flatMap((option) => {
    const own = group === undefined ? option : { since: group, ...option };
    return [...(own.token === undefined ? [] : [own]), ...optionsOf(own, false)];
  });
}

/** The commands that stand in the scripts, whether or not they come to be run. */
function inScripts(): Words[] {
  const scripts = [list, load, store].flatMap((all) => Object.values(all));
  return scripts.flatMap(({ lua }) =>
    [...lua.matchAll(/redis\.p?call\(([^)]*)/g)].map(([, call]) =>
      [...call!.matchAll(/'(\w+)'/g)].map(([, word]) => word!),
    ),
  );
}

needs('redis-server')('of a server of 6.2', () => {
  let commands: Record<string, Documentation>;
  let cluster: ValkeyCluster;
  beforeAll(async () => {
    cluster = await ValkeyCluster.form();
    const answer = await cluster.servers[0]!.client.call('COMMAND', 'DOCS');
    commands = commandsOf(answer as unknown[]);
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  test.each<[string, Words]>([
    ['CLUSTER SHARDS ', ['CLUSTER', 'SHARDS']],
    ['PEXPIREAT k 1 NX', ['PEXPIREAT', 'k', '1', 'NX']],
    ['NO-SUCH', ['NO-SUCH']],
  ])('what is newer is noticed: %s', (_, words) => {
    expect(newWords(commands, words)).toHaveLength(1);
  });

  test('the scripts use commands and options that it has', () => {
    const calls = inScripts();
    expect(calls).toContainEqual(['SET', 'PXAT']);
    expect(calls).toContainEqual(['CLUSTER', 'GETKEYSINSLOT']);
    expect(calls.flatMap((words) => newWords(commands, words))).toEqual([]);
  });

  test('a node asks what it has', async () => {
    await using single = await ValkeyServer.start();
    const asked: Words[] = [];
    const monitors: Redis[] = [];
    for (const server of [...cluster.servers, single]) {
      const monitor = await server.client.monitor();
      monitors.push(monitor);
      monitor.on('monitor', (_time: string, words: string[], source: string) => {
        if (source !== 'lua') asked.push(words);
      });
    }
    for (const seeds of [cluster.seeds, ['-valkey-addr', single.addr]]) {
      await using node = await NodeProcess.start(['-engine', 'valkey', ...seeds]);
      for (const target of ['/v1/keys', '/v1/nodes']) await ask(node.url, 'GET', target);
      const stored = await put(node.url, 'a', '1', { expireTime: '1h' });
      expect(stored.status).toBe(200);
      await ask(node.url, 'DELETE', `${pathOf('a')}?replicas=1`);
    }
    for (const monitor of monitors) monitor.disconnect();
    const names = new Set(asked.map(([name]) => name!.toLowerCase()));
    for (const name of ['info', 'cluster', 'evalsha', 'script', 'wait', 'scan']) {
      expect(names).toContain(name);
    }
    expect(asked.flatMap((words) => newWords(commands, words))).toEqual([]);
  });
});
