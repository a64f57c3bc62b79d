/** Writing a record and removing one. */

import { CONDITION, RECORD } from './record.ts';
import { script } from './script.ts';

/** The header of the live record, nil for none; a value that is not ours is never written over. */
const CURRENT = `
local function current(now)
  local header = redis.call('GETRANGE', KEYS[1], 0, HEADER - 1)
  if header == '' then return nil end
  if not isRecord(header) then return nil, redis.error_reply(FOREIGN) end
  if isLive(header, now) then return header end
end
`;

/**
 * Stores ARGV[1] with the time to live ARGV[2] (7 bytes of microseconds, 2 of nanoseconds to take off;
 * empty: the deadline stays) and the salt ARGV[3] under the conditions ARGV[4] and ARGV[5]. Answers
 * `{1, header}`, or `{0, header of what is there, empty for nothing}`.
 *
 * The server forgets a record when its clock has passed `PXAT` by a whole millisecond, so the floor of the
 * deadline is late enough; it must lie ahead, or the server would not even store. The one write is the
 * last step: an error means that nothing was done.
 */
export const STORE = script(
  RECORD,
  CONDITION,
  CURRENT,
  `
local now = clock()
local before, foreign = current(now)
if foreign then return foreign end
if not holds(ARGV[4], ARGV[5], before and version(before)) then return { 0, before or '' } end
local created, index, accessed = now, 1, 0
if before then
  local known
  created, known = struct.unpack('>I7I6', before, 2)
  index, accessed = known + 1, struct.unpack('>I7', before, 36)
end
local life = ARGV[2]
local ttl = struct.unpack('>I7', life)
local header = string.char(254) .. struct.pack('>I7I6', created, index) .. ARGV[3]
  .. struct.pack('>I7', now) .. life .. struct.pack('>I7', accessed)
local stored
if ttl == 0 then
  stored = redis.pcall('SET', KEYS[1], header .. ARGV[1])
else
  local at = math.max(math.floor((now + ttl) / 1000), math.floor(now / 1000) + 1)
  stored = redis.pcall('SET', KEYS[1], header .. ARGV[1], 'PXAT', string.format('%.0f', at))
end
if stored.err then return stored end
return { 1, header }
`,
);

/** Removes the record if the conditions ARGV[1] and ARGV[2] hold; answers as `STORE` does. */
export const DELETE_IF = script(
  RECORD,
  CONDITION,
  CURRENT,
  `
local before, foreign = current(clock())
if foreign then return foreign end
if not holds(ARGV[1], ARGV[2], before and version(before)) then return { 0, before or '' } end
local removed = redis.pcall('UNLINK', KEYS[1])
if type(removed) == 'table' then return removed end
return { 1, '' }
`,
);
