/** Reading a record, and noting that it was read. */

import { RECORD, CONDITION } from './record.ts';
import { script } from './script.ts';

/**
 * `accessed_at` is the last 7 bytes of a short header and written in place: that keeps the expiry, and costs a
 * replica those bytes whatever the size of the value. ARGV[1]: how old, in microseconds, the noted time may be.
 *
 * Where the server cannot write now (no memory, too few replicas) a load answers all the same. But a server
 * that is no primary must not answer, not even that there is nothing: its records may be old. Writing no bytes
 * at all changes nothing, makes no record, and fails on a replica.
 */
const TOUCH = `
local function write(at, bytes)
  local done = redis.pcall('SETRANGE', KEYS[1], at, bytes)
  if type(done) == 'table' and done.err and done.err:find('READONLY', 1, true) then return done end
end

local function proveWritable() return write(0, '') end

local function touch(header, now)
  if now - struct.unpack('>I7', header, 36) < tonumber(ARGV[1]) then return proveWritable() end
  return write(35, struct.pack('>I7', now))
end
`;

/** Answers nil for no record, else the time of this access and the record. */
export const LOAD = script(
  RECORD,
  TOUCH,
  `
local bytes = redis.call('GET', KEYS[1])
if not bytes then return proveWritable() or false end
if not headerBytes(bytes) then return redis.error_reply(FOREIGN) end
local now = clock()
if not isLive(bytes, now) then return false end
return touch(bytes, now) or { struct.pack('>I7', now), bytes }
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
if not holds(ARGV[2], '', version(header)) then return proveWritable() or { accessed, header } end
local refused = touch(header, now)
if refused then return refused end
if not holds('', ARGV[3], version(header)) then return { accessed, header } end
return { accessed, redis.call('GET', KEYS[1]) }
`,
);
