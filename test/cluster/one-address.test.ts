// Two nodes that say they are at one address: one of them is a member, the other is told so and ends.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { expect, test } from 'vitest';

import { eventually } from '../support/eventually.ts';
import { TestCluster } from '../support/test-cluster.ts';

test('two nodes with one -advertise-addr: the second is refused, and the first goes on serving', async () => {
  await using cluster = await TestCluster.form(2);
  expect((await cluster.ask(1, 'PUT', 'key', 1)).status).toBe(200);
  const taken = cluster.peer(1);
  const reason = new RegExp(
    `another life of ${taken} is there|cannot join ${taken}: both nodes say that they are ${taken}`,
  );
  // That it lists nobody but itself makes it no cluster of its own.
  for (const join of [[cluster.peer(2)], cluster.peers(2), [taken]]) {
    const second = cluster.start(3, join, ['-advertise-addr', taken, '-join-retries', '0']);
    expect(await second.exit).toEqual({ code: 1, signal: null });
    expect(second.stderr).toMatch(reason);
    expect(second.stderr).not.toContain('this node is a member');
  }
  const states = (await cluster.view(2)).map(({ addr, state }) => [addr, state]);
  expect(states).toEqual([
    [cluster.peer(1), 'up'],
    [cluster.peer(2), 'self'],
  ]);
  for (const n of [1, 2]) expect((await cluster.ask(n, 'GET', 'key')).body.data).toBe(1);
}, 60_000);

/** An address that leads to one machine, and after a while to another. */
class MovingAddress implements Disposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port: number;

  private constructor(server: Server, host: string, port: number) {
    this.#server = server;
    this.#port = port;
    server.on('connection', (near: Socket) => this.#join(near, connect(this.#port, host)));
  }

  /** Listens at one port of a host, and leads to another. */
  static async listen(host: string, port: number, leadsTo: number): Promise<MovingAddress> {
    const server = createServer();
    const address = new MovingAddress(server, host, leadsTo);
    server.listen(port, host);
    await once(server, 'listening');
    return address;
  }

  /** Leads to another port from now on; what leads to the former is cut. */
  moveTo(port: number): void {
    this.#port = port;
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket, far: Socket): void {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }

  [Symbol.dispose](): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

test('a member that was cut off, and comes back when another has its address: it is told so, and ends', async () => {
  await using cluster = await TestCluster.of();
  const [address, oldPort, newPort] = [cluster.peer(2), 2381, 2382];
  using moving = await MovingAddress.listen(cluster.host, 2372, oldPort);
  const at = (port: number): string[] =>
    [
      ['-server-addr', `${cluster.host}:${port}`],
      ['-advertise-addr', address],
    ].flat();
  cluster.start(1, cluster.peers(2));
  const former = cluster.start(2, cluster.peers(2), at(oldPort));
  await cluster.formed();

  former.signal('SIGSTOP');
  moving.moveTo(newPort);
  const present = cluster.start(3, [cluster.peer(1)], at(newPort));
  await present.logged('serving');
  expect((await cluster.ask(3, 'PUT', 'key', 'new')).status).toBe(200);

  former.signal('SIGCONT');
  expect(await former.exit).toMatchObject({ code: 1 });
  const reason = new RegExp(`^${cluster.peer(1)} says: `);
  await former.logged('this node was put out of its cluster', { reason });
  await eventually(async () => {
    const states = (await cluster.view(1)).map(({ addr, state }) => `${addr} ${state}`);
    expect(states).toEqual([`${cluster.peer(1)} self`, `${address} up`]);
  });
  for (const n of [1, 3]) expect((await cluster.ask(n, 'GET', 'key')).body.data).toBe('new');
}, 60_000);
