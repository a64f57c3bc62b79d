// One channel over a pipe in memory: what is said when, who is given up when, and what is held of whom.
import { expect, test } from 'vitest';

import { FakeNetwork, type FakeTransport } from '../../test/support/fake-network.ts';
import { SteppedTimers } from '../../test/support/stepped-timers.ts';
import { Budget } from '../base/budget.ts';
import { Channel, type ChannelOptions, type ChannelRole, type ChannelUser } from './channel.ts';
import { FrameWriter, type Frame, type FrameKind } from './frame.ts';
import type { Pipe } from './transport.ts';

const MIB = 1024 * 1024;
const MAGIC = Buffer.from('memhashd');

/** What a channel tells its user. */
class Log implements ChannelUser {
  readonly frames: Frame[] = [];
  readonly progress: number[] = [];
  closed: string | undefined;
  onFrame(got: Frame): void {
    this.frames.push(got);
  }
  onProgress(id: number): void {
    this.progress.push(id);
  }
  onBeat(): void {}
  onClose(reason: string): void {
    this.closed = reason;
  }
}

interface Scene {
  readonly network: FakeNetwork;
  readonly timers: SteppedTimers;
  readonly options: ChannelOptions;
  /** The other end of the channel, raw. */
  readonly pipe: Pipe;
  readonly received: Buffer[];
  readonly channel: Channel;
  readonly log: Log;
}

/** A channel whose other end is free to send anything; by default that has dialled this one. */
async function scene(role: ChannelRole = 'answers'): Promise<Scene> {
  const timers = new SteppedTimers();
  const network = new FakeNetwork(timers);
  const options: ChannelOptions = {
    timers,
    incoming: new Budget(64 * MIB),
    outgoing: new Budget(64 * MIB),
    strangers: new Budget(100_000),
  };
  const log = new Log();
  const [pipe, far] = await dialled(network, network.transport('a:1'), timers);
  const channel = new Channel(far, log, options, role);
  const received: Buffer[] = [];
  pipe.attach({
    onBytes: (chunk) => void received.push(chunk),
    onSent: () => {},
    onClose: () => {},
  });
  return { network, timers, options, pipe, received, channel, log };
}

/** Both ends of a pipe. */
async function dialled(
  network: FakeNetwork,
  from: FakeTransport,
  timers: SteppedTimers,
): Promise<readonly [Pipe, Pipe]> {
  const ends: Pipe[] = [];
  network.transport('b:1').accept((guest) => 'pipe' in guest && ends.push(guest.pipe));
  from.dial('b:1', (outcome) => void ends.unshift(outcome as Pipe));
  await timers.step(10);
  return [ends[0]!, ends[1]!];
}

/** A whole frame of `length` bytes. */
function frame(kind: FrameKind, length: number): Buffer {
  const writer = new FrameWriter(length);
  writer.begin(kind, 1, length);
  writer.copy({ bytes: Buffer.alloc(length), start: 0, end: length });
  writer.end();
  return Buffer.concat(writer.take());
}

/** Lets time go by in which the other end sends `bytes` again and again. */
async function drip(at: Scene, bytes: Buffer, everyMs: number, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    at.pipe.write([bytes]);
    await at.timers.step(everyMs);
  }
}

test('who says nothing is closed within little more than a second', async () => {
  const at = await scene();
  await at.timers.step(1500);
  expect(at.log.closed).toBe('it says nothing');
});

test('who says no hello is closed within little more than two seconds, whatever else it sends', async () => {
  const at = await scene();
  at.pipe.write([MAGIC]);
  await drip(at, frame('beat', 0), 200, 13);
  expect(at.log.closed).toBe('it said no hello');
});

test('a peer that was dialled may take as long to say hello as one whose link is up may be silent', async () => {
  const at = await scene('asks');
  await at.timers.step(4800);
  at.pipe.write([MAGIC]);
  await at.timers.step(4800);
  expect(at.log.closed).toBeUndefined();
  at.channel.open();
  await at.timers.step(100);
  await drip(at, frame('beat', 0), 4000, 3);
  expect(at.log.closed).toBeUndefined();
});

test('a peer that was dialled is given up when it stays silent, or says other things for long', async () => {
  const mute = await scene('asks');
  await mute.timers.step(5500);
  expect(mute.log.closed).toBe('it gives no sign of life');
  const vague = await scene('asks');
  vague.pipe.write([MAGIC]);
  await drip(vague, frame('beat', 0), 500, 21);
  expect(vague.log.closed).toBe('it said no hello');
});

