-- reserve: charge `count` sends, all or nothing, unless something is in the way.
-- (`reading`, `telling`, `limits`, `walls`, `idling` and `charging.lua` are put in front.)
--
-- KEYS    1 route  2 window  3 slices  4 unheard  5 sending days  6 qualified days
--         7 message (only with a fingerprint)
-- ARGV    1-8 those of reading.lua  9 count (>= 1)  10 reservation id
--         11 slice ("from-to", epoch s)  12 anew  13 transactional (0 or 1)
--         14 headroom of the other class (parts of a million)  15 day off (0 or 1)
--         16 idle after (days; 0: never)  17 step back (0: restart)  18 advance (of the policy)
--         19 qualify (parts of a million)  20-23 smoothing: numerator, denominator, rounding of
--         the cap, and least (a limit)  24 providers of the message  25 tiers  26... tiers in
--         rising order: from (days or sends), cap (-1: unlimited); then per provider: name,
--         sends, limits (0: no wall), from, limit (see limits.lua), ...
-- Returns {outcome, what telling.lua says of the providers of the message, {session, mark, ...}};
--         outcome is granted (charged; the numbers are as of after it), walled or seen (nothing
--         charged)
-- Repeat  never: each call charges. After a lost reply the charge may stand.
--
-- Example: cap 50, charged 48: count 2 -> granted, charged 50; then count 1 -> walled, 50.

assert((#KEYS == 6 or #KEYS == 7) and #ARGV >= 27, 'reserve: arity')
local count = tonumber(ARGV[9])
assert(count >= 1, 'reserve: count')

local split, names, at = {}, {}, 26 + 2 * tonumber(ARGV[25])
for i = 1, tonumber(ARGV[24]) do
  split[i] = { ARGV[at], tonumber(ARGV[at + 1]), at + 3, tonumber(ARGV[at + 2]) }
  names[i], at = ARGV[at], at + 3 + 2 * tonumber(ARGV[at + 2])
end
assert(at == #ARGV + 1, 'reserve: arity')

local standing, in_step = standing_of(names)
for _, name in ipairs(names) do
  standing.pools[name] = standing.pools[name] or { c = 0, s = 0, u = 0, t = 0 }
end

local function marks()
  local live, flat = {}, redis.call('HGETALL', KEYS[7])
  for i = 1, #flat, 2 do
    local mark, expires = string.match(flat[i + 1], '^(%l+):(%d+)$')
    if tonumber(expires) > now then
      live[#live + 1] = flat[i]
      live[#live + 1] = mark
    end
  end
  return live
end

-- Decide.
local idled = has_idled(standing)
local seen = KEYS[7] and ARGV[12] == '0' and marks() or {}
if #seen > 0 then return { 'seen', told(standing, names), seen } end
local passed, cap = passes(standing, count, split)
if not passed then return { 'walled', told(standing, names, true), {} } end

-- Write.
if idled then forget(standing) end
charge(standing, cap, count, split, in_step)
return { 'granted', told(standing, names), {} }
