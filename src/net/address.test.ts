import { expect, test } from 'vitest';

import { formatAddress, isLoopback, parseAddress } from './address.ts';

test.each([
  ['127.0.0.1:8001', { host: '127.0.0.1', port: 8001 }],
  ['node-1.example.com:0', { host: 'node-1.example.com', port: 0 }],
  [':8001', { host: '', port: 8001 }],
  ['[::1]:65535', { host: '::1', port: 65_535 }],
  ['[fe80::1%eth0]:1', { host: 'fe80::1%eth0', port: 1 }],
])('%s is an address, and is printed as it was', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
  expect(formatAddress(address)).toBe(text);
});

test.each([
  '',
  '8001',
  'localhost',
  'localhost:',
  'localhost:http',
  'localhost:65536',
  'localhost:-1',
  '::1:8001',
  '[::1]',
  'a b:1',
  'http://localhost:1',
  'localhost:1\n',
])('%j is no address', (text) => {
  expect(parseAddress(text)).toBeUndefined();
});

test.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.200.3.4', true],
  ['::1', true],
  ['', false],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['127.example.com', false],
  ['localhost.example.com', false],
])('%j is reached from this machine only: %j', (host, expected) => {
  expect(isLoopback({ host, port: 1 })).toBe(expected);
});
