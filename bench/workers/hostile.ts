/** Clients that mean harm: each attack goes on until the process is ended. */

import { connect, type Socket } from 'node:net';

import { report, workerParameters } from '../processes.ts';

export interface HostileParameters {
  readonly host: string;
  readonly port: number;
  /** Where members reach the node. */
  readonly peerPort: number;
  readonly attack: AttackName;
  /** A key with a list of 16 MiB, and the position of its last element. */
  readonly bigKey: string;
  readonly lastIndex: number;
  /** Beginning of keys that the attack may store. */
  readonly prefix: string;
  /** How many of the clients there are; 1 for all. */
  readonly share: number;
}

interface Attack {
  readonly clients: number;
  readonly run: (socket: Socket, client: number) => void;
  /** On the port for members instead. */
  readonly isOnPeerPort?: boolean;
}

const MIB = 1024 * 1024;

/** How each attacks over one connection after the other. */
const ATTACKS = {
  index: { clients: 50, run: askLastElement },
  lists: { clients: 200, run: listNothing },
  puts: { clients: 16, run: putLarge },
  drip: { clients: 500, run: drip },
  pipeline: { clients: 300, run: pipeline },
  flood: { clients: 300, run: pipelineUnread },
  chunks: { clients: 20, run: putInChunks },
  unread: { clients: 200, run: loadUnread },
  objects: { clients: 40, run: putObjects },
  strangers: { clients: 100, run: announce, isOnPeerPort: true },
} as const satisfies Readonly<Record<string, Attack>>;

export type AttackName = keyof typeof ATTACKS;

const parameters = workerParameters() as HostileParameters;
const { host, bigKey, lastIndex, prefix } = parameters;
const attack: Attack = ATTACKS[parameters.attack];
const port = attack.isOnPeerPort === true ? parameters.peerPort : parameters.port;

/** A list of 16 MiB of one kind of element. */
function listOf(element: string): Buffer {
  const count = Math.floor((16 * MIB - 2) / (element.length + 1));
  return Buffer.from(`{"data":[${`${element},`.repeat(count - 1)}${element}]}`);
}

const body = listOf('[]');
const objects = listOf('{}');

const clients = Math.ceil(attack.clients * parameters.share);
for (let client = 0; client < clients; client++) open(client);
setTimeout(() => report({ isUnderWay: true }), 500);

/** Attacks over a connection, and over another when that has ended. */
function open(client: number): void {
  const socket = connect(port, host);
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(() => open(client), 20));
  socket.on('connect', () => attack.run(socket, client));
}

/** Sends a request each time an answer has begun and its last bytes are there. */
function again(socket: Socket, request: () => void): void {
  let last = '';
  socket.on('data', (chunk: Buffer) => {
    last = (last + chunk.subarray(-64).toString('latin1')).slice(-64);
    if (/[}\]]\n$/.test(last)) {
      last = '';
      request();
    }
  });
  request();
}

function target(key: string): string {
  return `/v1/keys/${encodeURIComponent(key)}`;
}

function askLastElement(socket: Socket): void {
  const request = `GET ${target(bigKey)}/index?index=${lastIndex} HTTP/1.1\r\nHost: h\r\n\r\n`;
  again(socket, () => socket.write(request));
}

function listNothing(socket: Socket): void {
  again(socket, () => socket.write('GET /v1/keys?prefix=nothing HTTP/1.1\r\nHost: h\r\n\r\n'));
}

function putLarge(socket: Socket, client: number): void {
  again(socket, () => put(socket, `${prefix}${client}`, body));
}

/** As {@link putLarge}, of what would be most objects in memory. */
function putObjects(socket: Socket, client: number): void {
  again(socket, () => put(socket, `${prefix}${client % 4}`, objects));
}

function put(socket: Socket, key: string, document: Buffer): void {
  socket.write(
    `PUT ${target(key)} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${document.length}\r\n\r\n`,
  );
  socket.write(document);
}

/** A body of chunks of one byte. */
function putInChunks(socket: Socket): void {
  const chunks = '1\r\nx\r\n'.repeat(10_000);
  socket.write(`PUT ${target(prefix)} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const push = (): void => {
    while (socket.write(chunks));
  };
  socket.on('drain', push);
  socket.resume();
  push();
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

/** Asks for what it does not read, and goes on asking. */
function pipelineUnread(socket: Socket): void {
  socket.pause();
  socket.write(`GET ${target(bigKey)} HTTP/1.1\r\nHost: h\r\n\r\n`);
  socket.write('GET /v1/keys/none HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(3600));
}

/** Asks for a large value and does not read it; a few store it anew meanwhile. */
function loadUnread(socket: Socket, client: number): void {
  if (client < 4) {
    again(socket, () => put(socket, `${prefix}0`, body));
    return;
  }
  socket.pause();
  socket.write(`GET ${target(`${prefix}0`)} HTTP/1.1\r\nHost: h\r\n\r\n`);
  setTimeout(() => socket.destroy(), 5000);
}

/** Says what a member says first, and announces 16 MiB. */
function announce(socket: Socket): void {
  const header = Buffer.alloc(9);
  header.writeUInt32LE(16 * MIB);
  header[4] = 5;
  socket.resume();
  socket.write(Buffer.concat([Buffer.from('memhashd'), header]));
  const piece = Buffer.alloc(MIB);
  const push = (): void => {
    while (socket.write(piece));
  };
  socket.on('drain', push);
  push();
}
