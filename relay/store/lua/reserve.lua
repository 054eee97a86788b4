-- reserve: charge `count` sends, all or nothing, unless something is in the way.
-- (`reading`, `summing`, `telling`, `limits`, `walls`, `idling`, `charging`, `campaigns` and
-- `attempts_at.lua` are put in front of this text.)
--
-- KEYS    1 route  2 window  3 slices  4 unheard  5 sending days  6 qualified days
--         7 message (only with a fingerprint)  last: campaign (only of a message of one)
-- ARGV    1-8 those of reading.lua  9 count (>= 1)  10 reservation id
--         11 slice ("from-to", epoch s)  12 anew  13 transactional (0 or 1)
--         14 headroom of the other class (parts of a million)  15 day off (0 or 1)
--         16 idle after (days; 0: never)  17 step back (0: restart)  18 advance (of the policy)
--         19 qualify (parts of a million)  20-23 smoothing: numerator, denominator, rounding of
--         the cap, and least (a limit)  24 providers of the message  25 tiers  26... tiers in
--         rising order: from (days or sends), cap (-1: unlimited); then per provider: name,
--         sends, limits (0: no wall), from, limit (see limits.lua), ...; then session, how long
--         it is remembered as under way (ms), and whether it waits for attempts that another
--         process has under way (0 or 1); then, with a campaign: how long it keeps its route
--         (ms), this route's upstream, upstreams it may keep to, ...
-- Returns {outcome, more, ...}:
--         granted    (charged) how many more sends the route has room for after it (-1: any)
--         seen       (from here on nothing is charged)  {session, mark, ...}
--         under way  1: another process has an attempt under way, which is waited for
--         walled     what telling.lua says of the providers of the message; then its upstream
--                    where the campaign keeps to this route
--         elsewhere  upstream of the route that the campaign keeps to
-- Repeat  never: each call charges. After a lost reply the charge may stand.
--
-- Example: cap 50, charged 47: count 2 -> granted, 1; then count 2 -> walled, charged 49.

assert(#KEYS >= 6 and #ARGV >= 27, 'reserve: arity')
local count = tonumber(ARGV[9])
assert(count >= 1, 'reserve: count')

local split, names, at = {}, {}, 26 + 2 * tonumber(ARGV[25])
for i = 1, tonumber(ARGV[24]) do
  split[i] = { ARGV[at], tonumber(ARGV[at + 1]), at + 3, tonumber(ARGV[at + 2]) }
  names[i], at = ARGV[at], at + 3 + 2 * tonumber(ARGV[at + 2])
end
local session, open_ms, waits = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2] == '1'
local keep_ms, upstream, among = tonumber(ARGV[at + 3]), ARGV[at + 4], { unpack(ARGV, at + 5) }
assert(at + 2 == #ARGV or #among > 0, 'reserve: arity')
local campaign = keep_ms and KEYS[#KEYS]
local of_message = #KEYS - (campaign and 7 or 6)
assert(of_message == 0 or of_message == 1, 'reserve: arity')
local message = of_message == 1 and KEYS[7]

local standing, in_step = standing_of(names)
for _, name in ipairs(names) do
  standing.pools[name] = standing.pools[name] or { c = 0, s = 0, u = 0, t = 0 }
end

-- Decide.
local idled = has_idled(standing)
local seen, is_elsewhere, is_first = {}, false, false
if message then seen, is_elsewhere, is_first = attempts_at(message, session, now) end
if #seen > 0 and ARGV[12] == '0' then return { 'seen', seen } end
if is_elsewhere and waits then return { 'under way', 1 } end
local kept = campaign and kept_route(campaign, now, among)
if kept and kept ~= upstream then return { 'elsewhere', kept } end
local passed, cap = passes(standing, count, split)
if not passed then return { 'walled', told(standing, names, true), kept } end

-- Write.
if idled then forget(standing) end
charge(standing, cap, count, split, in_step)
if message then begin_attempt(message, session, now, open_ms, is_first) end
if campaign then
  keep_route(campaign, upstream, not kept, now + keep_ms, ARGV[10])
  keep(campaign, keep_ms + KEPT_MS)
end
return { 'granted', room_in(standing, cap) }
