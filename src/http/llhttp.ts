/**
 * llhttp, the HTTP parser of Node itself, as WebAssembly: how it is loaded, and one call of it. The
 * module is instantiated once a process and never entered twice.
 */

import { createRequire } from 'node:module';

/** Who is told what a parser finds; positions count in the bytes that {@link parse} was given. */
export interface Findings {
  onTarget(start: number, end: number): void;
  onFieldName(start: number, end: number): void;
  onFieldValue(start: number, end: number): void;
  onHead(keepsAlive: boolean): void;
  onBody(start: number, end: number): void;
  onEnd(): void;
}

/** Results of llhttp_execute that mean something here. */
const OK = 0;
export const INVALID_METHOD = 6;
/** Among others: a method of another protocol, such as RTSP, in an HTTP request. */
export const INVALID_CONSTANT = 8;
const PAUSED = 21;

/** The kind of messages that llhttp_alloc is asked to parse. */
const REQUESTS = 1;

/** Bytes that are copied into the parser's memory at a time: at least what a socket reads at once. */
const INPUT_BYTES = 64 * 1024;

/** What llhttp exports; all numbers are addresses in its memory, lengths and codes. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  malloc(bytes: number): number;
  llhttp_alloc(kind: number): number;
  llhttp_reset(parser: number): void;
  llhttp_free(parser: number): void;
  llhttp_execute(parser: number, address: number, length: number): number;
  llhttp_get_error_pos(parser: number): number;
  llhttp_get_error_reason(parser: number): number;
}

declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: unknown };
};

/** Who is told at present, and what leads from addresses of the input to positions in the bytes. */
let listener: Findings | undefined;
let shift = 0;

/** The callbacks of llhttp. They never throw, and tell nobody but the listener. */
const CALLBACKS = {
  wasm_on_message_begin: () => OK,
  wasm_on_status: () => OK,
  wasm_on_url(_parser: number, at: number, length: number): number {
    listener!.onTarget(at + shift, at + shift + length);
    return OK;
  },
  wasm_on_header_field(_parser: number, at: number, length: number): number {
    listener!.onFieldName(at + shift, at + shift + length);
    return OK;
  },
  wasm_on_header_value(_parser: number, at: number, length: number): number {
    listener!.onFieldValue(at + shift, at + shift + length);
    return OK;
  },
  wasm_on_headers_complete(_parser: number, _status: number, _upgrade: number, keepsAlive: number) {
    listener!.onHead(keepsAlive !== 0);
    return OK;
  },
  wasm_on_body(_parser: number, at: number, length: number): number {
    listener!.onBody(at + shift, at + shift + length);
    return OK;
  },
  // Stops the parser: what follows belongs to the next request, whose turn comes later.
  wasm_on_message_complete(): number {
    listener!.onEnd();
    return PAUSED;
  },
};

const require = createRequire(import.meta.url);

/** The builds that undici ships, as bytes; the first needs a processor with SIMD. */
const BUILDS = {
  simd: () => require('undici/lib/llhttp/llhttp_simd-wasm.js') as Uint8Array,
  plain: () => require('undici/lib/llhttp/llhttp-wasm.js') as Uint8Array,
};

/** An instance of llhttp, and the parsers in its memory; a number stands for a parser. */
export class Llhttp {
  readonly #exports: Exports;
  readonly #inputAddress: number;
  #memory: Uint8Array;
  /** The bytes of which a window lies in the input: pipelined requests are copied there only once. */
  #windowOf: Buffer | undefined;
  #windowStart = 0;

  /** @throws Error where the machine cannot run the build. */
  constructor(build: keyof typeof BUILDS) {
    const module = new WebAssembly.Module(BUILDS[build]());
    const instance = new WebAssembly.Instance(module, { env: CALLBACKS });
    this.#exports = instance.exports as Exports;
    this.#exports._initialize();
    this.#inputAddress = this.#exports.malloc(INPUT_BYTES);
    this.#memory = new Uint8Array(this.#exports.memory.buffer);
  }

  /** Makes a parser for requests. */
  allocate(): number {
    const parser = this.#exports.llhttp_alloc(REQUESTS);
    // Memory that grew has another buffer; views of the old one are dead.
    if (this.#memory.length === 0) this.#memory = new Uint8Array(this.#exports.memory.buffer);
    return parser;
  }

  free(parser: number): void {
    this.#exports.llhttp_free(parser);
  }

  /** Makes a parser forget all it has read. */
  reset(parser: number): void {
    this.#exports.llhttp_reset(parser);
  }

  /**
   * Parses `bytes` from `from` on, up to the end of a request or of the bytes.
   *
   * @returns the position where the parser stopped; below 0 the negative number of its error.
   */
  parse(parser: number, findings: Findings, bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; ) {
      this.#show(bytes, at);
      const length = Math.min(bytes.length, this.#windowStart + INPUT_BYTES) - at;
      shift = this.#windowStart - this.#inputAddress;
      const code = this.#execute(parser, findings, at - shift, length);
      if (code === PAUSED) return this.#exports.llhttp_get_error_pos(parser) + shift;
      if (code !== OK) return -code;
      at += length;
    }
    return bytes.length;
  }

  /**
   * Lets a parser pass over `length` bytes of a body whose length it knows. It does not look at such
   * bytes, so they need not be copied for it: what lies in its input serves as well.
   *
   * @returns as {@link parse}, with 0 as the position of the first of the bytes.
   */
  passOver(parser: number, findings: Findings, length: number): number {
    for (let at = 0; at < length; ) {
      const step = Math.min(length - at, INPUT_BYTES);
      shift = at - this.#inputAddress;
      const code = this.#execute(parser, findings, this.#inputAddress, step);
      if (code === PAUSED) return this.#exports.llhttp_get_error_pos(parser) + shift;
      if (code !== OK) return -code;
      at += step;
    }
    return length;
  }

  /** What llhttp says about the error that stopped a parser. */
  errorReason(parser: number): string {
    const start = this.#exports.llhttp_get_error_reason(parser);
    const reason = this.#memory.subarray(start, this.#memory.indexOf(0, start));
    return Buffer.from(reason).toString('latin1');
  }

  /** Makes the byte at `at` lie in the input, with as many behind it as fit. */
  #show(bytes: Buffer, at: number): void {
    if (this.#windowOf === bytes && at >= this.#windowStart) {
      if (at < this.#windowStart + INPUT_BYTES) return;
    }
    const isWhole = at === 0 && bytes.length <= INPUT_BYTES;
    this.#memory.set(isWhole ? bytes : bytes.subarray(at, at + INPUT_BYTES), this.#inputAddress);
    this.#windowOf = bytes;
    this.#windowStart = at;
  }

  #execute(parser: number, findings: Findings, address: number, length: number): number {
    if (listener !== undefined) throw new Error('the parser is entered twice');
    listener = findings;
    const code = this.#exports.llhttp_execute(parser, address, length);
    listener = undefined;
    return code;
  }
}

/** Loads the build that is faster where the machine can run it. */
export function loadLlhttp(): Llhttp {
  try {
    return new Llhttp('simd');
  } catch {
    return new Llhttp('plain');
  }
}
