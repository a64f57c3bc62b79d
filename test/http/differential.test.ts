// The same bytes to a bare node:http server and to ours: the same verdict, request by request, for as many
// requests as the bytes hold, and the same answers of ours wherever the bytes are cut.
import { createServer, METHODS, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterAll, expect, test } from 'vitest';

import { isFailure } from '../../src/base/errors.ts';
import type { Application, Exchange } from '../../src/http/exchange.ts';
import { connectTo, dispose, TestHost, type MemorySocket } from '../support/memory-socket.ts';
import { seededRandom } from '../support/random.ts';
import { CASES } from './requests.ts';

/** A request as a server understood it. */
interface Seen {
  readonly method: string;
  readonly target: string;
  /** What only the oracle tells. */
  readonly version?: string;
  readonly closesInTrailers?: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined if it has not come to its end. */
  readonly body: string | undefined;
}

/** What a server made of some bytes. */
interface Verdict {
  readonly seen: readonly Seen[];
  /** Whether the connection goes on. */
  readonly isOpen: boolean;
  readonly received: string;
}

/** The headers that the corpus has. */
const NAMES = [
  'host',
  'accept',
  'x',
  'x-empty',
  'if-match',
  'connection',
  'content-type',
  'content-length',
  'transfer-encoding',
  'expect',
  'upgrade',
  "!#$%&'*+-.^_`|~09az",
];

// The oracle.

let seenByNode: Seen[] = [];
let isRefusedByNode = false;
const node = createServer({ maxHeaderSize: 32 * 1024, requireHostHeader: false });
// Its own answer would keep the requests before it from being served.
node.on('clientError', () => (isRefusedByNode = true));
node.on('request', answerAsNode);
node.on('checkExpectation', answerAsNode);
afterAll(() => node.close());

function answerAsNode(req: IncomingMessage, res: ServerResponse): void {
  const { method = '', url: target = '', httpVersion: version } = req;
  const at = seenByNode.push({ method, target, version, headers: headersOf(req), body: undefined });
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', () => {
    const body = Buffer.concat(chunks).toString('latin1');
    const closesInTrailers = req.trailers['connection'] !== undefined;
    seenByNode[at - 1] = { ...seenByNode[at - 1]!, body, closesInTrailers };
    res.setHeader('Content-Length', '2');
    res.end('ok');
  });
}

function headersOf({ rawHeaders }: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (!NAMES.includes(name)) continue;
    const before = headers[name];
    headers[name] = before === undefined ? rawHeaders[at + 1]! : `${before}, ${rawHeaders[at + 1]}`;
  }
  return headers;
}

async function askNode(bytes: string): Promise<Verdict> {
  seenByNode = [];
  isRefusedByNode = false;
  const socket = await connectTo(node);
  const found = await verdict(socket, [bytes], () => seenByNode);
  return { ...found, isOpen: found.isOpen && !isRefusedByNode };
}

// Ours.

let seenByUs: Seen[] = [];
const application: Application = {
  handle(exchange) {
    const { method, target } = exchange;
    const headers = headersOfExchange(exchange);
    exchange.receive(Infinity, (body) => {
      if (isFailure(body)) throw new Error('no body is too large');
      seenByUs.push({ method, target, headers, body: body.toString('latin1') });
      exchange.send(200, '', 'ok');
    });
  },
  describe: ({ code }) => ({ headers: '', body: `${code}\n` }),
};
const host = new TestHost(application);

function headersOfExchange(exchange: Exchange): Record<string, string> {
  const pairs = NAMES.map((name) => [name, exchange.header(name)] as const);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined)) as never;
}

async function askUs(pieces: readonly string[]): Promise<Verdict> {
  seenByUs = [];
  return await verdict(await host.connect(), pieces, () => seenByUs);
}

async function verdict(
  socket: MemorySocket,
  pieces: readonly string[],
  seen: () => readonly Seen[],
): Promise<Verdict> {
  await socket.feedPieces(pieces);
  const isOpen = !socket.isEnded;
  const received = socket.received.replaceAll(/Date: [^\r]*\r\n/g, '');
  await dispose(socket);
  return { seen: seen(), isOpen, received };
}

// What differs on purpose.

/** A request that node:http accepts and we do not, or after which we close and it does not. */
interface Difference {
  readonly why: string;
  readonly applies: (request: Seen) => boolean;
  readonly ours: 'refused' | 'the last';
}

