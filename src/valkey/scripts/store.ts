/** Writing a record, letting it expire, and removing it. */

import { CONDITION, RECORD } from './record.ts';
import { script } from './script.ts';

/**
 * `pxat(deadline, now)`: the server forgets a record when its clock has passed this by a whole millisecond, so
 * the floor of the deadline is late enough; it must lie ahead, or the server would not even store.
 */
const PXAT = `
local function pxat(deadline, now)
  return string.format('%.0f', math.max(math.floor(deadline / 1000), math.floor(now / 1000) + 1))
end
`;

/**
 * Stores ARGV[1] with the time to live ARGV[2] (7 bytes of microseconds, 2 of nanoseconds to take off; empty:
 * the record expires when it would have) and the salt ARGV[3] under the conditions ARGV[4] and ARGV[5].
 * Answers `{1, header}`, or `{0, header of what is there, empty for nothing}`.
 *
 * The one write is the last step: an error means that nothing was done.
 */
export const STORE = script(
  RECORD,
  CONDITION,
  PXAT,
  `
local now = clock()
local before, foreign = liveHeader(KEYS[1], now)
if foreign then return foreign end
if not holds(ARGV[4], ARGV[5], before and version(before)) then return { 0, before or '' } end
local created, index, accessed = now, 1, 0
if before then
  local known
  created, known = struct.unpack('>I7I6', before, 2)
  index, accessed = known + 1, struct.unpack('>I7', before, 36)
end
local life, kind, left = ARGV[2], 254, ''
local ends = math.huge
if life == '' then
  -- Only what is there can keep its deadline: a change of nothing comes with a time to live.
  life, ends = before:sub(27, 35), deadline(before)
  if ends ~= math.huge then kind, left = 253, struct.pack('>I7', ends) end
else
  local ttl = struct.unpack('>I7', life)
  if ttl ~= 0 then ends = now + ttl end
end
local header = string.char(kind) .. struct.pack('>I7I6', created, index) .. ARGV[3]
  .. struct.pack('>I7', now) .. life .. struct.pack('>I7', accessed) .. left
local stored
if ends == math.huge then
  stored = redis.pcall('SET', KEYS[1], header .. ARGV[1])
else
  stored = redis.pcall('SET', KEYS[1], header .. ARGV[1], 'PXAT', pxat(ends, now))
end
if stored.err then return stored end
return { 1, header }
`,
);

/**
 * Lets the record expire after ARGV[1], counted from now, under the conditions ARGV[2] and ARGV[3]; version
 * and value stay. Answers as `STORE` does, and nil for no record.
 */
export const EXPIRE = script(
  RECORD,
  CONDITION,
  PXAT,
  `
local now = clock()
local before, foreign = liveHeader(KEYS[1], now)
if foreign then return foreign end
if not holds(ARGV[2], ARGV[3], before and version(before)) then return { 0, before or '' } end
if not before then return false end
local life = ARGV[1]
local header = string.char(254) .. before:sub(2, 19) .. struct.pack('>I7', now) .. life .. before:sub(36, 42)
local ttl = struct.unpack('>I7', life)
if #before == #header then
  -- The value stays where it is, and a replica is sent the header alone.
  local done = redis.pcall('SETRANGE', KEYS[1], 0, header)
  if type(done) == 'table' then return done end
  if ttl == 0 then
    redis.call('PERSIST', KEYS[1])
  else
    redis.call('PEXPIREAT', KEYS[1], pxat(now + ttl, now))
  end
  return { 1, header }
end
local record = header .. redis.call('GETRANGE', KEYS[1], #before, -1)
local done
if ttl == 0 then
  done = redis.pcall('SET', KEYS[1], record)
else
  done = redis.pcall('SET', KEYS[1], record, 'PXAT', pxat(now + ttl, now))
end
if done.err then return done end
return { 1, header }
`,
);

/** Removes the record if the conditions ARGV[1] and ARGV[2] hold; answers as `STORE` does. */
export const DELETE_IF = script(
  RECORD,
  CONDITION,
  `
local before, foreign = liveHeader(KEYS[1], clock())
if foreign then return foreign end
if not holds(ARGV[1], ARGV[2], before and version(before)) then return { 0, before or '' } end
local removed = redis.pcall('UNLINK', KEYS[1])
if type(removed) == 'table' then return removed end
return { 1, '' }
`,
);
