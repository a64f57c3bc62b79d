/** Every bound of the system in one place: what a client, a peer or a disk sends is held to these. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Longest key, in bytes of UTF-8. The shortest has one byte. */
export const KEY_BYTES_MAX = 4 * KIB;

/** Largest value, in bytes of JSON text. */
export const VALUE_BYTES_MAX = 16 * MIB;

/** What a body may add around its value: member names, white space and the time to live. */
export const BODY_OVERHEAD_BYTES_MAX = 64 * KIB;

/** Deepest nesting of arrays and objects in a body; checked before anything parses it. */
export const NESTING_MAX = 512;

/** Bodies that are being received at one time, all clients together; past it new ones are refused. */
export const BODIES_IN_FLIGHT_BYTES_MAX = 256 * MIB;

/**
 * Request line and headers together. The longest key takes three times its bytes when it is
 * percent-encoded, and a listing's cursor carries a key.
 */
export const HEADER_BYTES_MAX = 32 * KIB;

/** Entity tags in one `If-Match` or `If-None-Match`. */
export const ENTITY_TAGS_MAX = 64;

/** Open client connections; past it new ones are closed at once. */
export const CONNECTIONS_MAX = 16_384;

/** Time in which the headers of a request must have arrived. */
export const HEADERS_TIMEOUT_MS = 10_000;

/** Time in which a whole request must have arrived. */
export const REQUEST_TIMEOUT_MS = 60_000;

/** Time without progress, reading or writing, after which a connection is closed. */
export const IDLE_TIMEOUT_MS = 75_000;

/** Time that a client gets to read why its connection is being closed. */
export const LINGER_MS = 1000;

/** Time that a closing node gives to what it is still answering. */
export const CLOSE_TIMEOUT_MS = 10_000;

/** Keys in one page of a listing. */
export const PAGE_KEYS_MAX = 10_000;

/** Partitions of a key space: two bytes name one. */
export const PARTITIONS_MAX = 65_536;

/** Segments of memory that 32-bit addresses reach: 32 GiB of small records. */
export const ADDRESSABLE_SEGMENTS = 32_768;
