/** The barest server on `node:http` that gives the same answers: a `Map`, and nothing is checked. */

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { report } from '../processes.ts';

interface BareRecord {
  index: number;
  readonly createdAt: string;
  updatedAt: string;
  accessedAt: string;
  data: string;
}

const NODE = '{"id":"5c3cb886-8609-4851-ac50-f8c04d2fee65","addr":"127.0.0.1:2373"}';
const records = new Map<string, BareRecord>();

const server = createServer((req, res) => {
  const key = req.url!.slice('/v1/keys/'.length);
  if (req.method === 'GET') {
    const record = records.get(key)!;
    record.accessedAt = now();
    answer(res, 'load', record);
    return;
  }
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    const { data } = JSON.parse(Buffer.concat(chunks).toString()) as { data: unknown };
    const updatedAt = now();
    const before = records.get(key);
    const record = {
      index: (before?.index ?? 0) + 1,
      createdAt: before?.createdAt ?? updatedAt,
      updatedAt,
      accessedAt: before?.accessedAt ?? '0001-01-01T00:00:00Z',
      data: JSON.stringify(data),
    };
    records.set(key, record);
    answer(res, 'store', record);
  });
});
server.listen(0, '127.0.0.1', () => report({ port: (server.address() as AddressInfo).port }));

function answer(res: ServerResponse, action: string, record: BareRecord): void {
  const body =
    `{"action":"${action}","meta":{"index":${record.index},"expire_time":"0s",` +
    `"accessed_at":"${record.accessedAt}","created_at":"${record.createdAt}",` +
    `"updated_at":"${record.updatedAt}"},"data":${record.data},"node":${NODE}}\n`;
  res.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  });
  res.end(body);
}

function now(): string {
  return new Date().toISOString();
}
