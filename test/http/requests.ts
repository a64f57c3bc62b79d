/** A corpus of requests: valid ones of every form, and every way to be wrong. */

/** What may be sent on one connection, by a name for it. */
export interface Case {
  readonly name: string;
  readonly bytes: string;
}

const HOST = 'Host: x\r\n';

function get(head: string): string {
  return `GET /a HTTP/1.1\r\n${HOST}${head}\r\n`;
}

function put(head: string, body: string): string {
  return `PUT /a HTTP/1.1\r\n${HOST}${head}\r\n${body}`;
}

const chunked = 'Transfer-Encoding: chunked\r\n';
const next = get('X: next\r\n');

/** One request that is in order, or more of them. */
const GOOD: readonly [string, string][] = [
  ['a GET', get('')],
  ['headers', get('Accept: */*\r\nX: a b\tc\r\nX-Empty:\r\n')],
  ['blanks around a value', get('X: \t a \t \r\n')],
  ['a value of high bytes', get('X: \xe9\xff\x80\r\n')],
  ['a header that comes twice', get('If-Match: "a"\r\nX: 1\r\nif-match: "b"\r\n')],
  ['names of every case', get('ACCEPT: a\r\nx: b\r\n')],
  ['a name of every character', get("!#$%&'*+-.^_`|~09az: 1\r\n")],
  ['a line end before', `\r\n${get('')}`],
  ['two in one packet', get('') + next],
  ['a HEAD', `HEAD /a HTTP/1.1\r\n${HOST}\r\n`],
  ['an OPTIONS of all', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`],
  ['a target with a host', `GET http://x/a?b=c HTTP/1.1\r\n${HOST}\r\n`],
  ['a target with high bytes', `GET /\xe9 HTTP/1.1\r\n${HOST}\r\n`],
  ['a method with a dash', `M-SEARCH /a HTTP/1.1\r\n${HOST}\r\n`],
  ['a body', put('Content-Length: 5\r\n', 'hello')],
  ['a body of none', put('Content-Length: 0\r\n', '')],
  ['a GET with a body', `GET /a HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi${next}`],
  ['a body and a request', put('Content-Length: 5\r\n', `hello${next}`)],
  ['a body that looks like a request', put(`Content-Length: ${next.length}\r\n`, next + next)],
  ['a length with zeros before it', put('Content-Length: 0005\r\n', `hello${next}`)],
  ['no length and no body', put('', next)],
  ['chunks', put(chunked, `5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n${next}`)],
  ['no chunks', put(chunked, `0\r\n\r\n${next}`)],
  ['chunks of one byte', put(chunked, `${'1\r\nx\r\n'.repeat(9)}0\r\n\r\n${next}`)],
  ['a chunk that looks like a chunk', put(chunked, `9\r\n0\r\n\r\nGET \r\n0\r\n\r\n${next}`)],
  ['chunk sizes in capitals, with zeros', put(chunked, `0A\r\n0123456789\r\n000\r\n\r\n${next}`)],
  ['chunk extensions', put(chunked, `5;a=b;c\r\nhello\r\n0;d="e;f"\r\n\r\n${next}`)],
  ['trailers', put(chunked, `1\r\nx\r\n0\r\nX: trailer\r\nY: z\r\n\r\n${next}`)],
  ['a coding in capitals', put('transfer-encoding: CHUNKED\r\n', `1\r\nx\r\n0\r\n\r\n${next}`)],
  ['HTTP/1.0', 'GET /a HTTP/1.0\r\n\r\n'],
  ['HTTP/1.0 that stays', `GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n${next}`],
  ['HTTP/1.0 that goes', `GET /a HTTP/1.0\r\n\r\n${next}`],
  ['a close', get('Connection: close\r\n') + next],
  ['a close among others', get('Connection: x, Close\r\n') + next],
  ['a body that waits', put('Expect: 100-continue\r\nContent-Length: 5\r\n', `hello${next}`)],
];

/** Heads that nothing should follow from. */
const BAD_HEADS: readonly [string, string][] = [
  ['garbage', '\x00\x01\xff garbage\r\n\r\n'],
  ['a greeting of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['no target', 'GET HTTP/1.1\r\n\r\n'],
  ['no version', 'GET /a\r\n\r\n'],
  ['HTTP/0.9', `GET /a HTTP/0.9\r\n${HOST}\r\n`],
  ['HTTP/2.0', `GET /a HTTP/2.0\r\n${HOST}\r\n`],
  ['HTTP/1.2', `GET /a HTTP/1.2\r\n${HOST}\r\n`],
  ['a long version', `GET /a HTTP/1.10\r\n${HOST}\r\n`],
  ['another protocol', `GET /a HTTQ/1.1\r\n${HOST}\r\n`],
  ['a small protocol', `GET /a http/1.1\r\n${HOST}\r\n`],
  ['two blanks', `GET  /a HTTP/1.1\r\n${HOST}\r\n`],
  ['a tab for a blank', `GET\t/a HTTP/1.1\r\n${HOST}\r\n`],
  ['a blank in the target', `GET /a b HTTP/1.1\r\n${HOST}\r\n`],
  ['a blank behind the version', `GET /a HTTP/1.1 \r\n${HOST}\r\n`],
  ['a blank before the method', ` GET /a HTTP/1.1\r\n${HOST}\r\n`],
  ['a NUL in the target', `GET /\0 HTTP/1.1\r\n${HOST}\r\n`],
  ['a method that nobody knows', `BREW /a HTTP/1.1\r\n${HOST}\r\n`],
  ['a method in small letters', `get /a HTTP/1.1\r\n${HOST}\r\n`],
  ['a method of RTSP', `DESCRIBE /a HTTP/1.1\r\n${HOST}\r\n`],
  ['a blank before a colon', get('X : a\r\n')],
  ['no name', get(': a\r\n')],
  ['no colon', get('X\r\n')],
  ['a NUL in a value', get('X: a\0b\r\n')],
  ['a NUL in a name', get('X\0: a\r\n')],
  ['a high byte in a name', get('X\xe9: a\r\n')],
  ['a bare CR in a value', get('X: a\rb\r\n')],
  ['a bare CR at the end of a line', `GET /a HTTP/1.1\r\n${HOST}X: a\r\r\n\r\n`],
  ['bare LFs', `GET /a HTTP/1.1\n${HOST.replace('\r', '')}\n`],
  ['a bare LF behind a header', `GET /a HTTP/1.1\r\n${HOST}X: a\nY: b\r\n\r\n`],
  ['a bare LF at the end', `GET /a HTTP/1.1\r\n${HOST}X: a\r\n\n`],
  ['an obsolete fold', get('X: a\r\n b\r\n')],
  ['a fold of a length', put('Content-Length:\r\n 5\r\n', 'hello')],
  ['a first header that is folded', 'GET /a HTTP/1.1\r\n Host: x\r\n\r\n'],
];

/** Ways to be of two minds about where a request ends. */
const TWO_MINDS: readonly [string, string][] = [
  ['both lengths', put(`Content-Length: 3\r\n${chunked}`, '0\r\n\r\n')],
  ['both lengths the other way round', put(`${chunked}Content-Length: 3\r\n`, '0\r\n\r\n')],
  ['two lengths that differ', put('Content-Length: 3\r\nContent-Length: 4\r\n', 'abcd')],
  ['two lengths that are the same', put('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc')],
  ['a list of lengths', put('Content-Length: 3, 3\r\n', 'abc')],
  ['a negative length', put('Content-Length: -1\r\n', '')],
  ['a length with a sign', put('Content-Length: +3\r\n', 'abc')],
  ['a length in hex', put('Content-Length: 0x3\r\n', 'abc')],
  ['a length that is a fraction', put('Content-Length: 3.0\r\n', 'abc')],
  ['a length that is a power', put('Content-Length: 1e0\r\n', 'a')],
  ['an empty length', put('Content-Length: \r\n', 'abc')],
  ['a length with a blank inside', put('Content-Length: 1 0\r\n', '0123456789')],
  ['a length past 2^64', put(`Content-Length: ${2n ** 64n + 3n}\r\n`, 'abc')],
  ['a length of vertical tabs', put('Content-Length: \x0b3\r\n', 'abc')],
  ['a coding that nobody knows', put('Transfer-Encoding: cow\r\n', 'abc')],
  ['a coding before chunks', put('Transfer-Encoding: cow, chunked\r\n', '0\r\n\r\n')],
  ['a coding behind chunks', put('Transfer-Encoding: chunked, cow\r\n', '0\r\n\r\n')],
  ['chunks twice', put('Transfer-Encoding: chunked, chunked\r\n', '0\r\n\r\n')],
  ['chunks in two headers', put(chunked + chunked, '0\r\n\r\n')],
  ['identity', put('Transfer-Encoding: identity\r\n', '0\r\n\r\n')],
  ['an empty coding', put('Transfer-Encoding:\r\n', '0\r\n\r\n')],
  ['a coding with a parameter', put('Transfer-Encoding: chunked;a=b\r\n', '0\r\n\r\n')],
  ['a coding in quotes', put('Transfer-Encoding: "chunked"\r\n', '0\r\n\r\n')],
  ['a coding with a vertical tab', put('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n')],
  ['a coding with a blank before its colon', put('Transfer-Encoding : chunked\r\n', '0\r\n\r\n')],
  ['a coding that is folded', put('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n')],
  ['an empty chunk size', put(chunked, '\r\nabc\r\n0\r\n\r\n')],
  ['a negative chunk size', put(chunked, '-1\r\na\r\n0\r\n\r\n')],
  ['a chunk size with 0x', put(chunked, '0x1\r\na\r\n0\r\n\r\n')],
  ['a chunk size with a blank', put(chunked, '1 \r\na\r\n0\r\n\r\n')],
  ['a chunk size with a blank before it', put(chunked, ' 1\r\na\r\n0\r\n\r\n')],
  ['a chunk size past 2^64', put(chunked, '10000000000000001\r\na\r\n0\r\n\r\n')],
  ['a chunk size with an underscore', put(chunked, '1_0\r\na\r\n0\r\n\r\n')],
  ['a chunk that is too long', put(chunked, '1\r\nab\r\n0\r\n\r\n')],
  ['a chunk that is too short', put(chunked, '3\r\nab\r\n0\r\n\r\n')],
  ['a chunk without its line end', put(chunked, '1\r\na0\r\n\r\n')],
  ['a chunk with a bare LF behind its size', put(chunked, '1\na\r\n0\r\n\r\n')],
  ['a chunk with a bare LF behind it', put(chunked, '1\r\na\n0\r\n\r\n')],
  ['a chunk with a bare CR behind it', put(chunked, '1\r\na\r0\r\n\r\n')],
  ['an extension with a bare LF', put(chunked, '1;a\nb\r\na\r\n0\r\n\r\n')],
  ['an extension with a bare CR', put(chunked, '1;a\rb\r\na\r\n0\r\n\r\n')],
  ['an extension with a line end', put(chunked, '1;\r\nGET /b HTTP/1.1\r\n\r\na\r\n0\r\n\r\n')],
  ['an extension with a NUL', put(chunked, '1;a\0\r\na\r\n0\r\n\r\n')],
  ['a last chunk with a bare LF', put(chunked, '0\r\n\n')],
  ['a trailer that names a length', put(chunked, '0\r\nContent-Length: 9\r\n\r\n')],
  ['a trailer that names a coding', put(chunked, '0\r\nTransfer-Encoding: chunked\r\n\r\n')],
  ['a trailer that is no header', put(chunked, '0\r\nX\r\n\r\n')],
];

/** What is in order for the parser, and not for a server, or only in part. */
const ODD: readonly [string, string][] = [
  ['a coding with a tab', put('Transfer-Encoding:\tchunked\r\n', '0\r\n\r\n')],
  ['a trailer that closes', put(chunked, '0\r\nConnection: close\r\n\r\n')],
  ['chunks in HTTP/1.0', `PUT /a HTTP/1.0\r\nConnection: keep-alive\r\n${chunked}\r\n0\r\n\r\n`],
  ['no Host', 'GET /a HTTP/1.1\r\n\r\n'],
  ['two Hosts', get(HOST)],
  ['two Hosts that differ', get('Host: y\r\n')],
  ['an empty Host', 'GET /a HTTP/1.1\r\nHost:\r\n\r\n'],
  ['a Host with a path', 'GET /a HTTP/1.1\r\nHost: x/y\r\n\r\n'],
  ['a Host with a name before it', 'GET /a HTTP/1.1\r\nHost: u@x\r\n\r\n'],
  ['a Host with a blank', 'GET /a HTTP/1.1\r\nHost: x y\r\n\r\n'],
  ['a Host that is a list', 'GET /a HTTP/1.1\r\nHost: x, y\r\n\r\n'],
  ['a bad Host in HTTP/1.0', 'GET /a HTTP/1.0\r\nHost: x/y\r\n\r\n'],
  ['a Host that is an address', 'GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n'],
  [
    'two types that differ',
    put('Content-Type: a\r\nContent-Type: b\r\nContent-Length: 1\r\n', 'x'),
  ],
  ['two types that agree', put('Content-Type: a\r\nContent-Type: a\r\nContent-Length: 1\r\n', 'x')],
  ['another expectation', get('Expect: tea\r\n')],
  ['another expectation in HTTP/1.0', 'GET /a HTTP/1.0\r\nExpect: tea\r\n\r\n'],
  ['CONNECT', `CONNECT x:1 HTTP/1.1\r\n${HOST}\r\n`],
  ['CONNECT with a body', `CONNECT x:1 HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabc`],
  ['an upgrade', get('Connection: Upgrade\r\nUpgrade: h2c\r\n')],
  [
    'an upgrade with a body',
    put('Connection: Upgrade\r\nUpgrade: a\r\nContent-Length: 3\r\n', 'abc'),
  ],
  ['an upgrade that the connection does not name', get('Upgrade: h2c\r\n')],
];

/** Each case alone, and with a request behind it that must not be mistaken for part of it, or come of it. */
export const CASES: readonly Case[] = [
  ...GOOD.map(([name, bytes]) => ({ name, bytes })),
  ...[...BAD_HEADS, ...TWO_MINDS, ...ODD].flatMap(([name, bytes]) => [
    { name, bytes },
    { name: `${name}, and a request`, bytes: bytes + next },
  ]),
];

/** Cases that must never be served: whoever forwards them may see another request in them. */
export const SMUGGLING: readonly Case[] = [...BAD_HEADS.slice(-14), ...TWO_MINDS].map(
  ([name, bytes]) => ({ name, bytes: bytes + next }),
);
