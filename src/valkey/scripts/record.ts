/** What the scripts know of a record: the layout of its header, its deadline, and conditions. */

import { HEADER_BYTES, LONG_HEADER_BYTES } from '../header.ts';

/**
 * Lua numbers are doubles, exact up to 2^53: times in microseconds fit. `tostring` and `..` would write
 * 1.79e+15, so numbers become bytes by `struct.pack` and text by `%.0f`. Offsets count from 1.
 *
 * A call of `redis` costs as much as ten lines that compute, an answer that is a list as much as that: there are
 * few of either.
 */
export const RECORD = `
local SHORT, LONG = ${HEADER_BYTES}, ${LONG_HEADER_BYTES}
local FOREIGN = 'WRONGTYPE the key holds something that memhashd did not store'

-- The server's clock, in microseconds. Called once a script: it goes on meanwhile on some versions.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- When a record ends; infinite for one that stays. At its deadline it may not be served any more, though
-- the server, which counts milliseconds, still has it.
local function deadline(header)
  if header:byte(1) == 253 then return (struct.unpack('>I7', header, 43)) end
  local updated, ttl = struct.unpack('>I7I7', header, 20)
  return ttl == 0 and math.huge or updated + ttl
end

-- Whether bytes begin with the header of a record; what does not is never written over.
local function isRecord(bytes)
  local kind = bytes:byte(1)
  return kind == 254 and #bytes >= SHORT or kind == 253 and #bytes >= LONG
end

-- The header of the live record under a key, with what the value begins with; nil for none, and an error for
-- what is no record.
local function liveHeader(key, now)
  local bytes = redis.call('GETRANGE', key, 0, LONG - 1)
  if bytes == '' then return nil end
  if not isRecord(bytes) then return nil, redis.error_reply(FOREIGN) end
  if now < deadline(bytes) then return bytes end
end
`;

/**
 * `holds(ifMatch, ifNoneMatch, header)`: the rule of RFC 9110 §13.2.2. A list of versions is empty where
 * there is no condition, else `*` or `=` and the bytes of each version: created, index and salt, as the header
 * has them. `header` is nil for no record.
 */
export const CONDITION = `
local function matches(versions, header)
  if not header then return false end
  if versions == '*' then return true end
  local current = header:sub(2, 19)
  for at = 2, #versions, 18 do
    if versions:sub(at, at + 17) == current then return true end
  end
  return false
end

local function holds(ifMatch, ifNoneMatch, header)
  if ifMatch ~= '' and not matches(ifMatch, header) then return false end
  return ifNoneMatch == '' or not matches(ifNoneMatch, header)
end
`;