const DIFFERENCES: readonly Difference[] = [
  {
    why: 'another version is another protocol',
    applies: ({ version }) => version !== '1.1' && version !== '1.0',
    ours: 'refused',
  },
  {
    why: 'one Host that is a host (RFC 9112 §3.2); Node leaves it to the application',
    applies: ({ version, headers: { host: name } }) =>
      name === undefined
        ? version === '1.1'
        : !/^(\[[\da-f:.]+\]|[\w.~!$&'()*+;=%-]+)(:\d*)?$/i.test(name),
    ours: 'refused',
  },
  {
    why: 'a coding that is not understood is 501 (RFC 9112 §6.1)',
    applies: ({ headers: { 'transfer-encoding': coding } }) =>
      coding !== undefined && coding.toLowerCase() !== 'chunked',
    ours: 'refused',
  },
  {
    why: 'another expectation is 417; Node has an event for it',
    applies: ({ version, headers: { expect: expectation } }) =>
      version === '1.1' && expectation !== undefined && expectation !== '100-continue',
    ours: 'refused',
  },
  {
    why: 'a field with one value that has two is of two minds; Node takes the first',
    applies: ({ headers: { 'content-type': type } }) => /^(.*), (?!\1$)/.test(type ?? ''),
    ours: 'refused',
  },
  {
    why: 'nobody of HTTP/1.0 knows chunks (RFC 9112 §6.1)',
    applies: ({ version, headers }) =>
      version === '1.0' && headers['transfer-encoding'] !== undefined,
    ours: 'the last',
  },
];

/** Two types that agree are one; Node's list of raw headers has both. */
function withoutTwins(headers: Seen['headers']): Seen['headers'] {
  const type = /^(.*), \1$/.exec(headers['content-type'] ?? '')?.[1];
  return type === undefined ? headers : { ...headers, 'content-type': type };
}

/** What we should have seen, from what node:http did; whether the connection should go on. */
function expected({ seen, isOpen }: Verdict): {
  seen: Seen[];
  isOpen: boolean;
  isOutOfStep: boolean;
} {
  const ours: Seen[] = [];
  for (const { version = '', closesInTrailers, ...request } of seen) {
    const found = DIFFERENCES.find(({ applies }) => applies({ version, ...request }));
    if (found?.ours === 'refused') return { seen: ours, isOpen: false, isOutOfStep: false };
    if (request.body === undefined) break;
    ours.push({ ...request, headers: withoutTwins(request.headers) });
    if (found?.ours === 'the last') return { seen: ours, isOpen: false, isOutOfStep: false };
    // Node drops what follows an upgrade that nobody wanted, and heeds a Connection among trailers.
    const upgrades = /upgrade/i.test(request.headers['connection'] ?? '');
    if (closesInTrailers || (upgrades && request.headers['upgrade'] !== undefined)) {
      return { seen: ours, isOpen: true, isOutOfStep: true };
    }
  }
  return { seen: ours, isOpen, isOutOfStep: false };
}

/** Methods that node:http does not hand on as requests; we do, and close. */
function isStrange({ method }: Seen): boolean {
  return method === 'CONNECT' || !METHODS.includes(method) || method === 'DESCRIBE';
}

/** Compares the two servers over the same bytes; returns our verdict over the whole of them. */
async function compare(bytes: string): Promise<Verdict> {
  const should = expected(await askNode(bytes));
  const byUs = await askUs([bytes]);
  expectOneAnswerEach(byUs);
  // Node refuses a method at its first strange letter; we read on for the target, to answer 404 or 405.
  const isWaiting = byUs.isOpen && !should.isOpen;
  expectSame(isWaiting ? await askUs([bytes, '\r\n\r\n']) : byUs, should);
  return byUs;
}

function expectSame(byUs: Verdict, should: ReturnType<typeof expected>): void {
  const last = byUs.seen.at(-1);
  const isStranger = last !== undefined && byUs.seen.length > should.seen.length && isStrange(last);
  const seen = isStranger ? byUs.seen.slice(0, -1) : byUs.seen;
  if (should.isOutOfStep) expect(seen.slice(0, should.seen.length)).toEqual(should.seen);
  else expect({ seen, isOpen: byUs.isOpen }).toEqual({ seen: should.seen, isOpen: should.isOpen });
  if (isStranger) expect(byUs.isOpen).toBe(false);
}

/** As many answers as requests, and one more where the connection was refused. */
function expectOneAnswerEach({ seen, isOpen, received }: Verdict): void {
  const answers = received.match(/(?<=^|ok|\n)HTTP\/1\.1 (?!100)/g)?.length ?? 0;
  expect(answers).toBeGreaterThanOrEqual(seen.length);
  expect(answers).toBeLessThanOrEqual(seen.length + (isOpen ? 0 : 1));
}

function withoutContinue({ received, ...rest }: Verdict): Verdict {
  // Whoever has sent the body already is not told to.
  return { ...rest, received: received.replaceAll('HTTP/1.1 100 Continue\r\n\r\n', '') };
}

test.each(CASES)('$name', async ({ bytes }) => {
  const whole = withoutContinue(await compare(bytes));
  for (let at = 1; at < bytes.length; at++) {
    const cut = await askUs([bytes.slice(0, at), bytes.slice(at)]);
    expect(withoutContinue(cut), `cut at ${at}`).toEqual(whole);
  }
  expect(withoutContinue(await askUs(bytes.split(''))), 'byte by byte').toEqual(whole);
});

const MUTANTS = Number(process.env['MEMHASHD_MUTANTS'] ?? 3000);

test(`${MUTANTS} mutants of them, cut at random`, async () => {
  const random = seededRandom('mutants of requests');
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const spice = [
    '\r',
    '\n',
    '\r\n',
    ' ',
    '\t',
    '\0',
    ':',
    ';',
    ',',
    '0',
    '1',
    'a',
    '\xff',
    'chunked',
  ];
  for (let n = 0; n < MUTANTS; n++) {
    let bytes = pick(CASES).bytes + (random() < 0.5 ? pick(CASES).bytes : '');
    for (let changes = 1 + Math.floor(random() * 3); changes > 0; changes--) {
      const at = Math.floor(random() * bytes.length);
      const drop = random() < 0.5 ? 1 + Math.floor(random() * 3) : 0;
      bytes = bytes.slice(0, at) + (random() < 0.7 ? pick(spice) : '') + bytes.slice(at + drop);
    }
    try {
      const whole = withoutContinue(await compare(bytes));
      const cuts = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
        Math.floor(random() * bytes.length),
      ).toSorted((a, b) => a - b);
      const pieces = [...cuts, bytes.length].map((end, k) => bytes.slice(cuts[k - 1] ?? 0, end));
      const cut = await askUs(pieces.filter((piece) => piece !== ''));
      expect(withoutContinue(cut), `cut at ${cuts.join()}`).toEqual(whole);
    } catch (error) {
      throw new Error(`mutant ${n}: ${JSON.stringify(bytes)}`, { cause: error });
    }
  }
});
