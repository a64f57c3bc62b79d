/** A bare connection, for all that no HTTP client would send. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { eventually } from './eventually.ts';

export class Wire implements Disposable {
  readonly socket: Socket;
  #received = '';

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('data', (piece: string) => (this.#received += piece));
    // A reset is one of the ways in which a connection ends.
    socket.on('error', () => {});
  }

  static async open(port: number): Promise<Wire> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  /** What has been received up to now. */
  get received(): string {
    return this.#received;
  }

  send(bytes: string | Buffer): this {
    this.socket.write(bytes, 'latin1');
    return this;
  }

  /** Resolves with all that was received, once that matches. */
  receives(pattern: RegExp): Promise<string> {
    return eventually(() => {
      if (!pattern.test(this.#received)) throw new Error(`received only ${this.#received}`);
      return this.#received;
    });
  }

  /** Resolves with all that was received, once the other side has closed. */
  async ends(): Promise<string> {
    if (!this.socket.closed) await once(this.socket, 'close');
    return this.#received;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Sends bytes on a new connection; resolves with all that comes back until the node closes it. */
export async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  using wire = await Wire.open(port);
  return await wire.send(bytes).ends();
}
