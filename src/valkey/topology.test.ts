import { expect, test } from 'vitest';

import { isMember, parseInfo, parseNodes, Topology, unfitness } from './topology.ts';

const [A, B, C] = ['a'.repeat(40), 'b'.repeat(40), 'c'.repeat(40)];
const NODES = [
  `${A} 10.0.0.1:7001@17001,one.example myself,master - 0 0 3 connected 0-5 7 [7->-${B}] [9-<-${B}]`,
  `${B} 10.0.0.2:7002@17002 master,fail? - 1 2 5 disconnected 8-16383`,
  `${C} 10.0.0.3:7003@17003 slave ${A} 0 1 3 connected`,
  `${'d'.repeat(40)} :0@0 master,noaddr - 1 2 1 disconnected`,
  `${'e'.repeat(40)} 10.0.0.5:7005@17005 handshake - 0 0 0 connected`,
  '',
].join('\n');

test('the lines of CLUSTER NODES tell who owns, follows and moves what', () => {
  const [first, second, third, ...others] = parseNodes(NODES, { host: 'h', usesNames: false });
  expect(others).toEqual([]);
  expect(first).toEqual({
    id: A,
    addr: '10.0.0.1:7001',
    role: 'primary',
    of: null,
    state: 'up',
    slots: [
      { first: 0, last: 5 },
      { first: 7, last: 7 },
    ],
    leaving: new Map([[7, B]]),
    epoch: 3,
  });
  expect(second).toMatchObject({ state: 'suspected', slots: [{ first: 8, last: 16_383 }] });
  expect(third).toMatchObject({ role: 'replica', of: A, slots: [] });
});

test('host names are used where certificates need them; a server without an address is where it was asked', () => {
  const [named, plain] = parseNodes(NODES, { host: 'h', usesNames: true });
  expect([named!.addr, plain!.addr]).toEqual(['one.example:7001', '10.0.0.2:7002']);
  const [own] = parseNodes(`${A} :7001@17001 myself,master - 0 0 1 connected`, {
    host: 'h',
    usesNames: false,
  });
  expect(own!.addr).toBe('h:7001');
});

test('a topology knows owners and gaps, and learns of one slot that has moved', () => {
  const topology = new Topology(parseNodes(NODES, { host: 'h', usesNames: false }));
  expect(topology).toMatchObject({ covered: 7 + 16_376, epoch: 5 });
  expect(topology.ownerOf(7)?.id).toBe(A);
  expect(topology.ownerOf(6)).toBeUndefined();
  const moved = topology.moved(7, '10.0.0.2:7002');
  expect(moved.ownerOf(7)?.id).toBe(B);
  expect(moved.ownerOf(5)?.id).toBe(A);
  expect(topology.ownerOf(7)?.id).toBe(A);
});

test('a single server owns all slots; one that follows another owns none', () => {
  const info =
    'redis_mode:standalone\r\nrun_id:abc\r\nrole:master\r\nslave0:ip=10.0.0.9,port=1,state=online,offset=1,lag=0\r\n';
  expect(parseInfo(info, 'h:1')).toMatchObject([
    { id: 'abc', addr: 'h:1', role: 'primary', slots: [{ first: 0, last: 16_383 }] },
    { addr: '10.0.0.9:1', role: 'replica', of: 'abc', state: 'up', slots: [] },
  ]);
  expect(parseInfo('role:slave\r\n', 'h:1')).toEqual([]);
});

test('a member of a cluster says so, of Redis and of Valkey', () => {
  expect(isMember('redis_mode:cluster\r\n# Cluster\r\ncluster_enabled:1\r\n')).toBe(true);
  expect(isMember('server_mode:cluster\r\n# Cluster\r\ncluster_enabled:1\r\n')).toBe(true);
  expect(isMember('redis_mode:standalone\r\n# Cluster\r\ncluster_enabled:0\r\n')).toBe(false);
});

test.each([
  ['6.2.0', undefined],
  ['7.0.15', undefined],
  ['10.0.1', undefined],
  ['6.0.20', 'its version is 6.0.20, and 6.2 or newer is needed'],
  ['5.0.7', 'its version is 5.0.7, and 6.2 or newer is needed'],
])('a server of version %s can be used unless it is older than 6.2', (version, reason) => {
  expect(unfitness(`# Server\r\nredis_version:${version}\r\nrun_id:a\r\n`)).toBe(reason);
});

test('a server that does not say its version is not used', () => {
  expect(unfitness('# Server\r\nrun_id:a\r\n')).toBe('it does not say its version');
});
