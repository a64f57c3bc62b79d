/** Exchanges over `node:http`. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import type { Failure } from '../base/errors.ts';
import type { BodyReceiver } from './body.ts';
import type { Exchange, Piece } from './exchange.ts';

export class NodeExchange implements Exchange {
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #bodies: BodyReceiver;
  /** The head of an answer that has begun and of which nothing was written. */
  #head: readonly [number, readonly string[]] | undefined;

  constructor(req: IncomingMessage, res: ServerResponse, bodies: BodyReceiver) {
    this.#req = req;
    this.#res = res;
    this.#bodies = bodies;
  }

  get method(): string {
    return this.#req.method ?? '';
  }

  get target(): string {
    return this.#req.url ?? '';
  }

  header(name: string): string | undefined {
    const value = this.#req.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  receive(maxBytes: number, done: (body: Buffer | Failure) => void): void {
    this.#bodies.receive(this.#req, this.#res, maxBytes, done);
  }

  send(status: number, headers: readonly string[], body: Piece | readonly Piece[]): void {
    if (this.isAnswered) return;
    const whole = typeof body === 'string' || body instanceof Uint8Array ? body : joined(body);
    const hasBody = status !== 304 && status !== 204;
    const length = hasBody ? ['Content-Length', String(whole.length)] : [];
    this.#res.writeHead(status, [...headers, ...length]);
    if (typeof whole === 'string') this.#res.end(whole, 'latin1');
    else this.#res.end(whole);
  }

  begin(status: number, headers: readonly string[]): void {
    this.#head = [status, headers];
  }

  write(piece: Piece): boolean {
    this.#sendHead();
    return typeof piece === 'string' ? this.#res.write(piece, 'latin1') : this.#res.write(piece);
  }

  end(piece: Piece = ''): void {
    this.#sendHead();
    if (typeof piece === 'string') this.#res.end(piece, 'latin1');
    else this.#res.end(piece);
  }

  drained(): Promise<void> {
    const res = this.#res;
    if (res.destroyed || !res.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        res.off('drain', done).off('close', done);
        resolve();
      };
      res.on('drain', done).on('close', done);
    });
  }

  abort(): void {
    this.#res.destroy();
  }

  get isAnswered(): boolean {
    return this.#head !== undefined || this.#res.headersSent;
  }

  get isGone(): boolean {
    return this.#res.destroyed;
  }

  #sendHead(): void {
    if (this.#head === undefined || this.#res.headersSent) return;
    const [status, headers] = this.#head;
    this.#res.writeHead(status, [...headers]);
  }
}

function joined(pieces: readonly Piece[]): Uint8Array {
  return Buffer.concat(
    pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)),
  );
}
