/** A page in a headless Chromium, which reports to the test what it sees. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';

/** What makes a browser start soon, stay quiet, and run as whoever runs tests. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Gives scripts `report(list)`, which sends JSON to the test, in order. */
const REPORT = `let sent = Promise.resolve();
const report = (list) => {
  sent = sent.then(() => fetch('/report', { method: 'POST', body: JSON.stringify(list) }));
};`;

export class Page implements AsyncDisposable {
  /** What the script has reported so far. */
  readonly reports: (readonly unknown[])[] = [];
  readonly #server: Server;
  #html = '';
  #chromium: ChildProcess | undefined;
  #profile: string | undefined;

  private constructor() {
    this.#server = createServer((req, res) => void this.#answer(req, res));
  }

  /** A page that has an origin, and is not shown yet. */
  static async open(): Promise<Page> {
    const page = new Page();
    page.#server.listen(0, '127.0.0.1');
    await once(page.#server, 'listening');
    return page;
  }

  /** Scheme, host and port of the page. */
  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Shows it with this script. */
  async run(script: string): Promise<void> {
    this.#html = `<!doctype html><script type="module">${REPORT}\n${script}</script>`;
    this.#profile = await mkdtemp(join(tmpdir(), 'memhashd-browser-'));
    const flags = [...FLAGS, `--user-data-dir=${this.#profile}`, '--remote-debugging-port=0'];
    this.#chromium = spawn('chromium', [...flags, this.origin], { stdio: 'ignore' });
  }

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.method === 'POST') {
      this.reports.push((await json(req)) as unknown[]);
      res.end();
    } else res.setHeader('Content-Type', 'text/html').end(this.#html);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#chromium?.kill('SIGTERM') === true) await once(this.#chromium, 'exit');
    this.#server.closeAllConnections();
    this.#server.close();
    // Its helpers may still be writing there.
    if (this.#profile !== undefined) {
      await rm(this.#profile, { recursive: true, force: true, maxRetries: 20 });
    }
  }
}
