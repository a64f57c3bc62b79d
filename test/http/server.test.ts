// The server on real sockets: TLS, what is larger than a socket takes, and its end.
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { connect as connectPlain } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';

import { isFailure } from '../../src/base/errors.ts';
import { CLOSE_GRACE_MS, CLOSE_TIMEOUT_MS } from '../../src/base/limits.ts';
import type { Application, Exchange } from '../../src/http/exchange.ts';
import { HttpServer } from '../../src/http/server.ts';
import { loadTls } from '../../src/net/tls.ts';
import { Certificates, type Certificate } from '../support/certificates.ts';
import { ask } from '../support/client.ts';
import { eventually } from '../support/eventually.ts';
import { Wire } from '../support/wire.ts';

const MIB = 2 ** 20;

/** Answers with the body, or by what the target says. */
const application: Application = {
  handle(exchange) {
    const { target } = exchange;
    if (target === '/never') return;
    if (target === '/large') exchange.send(200, '', ['<', Buffer.alloc(20 * MIB, 'x'), '>']);
    else if (target === '/broken') breakOff(exchange);
    else exchange.receive(20 * MIB, (body) => exchange.send(200, '', isFailure(body) ? '' : body));
  },
  describe: ({ code }) => ({ headers: '', body: code }),
};

function breakOff(exchange: Exchange): void {
  exchange.begin(200, '');
  exchange.write('begun');
  exchange.abort();
}

let server: HttpServer;
afterEach(() => server.destroy());

async function start(certificate?: Certificate): Promise<number> {
  const tls = certificate && loadTls({ ...certificate, ca: undefined });
  server = new HttpServer(application, { tls });
  return (await server.listen({ host: '127.0.0.1', port: 0 })).port;
}

async function connectTls(port: number, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

const GET = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n';

test.each(['http', 'https'])(
  'large bodies and answers go through whole over %s',
  async (scheme) => {
    using certificates = new Certificates();
    const port = await start(scheme === 'https' ? certificates.selfSigned('own') : undefined);
    const url = `${scheme}://127.0.0.1:${port}`;
    const body = Buffer.alloc(9 * MIB, 'abcdefg');
    expect((await ask(url, 'PUT', '/echo', { body })).bytes.equals(body)).toBe(true);
    const { bytes } = await ask(url, 'GET', '/large');
    expect(bytes.length).toBe(20 * MIB + 2);
    expect([bytes[0], bytes.at(-1)]).toEqual([0x3c, 0x3e]);
    await expect(ask(url, 'GET', '/broken')).rejects.toThrow(/aborted|reset|hang up/);
  },
);

test('the protocol that TLS agrees on is HTTP/1.1, or none', async () => {
  using certificates = new Certificates();
  const port = await start(certificates.selfSigned('own'));
  const both = await connectTls(port, { ALPNProtocols: ['h2', 'http/1.1'] });
  expect(both.alpnProtocol).toBe('http/1.1');
  const none = await connectTls(port, {});
  expect(none.alpnProtocol).toBe(false);
  for (const socket of [both, none]) {
    socket.end(GET);
    expect((await buffer(socket)).toString()).toContain('200 OK');
  }
  await expect(connectTls(port, { ALPNProtocols: ['h2'] })).rejects.toThrow(/alert|reset/);
});

test('who wants to negotiate again is cut off', async () => {
  using certificates = new Certificates();
  const port = await start(certificates.selfSigned('own'));
  const socket = await connectTls(port, { maxVersion: 'TLSv1.2' });
  socket.resume();
  const closed = once(socket, 'close');
  socket.renegotiate({}, () => {});
  await closed;
  expect((await ask(`https://127.0.0.1:${port}`, 'GET', '/a')).status).toBe(200);
});

test('other certificates are used from the next connection on', async () => {
  using certificates = new Certificates();
  const port = await start(certificates.selfSigned('old'));
  const before = await connectTls(port, {});
  server.reload(loadTls({ ...certificates.selfSigned('new'), ca: undefined })!);
  const after = await connectTls(port, {});
  const [old, used] = [before, after].map((socket) => socket.getPeerX509Certificate()!.fingerprint);
  expect(used).not.toBe(old);
  before.end(GET);
  expect((await buffer(before)).toString()).toContain('200 OK');
  after.destroy();
});

test('a handshake that never comes does not hold up the end', async () => {
  using certificates = new Certificates();
  const port = await start(certificates.selfSigned('own'));
  const silent = connectPlain(port, '127.0.0.1').resume();
  silent.on('error', () => {});
  await once(silent, 'connect');
  const established = await connectTls(port, {});
  // The server knows of both once it has answered what came after them.
  established.write(GET);
  await once(established, 'data');
  const closed = once(silent, 'close');
  const closing = server.close();
  expect(await closed).toEqual([false]);
  established.end();
  await closing;
});

test('clients that ask on while the server closes are told so, and none is reset', async () => {
  const port = await start();
  const agents = Array.from({ length: 20 }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const last: (string | undefined)[] = [];
  const errors: unknown[] = [];
  const goOn = async (agent: Agent): Promise<void> => {
    for (let connection: string | undefined = ''; connection !== 'close'; ) {
      const req = request({ port, host: '127.0.0.1', path: '/a', agent }).end();
      const [res] = (await once(req, 'response')) as [IncomingMessage];
      await buffer(res);
      connection = res.headers.connection;
    }
    last.push('close');
  };
  const running = agents.map((agent) => goOn(agent).catch((error: unknown) => errors.push(error)));
  await eventually(async () =>
    expect((await ask(`http://127.0.0.1:${port}`, 'GET', '/')).status).toBe(200),
  );
  await server.close();
  await Promise.all(running);
  expect(errors).toEqual([]);
  expect(last).toHaveLength(20);
  for (const agent of agents) agent.destroy();
});

test('idle clients of a closing server are let go, not reset', async () => {
  const port = await start();
  using asked = await Wire.open(port);
  using silent = await Wire.open(port);
  await asked.send(GET).receives(/200 OK/);
  const errors: Error[] = [];
  for (const { socket } of [asked, silent]) socket.on('error', (error) => errors.push(error));
  await server.close();
  await Promise.all([asked.ends(), silent.ends()]);
  expect(errors).toEqual([]);
});

test('a request that is never answered holds up the end for less time than a container has', async () => {
  expect(CLOSE_GRACE_MS).toBeLessThan(CLOSE_TIMEOUT_MS);
  expect(CLOSE_TIMEOUT_MS).toBeLessThan(10_000);
  const port = await start();
  using stuck = await Wire.open(port);
  using other = await Wire.open(port);
  stuck.send('GET /never HTTP/1.1\r\nHost: x\r\n\r\n');
  await other.send(GET).receives(/200 OK/);
  await server.close();
  expect(await stuck.ends()).toBe('');
});
