/** What the scripts know of a record: the layout of its header, its deadline, and conditions. */

import { HEADER_BYTES, LONG_HEADER_BYTES } from '../header.ts';

/**
 * Lua numbers are doubles, exact up to 2^53: times in microseconds fit. `tostring` and `..` would write
 * 1.79e+15, so numbers become bytes by `struct.pack` and text by `%.0f`. Offsets count from 1.
 */
export const RECORD = `
local SHORT, LONG = ${HEADER_BYTES}, ${LONG_HEADER_BYTES}
local FOREIGN = 'WRONGTYPE the key holds something that memhashd did not store'

-- The server's clock, in microseconds. Called once a script: it goes on meanwhile on some versions.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- The length of the header that these bytes begin with, nil for what is no record.
local function headerBytes(bytes)
  local kind = bytes:byte(1)
  if kind == 254 and #bytes >= SHORT then return SHORT end
  if kind == 253 and #bytes >= LONG then return LONG end
end

-- Created, index and salt: what an entity tag names.
local function version(header) return header:sub(2, 19) end

-- Whether the record may still be served; at its deadline it may not, though the server, which counts
-- milliseconds, still has it.
-- Infinite for a record that stays.
local function deadline(header)
  if header:byte(1) == 253 then return (struct.unpack('>I7', header, 43)) end
  local updated, ttl = struct.unpack('>I7I7', header, 20)
  return ttl == 0 and math.huge or updated + ttl
end

local function isLive(header, now) return now < deadline(header) end

-- The header of the live record under a key, nil for none; and an error for what is no record, which is
-- never written over.
local function liveHeader(key, now)
  local bytes = redis.call('GETRANGE', key, 0, LONG - 1)
  if bytes == '' then return nil end
  local length = headerBytes(bytes)
  if not length then return nil, redis.error_reply(FOREIGN) end
  local header = bytes:sub(1, length)
  if isLive(header, now) then return header end
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
