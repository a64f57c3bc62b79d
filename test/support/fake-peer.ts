/** A member that misbehaves: it forms a cluster with a real node, and then does what a test wants. */

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { BEAT_MS } from '../../src/base/limits.ts';
import { parseAddress } from '../../src/net/address.ts';
import { FieldReader } from '../../src/peer/fields.ts';
import { FrameReader, FrameWriter, type Frame, type FrameKind } from '../../src/peer/frame.ts';
import { parseHello, type Hello, type NodeState } from '../../src/peer/messages.ts';

/** One side of a peer connection, with nothing checked and nothing bounded. */
export class FakeConnection {
  readonly socket: Socket;
  /** All frames that came, but beats. */
  readonly frames: Frame[] = [];
  onFrame: (frame: Frame) => void = () => {};
  readonly #reader = new FrameReader();
  readonly #beat: NodeJS.Timeout;
  #magicBytesLeft = 8;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.write('memhashd');
    this.#beat = setInterval(() => this.send('beat', 0, ''), BEAT_MS);
    socket.on('error', () => {}).on('close', () => clearInterval(this.#beat));
    socket.on('data', (chunk: Buffer) => {
      const magic = chunk.subarray(0, this.#magicBytesLeft);
      this.#magicBytesLeft -= magic.length;
      this.#reader.push(chunk.subarray(magic.length));
      for (
        let frame = this.#reader.next(true);
        frame !== undefined;
        frame = this.#reader.next(true)
      ) {
        if (frame.kind === 'beat') continue;
        this.frames.push(frame);
        this.onFrame(frame);
      }
    });
  }

  /** Dials a node. */
  static async dial(address: string): Promise<FakeConnection> {
    const socket = connect(parseAddress(address)!);
    await once(socket, 'connect');
    return new FakeConnection(socket);
  }

  send(kind: FrameKind, id: number, body: string | Buffer): void {
    const bytes = Buffer.from(body);
    const writer = new FrameWriter();
    writer.begin(kind, id, bytes.length);
    writer.copy({ bytes, start: 0, end: bytes.length });
    writer.end();
    for (const buffer of writer.take()) this.socket.write(buffer);
  }

  /** Stops beating, as a process does that hangs. */
  hang(): void {
    clearInterval(this.#beat);
  }
}

/** What a peer says of itself. */
export function fakeHello(address: string, over: Partial<Hello> = {}): Hello {
  const known = over.state?.known ?? [address];
  const state: NodeState = { revision: 1, known, hasReachedAll: true, topology: null };
  return {
    protocol: 1,
    id: '99999999-9999-4999-8999-999999999999',
    address,
    client: address,
    partitions: 16_384,
    startedAt: 1,
    state,
    ...over,
  };
}

/** A server at a member's address that greets as a member does. */
export class FakePeer implements AsyncDisposable {
  readonly connections: FakeConnection[] = [];
  /** What is done with a request; nothing, to begin with. */
  onRequest: (connection: FakeConnection, frame: Frame) => void = () => {};
  readonly #server: Server;
  readonly #hello: Hello;

  private constructor(server: Server, hello: Hello) {
    this.#server = server;
    this.#hello = hello;
    server.on('connection', (socket) => {
      const connection = new FakeConnection(socket);
      this.connections.push(connection);
      connection.onFrame = (frame) => this.#onFrame(connection, frame);
    });
  }

  /** Listens on `address` and says that it knows `known`. */
  static async start(address: string, known: readonly string[]): Promise<FakePeer> {
    const state: NodeState = { revision: 1, known, hasReachedAll: true, topology: null };
    const server = createServer().listen(parseAddress(address)!);
    await once(server, 'listening');
    return new FakePeer(server, fakeHello(address, { state }));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #onFrame(connection: FakeConnection, frame: Frame): void {
    if (frame.kind === 'hello') {
      parseHello(new FieldReader(frame).text());
      connection.send('hello', 0, JSON.stringify(this.#hello));
    } else if (frame.kind !== 'state') this.onRequest(connection, frame);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
