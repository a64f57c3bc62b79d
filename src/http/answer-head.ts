/** Heads of answers: status lines, the date, and what concerns the connection. */

/** Reason phrases of the statuses that are answered here. */
const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  507: 'Insufficient Storage',
};

const STATUS_LINES = new Map(
  Object.entries(REASONS).map(([status, reason]) => [
    Number(status),
    `HTTP/1.1 ${status} ${reason}\r\n`,
  ]),
);

/** The status line of an answer; headers, or an empty line, follow. */
export function statusLine(status: number): string {
  return STATUS_LINES.get(status) ?? `HTTP/1.1 ${status} \r\n`;
}

/** Whether an answer of this status has a body (RFC 9110 §6.4.1). */
export function hasBody(status: number): boolean {
  return status !== 304 && status !== 204;
}

/** The ends of heads. They tell the time, so they are made anew about once a second. */
export class HeadEnds {
  readonly #idleSeconds: number;
  /** For a connection that stays open; the client learns for how long. */
  staying = '';
  closing = '';

  constructor(idleMs: number) {
    this.#idleSeconds = Math.floor(idleMs / 1000);
    this.renew();
  }

  renew(): void {
    const date = `Date: ${new Date().toUTCString()}\r\n`;
    const idle = `Keep-Alive: timeout=${this.#idleSeconds}\r\n`;
    this.staying = `${date}Connection: keep-alive\r\n${idle}\r\n`;
    this.closing = `${date}Connection: close\r\n\r\n`;
  }
}
