/** A process that opens connections to a node and closes them again, some hundred at a time. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { report, workerParameters } from '../processes.ts';
import { PROTOCOLS } from '../protocol.ts';

export interface VisitsParameters {
  readonly port: number;
  readonly connections: number;
}

/** Connections that are open at the same time. */
const TOGETHER = 200;

/** Addresses of this machine that they come from in turn: one has not enough ports for all. */
const ADDRESSES = 200;

const REQUEST = PROTOCOLS.memhashd.request('put', 'key:0000000000000000', '1');

/** What becomes of a connection, in turn. */
const VISITS: readonly ((socket: Socket) => Promise<void>)[] = [answered, cutOff, reset];

const { port, connections } = workerParameters() as VisitsParameters;
let opened = 0;
await Promise.all(Array.from({ length: TOGETHER }, visitAgain));
report({ opened });

async function visitAgain(): Promise<void> {
  while (opened < connections) {
    const n = opened++;
    const socket = connect({
      port,
      host: '127.0.0.1',
      localAddress: `127.0.1.${(n % ADDRESSES) + 1}`,
    });
    const closed = once(socket, 'close');
    await once(socket, 'connect');
    await VISITS[n % VISITS.length]!(socket);
    await closed;
  }
}

async function answered(socket: Socket): Promise<void> {
  socket.write(REQUEST);
  await once(socket, 'data');
  socket.end();
}

async function cutOff(socket: Socket): Promise<void> {
  socket.resume().end(REQUEST.slice(0, -1));
}

async function reset(socket: Socket): Promise<void> {
  socket.resetAndDestroy();
}
