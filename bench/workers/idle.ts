/** A process that opens connections, asks once on each, and then does nothing until it is ended. */

import { once } from 'node:events';
import { connect } from 'node:net';

import { report, workerParameters } from '../processes.ts';
import { PROTOCOLS, type Protocol, type ProtocolName } from '../protocol.ts';

export interface IdleParameters {
  readonly protocol: ProtocolName;
  readonly port: number;
  readonly connections: number;
}

/** Connections that are opened at the same time. */
const BATCH = 100;

const { protocol, port, connections } = workerParameters() as IdleParameters;
const speech: Protocol = PROTOCOLS[protocol];
const bytes = speech.request('put', 'key:0000000000000000', '1');

for (let opened = 0; opened < connections; opened += BATCH) {
  await Promise.all(Array.from({ length: Math.min(BATCH, connections - opened) }, open));
}
report({ opened: connections });

async function open(): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(bytes);
  await once(socket, 'data');
}
