-- reserve: charge `count` sends, all or nothing, unless something is in the way.
-- (`reading.lua` is put in front of this text.)
--
-- KEYS    1 route  2 window  3 slices  4 unheard  5 message (only with a fingerprint)
-- ARGV    1 now (epoch ms)  2 window label  3 opens (epoch ms)  4 closes (epoch ms)
--         5 count (>= 1)  6 reservation id  7 slice ("from-to", epoch s)  8 anew (0 or 1)
--         9 advance (calendar-days or lifetime-sends)  10 day (ordinal of the window)
--         11... tiers in rising order: from (days or sends), cap (-1: unlimited)
-- Returns {outcome, the eleven numbers of standing.lua..., session, mark, ...}; outcome is
--         granted (charged; the numbers are as of after it), walled or seen (nothing charged)
-- Repeat  never: each call charges. After a lost reply the charge may stand.
--
-- Example: cap 50, charged 48: count 2 -> granted, charged 50; then count 1 -> walled, 50.

assert((#KEYS == 4 or #KEYS == 5) and #ARGV >= 12 and #ARGV % 2 == 0, 'reserve: arity')
local count, id, slice = tonumber(ARGV[5]), ARGV[6], ARGV[7]
assert(count >= 1, 'reserve: count')
local KEPT_MS = 3 * 86400 * 1000 -- how long a closed window is kept
local SLICES_MS = 50 * 3600 * 1000 -- how far back slices are kept: two long days

local standing, in_step = standing_of()

local function marks()
  local live, flat = {}, redis.call('HGETALL', KEYS[5])
  for i = 1, #flat, 2 do
    local mark, expires = string.match(flat[i + 1], '^(%l+):(%d+)$')
    if tonumber(expires) > now then
      live[#live + 1] = flat[i]
      live[#live + 1] = mark
    end
  end
  return live
end

local function cap_now()
  if standing.graduated_at then return -1 end
  local progress = standing.lifetime_open
  if ARGV[9] == 'calendar-days' then
    progress = math.max(0, tonumber(ARGV[10]) - tonumber(standing.first_day or ARGV[10]))
  end
  local cap = tonumber(ARGV[12])
  for i = 11, #ARGV, 2 do
    if tonumber(ARGV[i]) <= progress then cap = tonumber(ARGV[i + 1]) end
  end
  return cap
end

local function answer(outcome, more)
  local reply = { outcome, unpack(numbers(standing), 1, 11) }
  for _, item in ipairs(more) do reply[#reply + 1] = item end
  return reply
end

-- Decide.
if KEYS[5] and ARGV[8] == '0' then
  local seen = marks()
  if #seen > 0 then return answer('seen', seen) end
end
if standing.paused_at then return answer('walled', {}) end
local cap = cap_now()
if cap >= 0 and standing.charged + count > cap then return answer('walled', {}) end

-- Write.
local function keep(key, at_least_ms)
  if redis.call('PTTL', key) < at_least_ms then redis.call('PEXPIRE', key, at_least_ms) end
end

local function prune(before)
  local last = 0
  for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
    local ends = tonumber(string.match(field, '-(%d+)$')) * 1000
    if ends < before then
      redis.call('HDEL', KEYS[3], field)
      last = math.max(last, ends)
    end
  end
  local known = tonumber(redis.call('HGET', KEYS[1], 'pruned') or 0)
  if last > known then redis.call('HSET', KEYS[1], 'pruned', last) end
end

standing.charged = standing.charged + count
redis.call('HINCRBY', KEYS[3], 'c:' .. slice, count)
redis.call('HSET', KEYS[2], 'charged', standing.charged, 'cap', cap, 'r:' .. id,
  count .. ':' .. slice)
if not in_step then
  redis.call('HSET', KEYS[2], 'sent', standing.sent, 'unknown', standing.unknown,
    'lifetime_open', standing.lifetime_open, 'restarts', standing.restarts)
  redis.call('HSET', KEYS[1], 'open', label)
  prune(now - SLICES_MS)
  keep(KEYS[2], closes - now + KEPT_MS)
  keep(KEYS[3], closes - now + KEPT_MS)
end
return answer('granted', {})
