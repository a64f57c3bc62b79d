/** What the scripts know of a record: the layout of its header, its deadline, and conditions. */

import { HEADER_BYTES } from '../header.ts';

/**
 * Lua numbers are doubles, exact up to 2^53: times in microseconds fit. `tostring` and `..` would write
 * 1.79e+15, so numbers become bytes by `struct.pack` and text by `%.0f`. Offsets count from 1.
 */
export const RECORD = `
local HEADER = ${HEADER_BYTES}
local FOREIGN = 'WRONGTYPE the key holds something that memhashd did not store'

-- The server's clock, in microseconds. Called once a script: it goes on meanwhile on some versions.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function isRecord(bytes)
  return #bytes >= HEADER and bytes:byte(1) == 254
end

-- Created, index and salt: what an entity tag names.
local function version(header) return header:sub(2, 19) end

-- Whether the record may still be served; at its deadline it may not, though the server, which counts
-- milliseconds, still has it.
local function isLive(header, now)
  local updated, ttl = struct.unpack('>I7I7', header, 20)
  return ttl == 0 or now < updated + ttl
end
`;

/**
 * `holds(ifMatch, ifNoneMatch, current)`: the rule of RFC 9110 §13.2.2. A list of versions is empty where
 * there is no condition, else `*` or `=` and the bytes of each version; `current` is nil for no record.
 */
export const CONDITION = `
local function matches(versions, current)
  if not current then return false end
  if versions == '*' then return true end
  for at = 2, #versions, 18 do
    if versions:sub(at, at + 17) == current then return true end
  end
  return false
end

local function holds(ifMatch, ifNoneMatch, current)
  if ifMatch ~= '' and not matches(ifMatch, current) then return false end
  return ifNoneMatch == '' or not matches(ifNoneMatch, current)
end
`;
