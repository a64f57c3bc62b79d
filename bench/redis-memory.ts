/** What a record costs in Redis, beyond key and value, by its own account. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { startRedis } from './contestants.ts';
import { respCommand, respReplyEnd } from './protocol.ts';
import { KEY_BYTES, KeySource, VALUE_BYTES } from './records.ts';

/** Commands that are sent together. */
const BATCH = 1000;

/** How a record can be kept in Redis. */
export const REDIS_FORMS = ['string', 'hash with meta'] as const;

/** The command that stores a record; a hash has three members beside the value. */
function command(form: (typeof REDIS_FORMS)[number], key: string, value: string): string {
  if (form === 'string') return respCommand('SET', key, value);
  const [created, updated] = ['1795395420123456', '1795395420123456'];
  return respCommand('HSET', key, 'v', value, 'i', '1', 'c', created, 'u', updated);
}

/** Bytes of `used_memory` per record, of `records` records, beyond key and value. */
export async function redisBytesPerRecord(
  form: (typeof REDIS_FORMS)[number],
  records: number,
): Promise<number> {
  await using redis = await startRedis();
  const socket = connect(redis.port, '127.0.0.1');
  try {
    const usedBefore = await usedMemory(socket);
    const keys = new KeySource();
    const value = `"${'v'.repeat(VALUE_BYTES - 2)}"`;
    for (let from = 0; from < records; from += BATCH) {
      const count = Math.min(BATCH, records - from);
      const commands = Array.from({ length: count }, (_, n) =>
        command(form, keys.key(from + n), value),
      );
      socket.write(commands.join(''));
      await replies(socket, count);
    }
    return ((await usedMemory(socket)) - usedBefore) / records - KEY_BYTES - VALUE_BYTES;
  } finally {
    socket.destroy();
  }
}

async function usedMemory(socket: Socket): Promise<number> {
  socket.write(respCommand('INFO', 'memory'));
  const text = (await replies(socket, 1)).toString();
  return Number(/^used_memory:(\d+)/m.exec(text)?.[1]);
}

/** Waits for so many replies and returns the last. */
async function replies(socket: Socket, count: number): Promise<Buffer> {
  let received = Buffer.alloc(0);
  for (let left = count; ; ) {
    for (let end = respReplyEnd(received); end !== undefined; end = respReplyEnd(received)) {
      if (--left === 0) return received.subarray(0, end);
      received = received.subarray(end);
    }
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    received = Buffer.concat([received, chunk]);
  }
}
