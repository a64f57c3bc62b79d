// Everything that reads what others wrote, fed with what nobody should write. A run is bounded and prints
// its seed: MEMHASHD_SEED=… repeats it, MEMHASHD_FUZZ=10 makes it ten times as long.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { makeToken, parseTokens } from '../../src/api/access.ts';
import { parseWatch } from '../../src/api/watch-query.ts';
import { parseDuration } from '../../src/base/duration.ts';
import type { Key } from '../../src/base/key.ts';
import { parseTrace, parseTraceparent, traceText } from '../../src/base/request-names.ts';
import { decodeCursor, encodeCursor } from '../../src/cluster/listing.ts';
import { decodePosition, encodePosition } from '../../src/cluster/position.ts';
import { DataDirectory } from '../../src/disk/directory.ts';
import { entryName, entryOf, FORMAT, readEntry } from '../../src/disk/format.ts';
import { HttpServer } from '../../src/http/server.ts';
import { parseAddress } from '../../src/net/address.ts';
import { FieldReader } from '../../src/peer/fields.ts';
import { FrameReader, FrameWriter, ProtocolError, type Frame } from '../../src/peer/frame.ts';
import { parseHello } from '../../src/peer/messages.ts';
import { readPage, readPageQuery, writePage, writePageQuery } from '../../src/peer/page.ts';
import { readPiece } from '../../src/peer/record-piece.ts';
import {
  readWatchPage,
  readWatchQuery,
  watchPageBytesMax,
  watchQueryBytesMax,
  writeWatchPage,
  writeWatchQuery,
} from '../../src/peer/watch.ts';
import {
  readReply,
  readRequest,
  replyBytesMax,
  requestBytesMax,
  writeReply,
  writeRequest,
} from '../../src/peer/wire.ts';
import { asKept, type Reply } from '../../src/record/reply.ts';
import type { Request } from '../../src/record/request.ts';
import type { WatchPage } from '../../src/record/watch.ts';
import {
  decodeCursor as decodeValkeyCursor,
  encodeCursor as encodeValkeyCursor,
} from '../../src/valkey/listing.ts';
import { apiOver } from '../support/api.ts';
import { sendTo } from '../support/exchange.ts';
import { fakeHello } from '../support/fake-peer.ts';
import { seededRandom } from '../support/random.ts';
import { StoreEngine } from '../support/store-engine.ts';

const ROUNDS = 2000 * Number(process.env['MEMHASHD_FUZZ'] ?? 1);

/** Changes bytes in ways that parsers get wrong: at edges, by one, by much. */
class Mutator {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** A sample with one to five changes, or at times without any. */
  bytes(samples: readonly Buffer[]): Buffer {
    let bytes: Buffer = this.pick(samples);
    for (let changes = this.below(6); changes > 0; changes--) {
      bytes = this.#changed(bytes, this.pick(samples));
    }
    return bytes;
  }

  text(samples: readonly string[]): string {
    return this.bytes(samples.map((sample) => Buffer.from(sample))).toString();
  }

  #changed(bytes: Buffer, other: Buffer): Buffer {
    const at = this.below(bytes.length + 1);
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    switch (this.below(7)) {
      case 0:
        return Buffer.concat([before, Buffer.from([this.below(256)]), after.subarray(1)]);
      case 1:
        return Buffer.concat([before, after.subarray(this.below(9))]);
      case 2:
        return Buffer.concat([before, Buffer.from(this.pick(TROUBLE)), after]);
      case 3:
        return before;
      case 4:
        return Buffer.concat([before, other.subarray(this.below(other.length))]);
      case 5:
        return Buffer.concat([before, after.subarray(0, 20), after]);
      default:
        return Buffer.concat([before, Buffer.alloc(1 + this.below(4), 0xff), after.subarray(4)]);
    }
  }
}

const TROUBLE = [
  '\0',
  '\r\n',
  '\n',
  ' ',
  '"',
  '\\',
  '%',
  '%00',
  '%ff',
  '~2',
  '/',
  '?',
  '&',
  '=',
  '__proto__',
  '-',
  '9'.repeat(30),
  '1e999',
  '[['.repeat(300),
  '{"a":'.repeat(300),
  '\u{1f600}',
  '\ud7ff',
  'null',
];

