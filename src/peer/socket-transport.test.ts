import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import * as tls from 'node:tls';
import { expect, test } from 'vitest';

import { DIAL_TIMEOUT_MS, DIALLED_TLS_TIMEOUT_MS } from '../base/limits.ts';
import { systemTimers } from '../base/timers.ts';
import { secretServerOptions } from '../net/secret.ts';
import { SocketTransport } from './socket-transport.ts';
import type { NoPipe, Pipe } from './transport.ts';

const key = Buffer.alloc(32, 7);

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** What comes of a dial to a member that is held up for so long once it has accepted the connection. */
async function dialHeldUp(ms: number): Promise<string> {
  const member = tls.createServer(secretServerOptions(() => key));
  const memberPort = await listening(member);
  const gate = createServer((near) => {
    near.on('error', () => {});
    const timer = setTimeout(() => {
      const far = connect(memberPort, '127.0.0.1').on('error', () => near.destroy());
      near.pipe(far).pipe(near);
    }, ms);
    near.on('close', () => clearTimeout(timer));
  });
  const port = await listening(gate);
  const transport = new SocketTransport({ kind: 'secret', key }, systemTimers);
  const outcome = await new Promise<Pipe | NoPipe>((done) => {
    transport.dial(`127.0.0.1:${port}`, done);
  });
  gate.close();
  member.close();
  if ('reason' in outcome) return outcome.reason;
  outcome.destroy();
  return 'open';
}

test('a member that stops for longer than a connection may take is reached over TLS all the same', async () => {
  expect(await dialHeldUp(DIAL_TIMEOUT_MS + 1000)).toBe('open');
});

test('a member that never goes on with the handshake is given up', async () => {
  expect(await dialHeldUp(DIALLED_TLS_TIMEOUT_MS + 60_000)).toBe(
    'it does not go on with the handshake of TLS',
  );
});
