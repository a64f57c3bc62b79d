/** A TCP relay between clients and a server, which a test cuts and points at another server. */

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class Relay implements Disposable {
  /** Where new connections go: host and port. */
  target: string;
  /** What clients have said, as it came. */
  readonly said: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: string) {
    this.target = target;
    this.#server = createServer((client) => this.#relay(client));
  }

  /** Starts one on a port of the system's choice. */
  static async to(target: string): Promise<Relay> {
    const relay = new Relay(target);
    relay.#server.listen(0, '127.0.0.1');
    await once(relay.#server, 'listening');
    return relay;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #relay(client: Socket): void {
    const [host = '', port] = this.target.split(':');
    const server = connect(Number(port), host);
    client.on('data', (bytes: Buffer) => this.said.push(bytes.toString()));
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.pipe(other);
      socket
        .on('error', () => {})
        .on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
    }
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.cut();
  }
}
