/** Clients that mean harm: each attack goes on until the process is ended. */

import { connect, type Socket } from 'node:net';

import { report, workerParameters } from '../processes.ts';

export interface HostileParameters {
  readonly host: string;
  readonly port: number;
  readonly attack: AttackName;
  /** A key with a list of 16 MiB, and the position of its last element. */
  readonly bigKey: string;
  readonly lastIndex: number;
  /** Beginning of keys that the attack may store. */
  readonly prefix: string;
}

const MIB = 1024 * 1024;

/** How each attacks over one connection after the other. */
const ATTACKS = {
  index: { clients: 50, run: askLastElement },
  lists: { clients: 200, run: listNothing },
  puts: { clients: 16, run: putLarge },
  drip: { clients: 500, run: drip },
  pipeline: { clients: 300, run: pipeline },
} as const;

export type AttackName = keyof typeof ATTACKS;

const { host, port, attack, bigKey, lastIndex, prefix } = workerParameters() as HostileParameters;
const value = Buffer.alloc(16 * MIB - 2, '[],');
const body = Buffer.concat([Buffer.from('{"data":['), value.subarray(0, -2), Buffer.from(']}')]);

for (let client = 0; client < ATTACKS[attack].clients; client++) open(client);
setTimeout(() => report({ isUnderWay: true }), 500);

/** Attacks over a connection, and over another when that has ended. */
function open(client: number): void {
  const socket = connect(port, host);
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => open(client), 20));
  socket.on('connect', () => ATTACKS[attack].run(socket, client));
}

/** Sends a request each time an answer has begun and its last bytes are there. */
function again(socket: Socket, request: () => void): void {
  let last = '';
  socket.on('data', (chunk: Buffer) => {
    last = (last + chunk.toString('latin1')).slice(-64);
    if (/[}\]]\n$/.test(last)) {
      last = '';
      request();
    }
  });
  request();
}

function askLastElement(socket: Socket): void {
  const target = `/v1/keys/${encodeURIComponent(bigKey)}/index?index=${lastIndex}`;
  again(socket, () => socket.write(`GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`));
}

function listNothing(socket: Socket): void {
  again(socket, () => socket.write('GET /v1/keys?prefix=nothing HTTP/1.1\r\nHost: h\r\n\r\n'));
}

function putLarge(socket: Socket, client: number): void {
  const head = `PUT /v1/keys/${encodeURIComponent(`${prefix}${client}`)} HTTP/1.1\r\nHost: h\r\n`;
  again(socket, () => {
    socket.write(`${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`);
    socket.write(body);
  });
}

/** A byte every few milliseconds, of headers and then of a body. */
function drip(socket: Socket, client: number): void {
  const text = `PUT /v1/keys/drip${client} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{"data":1`;
  let at = 0;
  const timer = setInterval(() => socket.write(text[at++] ?? ' '), 20);
  socket.on('close', () => clearInterval(timer));
}

function pipeline(socket: Socket): void {
  const requests = 'GET /v1/keys/none HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(500);
  const push = (): void => {
    while (socket.write(requests));
  };
  socket.on('drain', push);
  socket.resume();
  push();
}