/** Runs `read` on mutants; what it may throw is what says that they are refused. */
function fuzz(name: string, samples: readonly Buffer[], read: (bytes: Buffer) => void): void {
  const mutator = new Mutator(seededRandom(name));
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = mutator.bytes(samples);
    try {
      read(bytes);
    } catch (error) {
      const isRefusal = error instanceof ProtocolError || (error as Error).constructor === Error;
      if (!isRefusal)
        throw new Error(`round ${round}: ${bytes.toString('base64')}`, { cause: error });
    }
  }
}

const bytesOf = (text: string) => ({ bytes: Buffer.from(text), start: 0, end: text.length });
const key = 'key' as Key;
const meta = { index: 7, ttlNs: 1_000_000_000n, accessedAt: 1, createdAt: 2, updatedAt: 3 };
const node = { id: 'id', addr: 'a:1' };
const tags = { ifMatch: ['a', 'b'], ifNoneMatch: '*' as const };

const NAMES = {
  request: 'a:1',
  trace: '4bf92f3577b34da6a3ce929d0e0e4736',
  span: '00f067aa0ba902b7',
};

const requests: Request[] = [
  { action: 'load', key, condition: tags },
  { action: 'store', key, value: bytesOf('{"a":[1,2]}'), ttlNs: 5n, condition: undefined },
  { action: 'delete', key },
  { action: 'index', key, index: 3 },
  { action: 'item', key, item: 'name' },
  { action: 'index', key, index: 3, names: NAMES },
];

const replies: Reply[] = [
  { status: 'ok', node, meta, value: bytesOf('{"a":[1,2]}') },
  { status: 'unchanged', node, meta },
  { status: 'failed', code: 'KEY_NOT_FOUND', detail: 'nothing' },
];

/** The body of a frame that `write` writes. */
function body(bytesMax: number, write: (to: FrameWriter) => void): Buffer {
  const writer = new FrameWriter();
  writer.begin('request', 1, bytesMax);
  write(writer);
  writer.end();
  return Buffer.concat(writer.take()).subarray(9);
}

const frameOf = (kind: Frame['kind'], bytes: Buffer): Frame => ({
  kind,
  id: 1,
  bytes,
  start: 0,
  end: bytes.length,
});
const fields = (bytes: Buffer): FieldReader =>
  new FieldReader({ bytes, start: 0, end: bytes.length });

const since = { life: '0f28f387', number: 14 };
const interest = { keys: [key], prefixes: ['a' as Key] };
const watched = { interest, values: true, since };
const told: WatchPage = {
  status: 'changes',
  place: since,
  lost: 'behind',
  events: [
    { kind: 'store', key, meta, value: asKept(bytesOf('{"a":[1,2]}')) },
    { kind: 'expire', key },
  ],
};
const page = { status: 'page', keys: ['a' as Key, key], next: 'after' } as const;
const query = { prefix: 'a' as Key, after: key, limit: 10, from: undefined };

const parsers: [string, Buffer[], (bytes: Buffer) => void][] = [
  [
    'requests of peers',
    requests.map((request) => body(requestBytesMax(request), (to) => writeRequest(to, request))),
    (bytes) => void readRequest(fields(bytes)),
  ],
  [
    'replies of peers',
    replies.map((reply) => body(replyBytesMax(reply), (to) => writeReply(to, reply))),
    (bytes) => void readReply(fields(bytes), node),
  ],
  [
    'queries for pages',
    [body(100, (to) => writePageQuery(to, query))],
    (bytes) => void readPageQuery(fields(bytes)),
  ],
  [
    'pages of keys',
    [body(100, (to) => writePage(to, page))],
    (bytes) => void readPage(frameOf('listReply', bytes)),
  ],
  [
    'pieces of a stream of records',
    Array.from({ length: 8 }, (_, code) => Buffer.from([code, 1, 0, 0, 0, 3, 0, 65, 66, 67])),
    (bytes) => void readPiece(fields(bytes)),
  ],
  [
    'frames',
    requests.map((request) => {
      const writer = new FrameWriter();
      writer.begin('request', 1, requestBytesMax(request));
      writeRequest(writer, request);
      writer.end();
      return Buffer.concat(writer.take());
    }),
    (bytes) => {
      const reader = new FrameReader();
      for (let at = 0; at < bytes.length; at += 7) {
        reader.push(bytes.subarray(at, at + 7));
        while (reader.next(at % 2 === 0) !== undefined);
      }
    },
  ],
  [
    'hellos',
    [Buffer.from(JSON.stringify(fakeHello('127.0.0.1:1')))],
    (bytes) => void parseHello(bytes.toString()),
  ],
  [
    'files of tokens',
    [Buffer.from(makeToken({ name: 'a', rights: ['read'], prefixes: [key] }).entry)],
    (bytes) => void parseTokens(bytes.toString()),
  ],
  [
    'durations',
    ['1h30m', '1.5us', '-3ns', '9223372036854775807ns'].map((text) => Buffer.from(text)),
    (bytes) => void parseDuration(bytes.toString()),
  ],
  [
    'addresses',
    ['127.0.0.1:1', '[::1]:65535', ':0', 'a-b.c:7'].map((text) => Buffer.from(text)),
    (bytes) => void parseAddress(bytes.toString()),
  ],
];

