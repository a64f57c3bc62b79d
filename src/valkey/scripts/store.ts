/** Writing a record, letting it expire, and removing it. */

import { CONDITION, RECORD } from './record.ts';
import { script, type Script } from './script.ts';

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
 * the record expires when it would have) and the salt ARGV[3], under the conditions ARGV[4] and ARGV[5] if they
 * are there. Answers the new header; where a condition does not hold, a list of the header of what is there,
 * no bytes for nothing.
 *
 * The one write is the last step: an error means that nothing was done.
 */
const store = (condition: string): Script =>
  script(
    RECORD,
    condition,
    PXAT,
    `
local now = clock()
local before, foreign = liveHeader(KEYS[1], now)
if foreign then return foreign end
${condition === '' ? '' : "if not holds(ARGV[4], ARGV[5], before) then return { before or '' } end"}
local created, index, accessed = now, 0, 0
if before then
  created, index = struct.unpack('>I7I6', before, 2)
  accessed = struct.unpack('>I7', before, 36)
end
local kind, life, ends = 254, ARGV[2], math.huge
if life == '' then
  -- Only what is there can keep its deadline: a change of nothing comes with a time to live.
  life, ends = before:sub(27, 35), deadline(before)
  if ends ~= math.huge then kind = 253 end
else
  local ttl = struct.unpack('>I7', life)
  if ttl ~= 0 then ends = now + ttl end
end
local header = struct.pack('>BI7I6c0I7c0I7', kind, created, index + 1, ARGV[3], now, life, accessed)
if kind == 253 then header = header .. struct.pack('>I7', ends) end
local stored
if ends == math.huge then
  stored = redis.pcall('SET', KEYS[1], header .. ARGV[1])
else
  stored = redis.pcall('SET', KEYS[1], header .. ARGV[1], 'PXAT', pxat(ends, now))
end
if stored.err then return stored end
return header
`,
  );

export const STORE = store('');
export const STORE_IF = store(CONDITION);

/**
 * Lets the record expire after ARGV[1], counted from now, under the conditions ARGV[2] and ARGV[3]; version
 * and value stay. Answers as a store does, and nil for no record.
 */
export const EXPIRE = script(
  RECORD,
  CONDITION,
  PXAT,
  `
local now = clock()
local before, foreign = liveHeader(KEYS[1], now)
if foreign then return foreign end
if not holds(ARGV[2], ARGV[3], before) then return { before or '' } end
if not before then return false end
local life = ARGV[1]
local header = string.char(254) .. before:sub(2, 19) .. struct.pack('>I7', now) .. life .. before:sub(36, 42)
local ttl = struct.unpack('>I7', life)
if before:byte(1) == 254 then
  -- The value stays where it is, and a replica is sent the header alone.
  local done = redis.pcall('SETRANGE', KEYS[1], 0, header)
  if type(done) == 'table' then return done end
  if ttl == 0 then
    redis.call('PERSIST', KEYS[1])
  else
    redis.call('PEXPIREAT', KEYS[1], pxat(now + ttl, now))
  end
  return header
end
local record = header .. redis.call('GETRANGE', KEYS[1], LONG, -1)
local done
if ttl == 0 then
  done = redis.pcall('SET', KEYS[1], record)
else
  done = redis.pcall('SET', KEYS[1], record, 'PXAT', pxat(now + ttl, now))
end
if done.err then return done end
return header
`,
);

/** Removes the record if the conditions ARGV[1] and ARGV[2] hold; answers as a store does, with no bytes. */
export const DELETE_IF = script(
  RECORD,
  CONDITION,
  `
local before, foreign = liveHeader(KEYS[1], clock())
if foreign then return foreign end
if not holds(ARGV[1], ARGV[2], before) then return { before or '' } end
local removed = redis.pcall('UNLINK', KEYS[1])
if type(removed) == 'table' then return removed end
return ''
`,
);
