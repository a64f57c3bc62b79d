/** Commands on their way to a server. */

import type { Writable } from 'node:stream';

import { VALKEY_PIECE_BYTES } from '../base/limits.ts';

/** A command or a part of one; of text, each character is a byte. */
export type Piece = string | Buffer;

/**
 * What one turn of the event loop sends over a connection goes out in one write: with a write a command, the
 * system would take most of the time. What is larger goes in pieces, each when the system has taken the one
 * before, so that it can be seen whether it moves.
 */
export class Outbox {
  readonly #stream: Pick<Writable, 'write'>;
  #commands: Piece[] = [];
  #isUnderway = false;
  /** Whether a piece was written that the system has not taken yet. */
  #isHeld = false;
  /** How many it has taken. */
  #taken = 0;
  /** That as of the last call of `hasMoved`, if one was held then. */
  #takenBefore = Infinity;

  constructor(stream: Pick<Writable, 'write'>) {
    this.#stream = stream;
  }

  /** Takes a command. */
  write(command: Piece): boolean {
    this.#commands.push(command);
    if (!this.#isUnderway) {
      this.#isUnderway = true;
      setImmediate(() => this.#send());
    }
    return true;
  }

  /**
   * Whether a piece that was held up at the last call is gone. That is room which the server has made; what the
   * system takes at once says nothing about the server.
   */
  hasMoved(): boolean {
    const hasMoved = this.#taken > this.#takenBefore;
    this.#takenBefore = this.#isHeld ? this.#taken : Infinity;
    return hasMoved;
  }

  #send(): void {
    this.#isHeld = true;
    this.#stream.write(this.#next(), 'latin1', this.#onTaken);
  }

  /** A connection that is lost takes nothing more. */
  readonly #onTaken = (error?: Error | null): void => {
    this.#isHeld = false;
    this.#taken++;
    if (error) this.#commands = [];
    else if (this.#commands.length > 0) this.#send();
    else this.#isUnderway = false;
  };

  /** As many whole commands as fit into a piece, or a piece of one that does not. */
  #next(): Piece {
    const commands = this.#commands;
    let count = 0;
    for (let bytes = 0; count < commands.length; count++) {
      bytes += commands[count]!.length;
      if (bytes > VALKEY_PIECE_BYTES) break;
    }
    if (count === commands.length) {
      this.#commands = [];
      return join(commands);
    }
    if (count > 0) return join(commands.splice(0, count));
    const large = bytesOf(commands[0]!);
    commands[0] = large.subarray(VALKEY_PIECE_BYTES);
    return large.subarray(0, VALKEY_PIECE_BYTES);
  }
}

function bytesOf(piece: Piece): Buffer {
  return typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece;
}

function join(pieces: readonly Piece[]): Piece {
  if (pieces.every((piece) => typeof piece === 'string')) return pieces.join('');
  return Buffer.concat(pieces.map(bytesOf));
}
