/** Pipelining: requests that a client sends before it has the answers to those before them. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

/**
 * Lets `handle` have the requests of a connection one after another: a load must see what a store
 * before it did, whose body comes to us later than the head of the load (RFC 9112 §9.3.2).
 */
export function oneByOne(handle: Handler): Handler {
  const waiting = new WeakMap<Socket, number>();
  return (req, res) => {
    // Node gives a response its socket when the one before it is sent.
    if (res.socket !== null) {
      handle(req, res);
      return;
    }
    const { socket } = req;
    const count = (change: number): number => {
      const sum = (waiting.get(socket) ?? 0) + change;
      waiting.set(socket, sum);
      return sum;
    };
    count(1);
    // What one read brought is kept, no more. Node reads on after each request; this comes later.
    process.nextTick(() => count(0) > 0 && socket.pause());
    res.once('socket', () => {
      if (count(-1) === 0) socket.resume();
      handle(req, res);
    });
  };
}