test('a peer that goes silent is given up after some seconds, one that beats is not', async () => {
  const at = await scene();
  at.pipe.write([MAGIC]);
  await at.timers.step(10);
  at.channel.open();
  await drip(at, frame('beat', 0), 4000, 10);
  expect(at.log.closed).toBeUndefined();
  await at.timers.step(6000);
  expect(at.log.closed).toBe('it gives no sign of life');
});

test('what came while this node was held up counts before its peers are judged', async () => {
  const at = await scene();
  at.pipe.write([MAGIC]);
  await at.timers.step(10);
  at.channel.open();
  // Every beat falls together with a byte that has come but was not read yet.
  await drip(at, frame('beat', 0), 250, 100);
  expect(at.log.closed).toBeUndefined();
});

test('a frame that is dripped is given up, one in time is not', async () => {
  const at = await scene();
  at.pipe.write([MAGIC]);
  await at.timers.step(10);
  at.channel.open();
  const bytes = frame('state', 1000);
  at.pipe.write([bytes.subarray(0, 500)]);
  await at.timers.step(4000);
  at.pipe.write([bytes.subarray(500)]);
  await at.timers.step(10);
  expect(at.log.frames).toHaveLength(1);
  at.pipe.write([bytes.subarray(0, 9)]);
  for (let n = 9; n < 20; n++) await drip(at, bytes.subarray(n, n + 1), 1000, 1);
  expect(at.log.closed).toBe('it takes too long for a frame');
});

test('what strangers hold is bounded for all together, and a hello in one piece never counts', async () => {
  const at = await scene();
  at.pipe.write([MAGIC, frame('hello', 90_000).subarray(0, 60_000)]);
  await at.timers.step(10);
  expect(at.options.strangers.takenBytes).toBe(60_000);
  const [near, far] = await dialled(at.network, at.network.transport('c:1'), at.timers);
  const other = new Log();
  const second = new Channel(far, other, at.options, 'answers');
  near.write([MAGIC, frame('hello', 90_000)]);
  await at.timers.step(10);
  expect(other.frames).toHaveLength(1);
  near.write([frame('hello', 90_000).subarray(0, 60_000)]);
  await at.timers.step(10);
  expect(other.closed).toBe('too much has come of those who have not said hello');
  second.close('');
  at.channel.close('');
  expect(at.options.strangers.takenBytes).toBe(0);
});

test('a small frame goes out before the rest of a large one', async () => {
  const at = await scene();
  at.pipe.write([MAGIC]);
  await at.timers.step(10);
  at.channel.open();
  at.channel
    .beginFrame('reply', 7, 4 * MIB)
    .copy({ bytes: Buffer.alloc(4 * MIB), start: 0, end: 4 * MIB });
  at.channel.endFrame();
  at.channel.sendText('refusal', 8, 'small');
  await at.timers.settle();
  await at.timers.step(1);
  const text = Buffer.concat(at.received).toString('latin1');
  expect(text.length).toBeLessThan(MIB);
  expect(text).toContain('small');
  await at.timers.step(1000);
  expect(Buffer.concat(at.received).length).toBeGreaterThan(4 * MIB);
  expect(at.log.progress).toContain(7);
  expect(at.options.outgoing.takenBytes).toBe(0);
});

test('a peer that reads slowly but steadily is kept, one that stops is closed', async () => {
  const at = await scene();
  at.pipe.write([MAGIC]);
  await at.timers.step(10);
  at.channel.open();
  at.pipe.pause();
  const bytes = Buffer.alloc(4 * MIB);
  at.channel.beginFrame('reply', 7, 4 * MIB).copy({ bytes, start: 0, end: bytes.length });
  at.channel.endFrame();
  for (let n = 0; n < 10; n++) {
    at.pipe.resume();
    await at.timers.settle();
    at.pipe.pause();
    await drip(at, frame('beat', 0), 1000, 3);
  }
  expect(at.log.closed).toBeUndefined();
  await drip(at, frame('beat', 0), 1000, 7);
  expect(at.log.closed).toBe('it does not read what it is sent');
  expect(at.options.outgoing.takenBytes).toBe(0);
});
