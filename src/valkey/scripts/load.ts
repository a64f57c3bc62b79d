/** Reading a record, and noting that it was read. */

import { CONDITION, RECORD } from './record.ts';
import { script } from './script.ts';

/**
 * `accessed_at` is the last 7 bytes of a short header and written in place: that keeps the expiry, and costs a
 * replica those bytes whatever the size of the value. ARGV[1]: how old, in microseconds, the noted time may be;
 * empty for not at all.
 *
 * Where the server cannot write now (no memory, too few replicas) a load answers all the same. But a server
 * that is no primary must not answer, not even that there is nothing: its records may be old. Writing no bytes
 * at all changes nothing, makes no record, and fails on a replica.
 */
const TOUCH = `
local function write(at, bytes)
  local done = redis.pcall('SETRANGE', KEYS[1], at, bytes)
  if type(done) == 'table' and done.err:find('READONLY', 1, true) then return done end
end

local function proveWritable() return write(0, '') end

local function touch(header, now)
  if ARGV[1] ~= '' and now - struct.unpack('>I7', header, 36) < tonumber(ARGV[1]) then return proveWritable() end
  return write(35, struct.pack('>I7', now))
end
`;

/** A larger record is not copied into one answer with the time. */
const SMALL_BYTES = 65_536;

/** Answers nil for no record, else the time of this access and the record: one behind the other, or a list. */
export const LOAD = script(
  RECORD,
  TOUCH,
  `
local bytes = redis.call('GET', KEYS[1])
if not bytes then return proveWritable() or false end
if not isRecord(bytes) then return redis.error_reply(FOREIGN) end
local now = clock()
if now >= deadline(bytes) then return proveWritable() or false end
local refused = touch(bytes, now)
if refused then return refused end
local accessed = struct.pack('>I7', now)
if #bytes <= ${SMALL_BYTES} then return accessed .. bytes end
return { accessed, bytes }
`,
);

/**
 * The same under a condition, ARGV[2] and ARGV[3]: the header is read first, the value only where it is
 * wanted. Where the condition does not hold the answer is the header alone; if it is `ifNoneMatch` that does
 * not, this was an access too.
 */
export const LOAD_IF = script(
  RECORD,
  CONDITION,
  TOUCH,
  `
local now = clock()
local header, foreign = liveHeader(KEYS[1], now)
if foreign then return foreign end
if not header then return proveWritable() or false end
local accessed = struct.pack('>I7', now)
if not holds(ARGV[2], '', header) then return proveWritable() or { accessed, header } end
local refused = touch(header, now)
if refused then return refused end
if not holds('', ARGV[3], header) then return { accessed, header } end
return { accessed, redis.call('GET', KEYS[1]) }
`,
);