parsers.push(
  [
    'queries of watches',
    [
      'prefix=a&key=b&scope=cluster&values=true&initial=true&since=abc&wait=30s',
      'prefix=%C3%A9+a',
    ].map((text) => Buffer.from(text)),
    (bytes) => void parseWatch(bytes.toString('latin1'), undefined),
  ],
  [
    'positions of watches',
    [Buffer.from(encodePosition(new Map([['127.0.0.1:2373', { life: '0f28f387', number: 14 }]])))],
    (bytes) => {
      const text = bytes.toString();
      const places = decodePosition(text);
      if (places !== undefined && encodePosition(places) !== text) throw new TypeError(text);
    },
  ],
  [
    'cursors of lists',
    [`0f28f387 ${key}`, `0f28f387 \u{1f600}`, key].map((text) =>
      Buffer.from(Buffer.from(text).toString('base64url')),
    ),
    (bytes) => {
      const text = bytes.toString();
      const position = decodeCursor(text);
      if (position !== undefined && encodeCursor(position) !== text) throw new TypeError(text);
      const after = decodeValkeyCursor(text);
      if (after !== null && encodeValkeyCursor(after) !== text) throw new TypeError(text);
    },
  ],
  [
    'traces of requests',
    [`00-${NAMES.trace}-${NAMES.span}-01`, `cc-${NAMES.trace}-${NAMES.span}-01-later`].map((text) =>
      Buffer.from(text),
    ),
    (bytes) => {
      const names = { request: 'a', ...parseTraceparent(bytes.toString('latin1')) };
      const { trace, span } = parseTrace(traceText(names)) ?? {};
      if (trace !== names.trace || span !== names.span) throw new TypeError(traceText(names));
    },
  ],
  [
    'watches of peers',
    [body(watchQueryBytesMax(watched), (to) => writeWatchQuery(to, watched))],
    (bytes) => void readWatchQuery(fields(bytes)),
  ],
  [
    'changes that peers tell',
    [body(watchPageBytesMax(told), (to) => writeWatchPage(to, told))],
    (bytes) => void readWatchPage(fields(bytes)),
  ],
  [
    'entries of the journal',
    [
      { ttlNs: 0n, deadline: Infinity },
      { ttlNs: 5n, deadline: 7 },
    ].map(({ ttlNs, deadline }) => {
      const record = { key, meta: { ...meta, ttlNs }, value: bytesOf('{"a":[1,2]}'), deadline };
      return entryOf(entryName(1, key), record);
    }),
    (bytes) => void readEntry(entryName(1, key), bytes),
  ],
);

test.each(parsers)('%s: whatever comes is read or refused', (name, samples, read) => {
  expect(() => fuzz(name, samples, read)).not.toThrow();
});

test('what a data directory says of itself: whatever it is, it is taken or refused in a line', async () => {
  const path = mkdtempSync(join(tmpdir(), 'memhashd-fuzz-'));
  const made = { partitions: 16, id: randomUUID(), hashKey: [1, 2] } as const;
  const sample = JSON.stringify({ format: FORMAT, ...made, topology: { epoch: 1, members: [] } });
  const mutator = new Mutator(seededRandom('directories'));
  try {
    for (let round = 0; round < ROUNDS / 8; round++) {
      const bytes = mutator.bytes([Buffer.from(sample)]);
      writeFileSync(join(path, 'node.json'), bytes);
      // There are no records beside it, so it is never opened; nor is a new one made in its place.
      const error: unknown = await DataDirectory.open(path, made).catch(
        (thrown: unknown) => thrown,
      );
      expect({ error: String(error), bytes: bytes.toString() }).toMatchObject({
        error: expect.stringMatching(new RegExp(`^Error: ${path} [^\n]+$`)),
      });
      expect(readdirSync(path)).toEqual(['node.json']);
    }
  } finally {
    rmSync(path, { recursive: true });
  }
});

