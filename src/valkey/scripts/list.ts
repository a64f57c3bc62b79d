/** Listing the keys of a server, a step at a time. */

import { RECORD } from './record.ts';
import { script } from './script.ts';

/**
 * The server goes on having a key for up to two milliseconds past its deadline, so only of keys that are as
 * near to it the header decides.
 */
const LIVE = `
local now = clock()
local function isListed(key, prefix)
  if key:sub(1, #prefix) ~= prefix then return false end
  local left = redis.call('PTTL', key)
  if left < 0 or left > 2 then return left ~= -2 end
  return liveHeader(key, now) ~= nil
end
`;

/**
 * Reads slots from ARGV[1] up to, not including, ARGV[2], until ARGV[3] keys are found; keys that start
 * with ARGV[4]. Answers the server's own line of `CLUSTER NODES`, because one that does not own a slot has
 * an empty list and says nothing; the slot to go on with; whether the keys are filtered; and the keys of
 * each slot that has any. A slot with more keys than that is not filtered here: it would take long.
 */
export const LIST_SLOTS = script(
  RECORD,
  LIVE,
  `
local own = redis.call('CLUSTER', 'NODES'):match('[^\\n]*myself[^\\n]*')
local slot, last, budget, prefix = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local found, pages = 0, {}
while slot < last do
  local count = redis.call('CLUSTER', 'COUNTKEYSINSLOT', slot)
  if count > 0 then
    if found > 0 and found + count > budget then break end
    local keys = redis.call('CLUSTER', 'GETKEYSINSLOT', slot, count)
    if count > budget then return { own, slot + 1, 0, keys } end
    found = found + count
    local page = {}
    for _, key in ipairs(keys) do
      if isListed(key, prefix) then page[#page + 1] = key end
    end
    if #page > 0 then pages[#pages + 1] = page end
  end
  slot = slot + 1
end
return { own, slot, 1, unpack(pages) }
`,
);

/** Answers those of KEYS, all of one slot where there are slots, that are live and start with ARGV[1]. */
export const FILTER = script(
  RECORD,
  LIVE,
  `
local page = {}
for _, key in ipairs(KEYS) do
  if isListed(key, ARGV[1]) then page[#page + 1] = key end
end
return page
`,
);
