/** A member that misbehaves: it forms a cluster with a real node, and then does what a test wants. */

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { BEAT_MS } from '../../src/base/limits.ts';
import { parseAddress } from '../../src/net/address.ts';
import { handle, tell, type HandoverEvent } from '../../src/cluster/handover.ts';
import { startHandover, type Handover } from '../../src/cluster/state.ts';
import { readTold } from '../../src/cluster/told-reader.ts';
import { FieldReader } from '../../src/peer/fields.ts';
import { FrameReader, FrameWriter, type Frame, type FrameKind } from '../../src/peer/frame.ts';
import {
  parseHello,
  parseState,
  PROTOCOL,
  type Hello,
  type NodeState,
} from '../../src/peer/messages.ts';

const FAKE_ID = '99999999-9999-4999-8999-999999999999';

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
  const state: NodeState = { revision: 1, told: tell(startHandover(address, FAKE_ID, [])) };
  return {
    protocol: PROTOCOL,
    id: FAKE_ID,
    life: FAKE_ID,
    address,
    client: address,
    partitions: 16_384,
    startedAt: 1,
    state,
    ...over,
  };
}

/** A server at a member's address that greets, and agrees to a cluster, as a member does. */
export class FakePeer implements AsyncDisposable {
  readonly connections: FakeConnection[] = [];
  /** What is done with a request; nothing, to begin with. */
  onRequest: (connection: FakeConnection, frame: Frame) => void = () => {};
  readonly #server: Server;
  readonly #address: string;
  #state: Handover;
  #revision = 1;

  private constructor(server: Server, address: string, known: readonly string[]) {
    this.#server = server;
    this.#address = address;
    const others = known.filter((one) => one !== address);
    this.#state = startHandover(address, FAKE_ID, others);
    server.on('connection', (socket) => {
      const connection = new FakeConnection(socket);
      this.connections.push(connection);
      connection.onFrame = (frame) => this.#onFrame(connection, frame);
    });
  }

  /** Listens on `address` and says that its -join is `known`. */
  static async start(address: string, known: readonly string[]): Promise<FakePeer> {
    const server = createServer().listen(parseAddress(address)!);
    await once(server, 'listening');
    return new FakePeer(server, address, known);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #onFrame(connection: FakeConnection, frame: Frame): void {
    if (frame.kind === 'hello') {
      const { address, life, state } = parseHello(new FieldReader(frame).text());
      this.#peer = { address, life };
      // It takes whoever has dialled it for reached.
      this.#happen({ kind: 'found', dialled: address, address });
      this.#happen({ kind: 'linked', address, life });
      this.#onState(state);
      connection.send(
        'hello',
        0,
        JSON.stringify(fakeHello(this.#address, { state: this.#told() })),
      );
    } else if (frame.kind === 'state') {
      this.#onState(parseState(new FieldReader(frame).text()));
      connection.send('state', 0, JSON.stringify(this.#told()));
    } else {
      this.onRequest(connection, frame);
    }
  }

  #peer = { address: '', life: '' };

  #onState({ revision, told }: NodeState): void {
    this.#happen({ kind: 'told', ...this.#peer, revision, told: readTold(told) });
  }

  #happen(event: HandoverEvent): void {
    this.#state = handle(this.#state, event).state;
  }

  #told(): NodeState {
    return { revision: this.#revision++, told: tell(this.#state) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