const TARGETS = [
  '/v1/keys',
  '/v1/keys?prefix=a&limit=2&scope=cluster',
  '/v1/keys/a%20b',
  '/v1/keys/a?pointer=/a/0/b~1c',
  '/v1/keys/a/index?index=1',
  '/v1/keys/a/item?item=b',
  '/v1/keys/a/increment',
  '/v1/keys/a/append',
  '/v1/keys/a/expire',
  '/v1/batch?meta=true',
  '/v1/nodes',
  '/v1/watch?prefix=a&wait=0s&since=MTI3LjAuMC4xOjIzNzMgZGQ3YzdjZTcgMTY',
  '/readyz?verbose',
  'http://a/v1/keys/a',
];
const BODIES = [
  '{"data":{"a":[1,{"b/c":"\\u0041"}],"n":1.5},"expire_time":"1h"}',
  '{"index":1}',
  '{"item":"a"}',
  '{"by":1,"pointer":"/n","initial":0,"max":10}',
  '{"values":[1,2],"pointer":"/a","max_length":3}',
  '{"expire_time":"10s"}',
  '[{"store":"a","data":[1]},{"load":"a","pointer":"/0"},{"delete":"b"}]',
  '[{"op":"replace","path":"/a/0","value":2},{"op":"test","path":"/n","value":1.5}]',
  '{"a":null,"z":{"y":[]}}',
];
const HEADERS: [string, string[]][] = [
  [
    'Content-Type',
    ['application/json', 'application/merge-patch+json', 'application/json-patch+json; x="y"'],
  ],
  ['Accept', ['*/*', 'application/json;q=0.5, text/html', 'text/event-stream']],
  ['If-Match', ['*', '"3zcsl-qbglm-1"', 'W/"a", "b"']],
  ['If-None-Match', ['*', '"a"']],
  ['Prefer', ['return=minimal']],
  ['Authorization', ['Bearer mhd_x']],
];
const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'BREW'];

/** A request whose parts are all changed a little. */
function mutant(mutator: Mutator): [string, string, Record<string, string>, string] {
  const headers: Record<string, string> = {};
  for (const [name, values] of HEADERS) {
    if (mutator.below(3) > 0) continue;
    headers[name] = mutator.text(values).replaceAll(/[^\t -~]/g, '');
  }
  const target = mutator.text(TARGETS).replaceAll(/[^!-~]/g, '') || '/';
  return [mutator.pick(METHODS), target, headers, mutator.text(BODIES)];
}

test('requests: whatever comes is answered, and never by a defect', async () => {
  const mutator = new Mutator(seededRandom('requests'));
  const engine = new StoreEngine();
  // A node that closes ends what would go on for ever.
  const send = sendTo(apiOver(engine, { closing: AbortSignal.abort() }));
  for (let round = 0; round < ROUNDS; round++) {
    const [method, target, headers, text] = mutant(mutator);
    const { status } = await send(method, target, { headers, body: text });
    expect({ status, method, target, headers, text }).not.toMatchObject({ status: 500 });
  }
  engine.store.check();
});

/** Sends bytes on a connection of its own and says no more; gives what comes back. */
function exchange(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    const socket = connect({ port, host: '127.0.0.1' }, () => void socket.end(bytes));
    socket.setEncoding('latin1').on('data', (text: string) => (received += text));
    socket.on('error', () => {}).on('close', () => resolve(received));
  });
}

test('connections: whatever comes, others are served', async () => {
  const mutator = new Mutator(seededRandom('connections'));
  const engine = new StoreEngine();
  const server = new HttpServer(apiOver(engine));
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const samples = TARGETS.flatMap((target) =>
    BODIES.slice(0, 2).flatMap((text) => {
      const head = `PUT ${target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
      const chunks = `${text.length.toString(16)}\r\n${text}\r\n0\r\nX: y\r\n\r\n`;
      return [
        `${head}Content-Length: ${text.length}\r\n\r\n${text}GET / HTTP/1.1\r\nHost: x\r\n\r\n`,
        `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}`,
      ];
    }),
  );
  const bytes = samples.map((sample) => Buffer.from(sample));
  try {
    for (let round = 0; round < ROUNDS / 4; round++) {
      const received = await exchange(port, mutator.bytes(bytes));
      expect(received).not.toContain('INTERNAL_ERROR');
    }
    const last = Buffer.from('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(await exchange(port, last)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  } finally {
    server.destroy();
  }
  engine.store.check();
});
