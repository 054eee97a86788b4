-- walls: whether a message passes every limit of its policy. No verb of its own: this text is
-- put in front of reserve.lua, behind summing.lua and limits.lua.
--
-- KEYS    those of reserve.lua
-- ARGV    those of reserve.lua
-- Returns (from passes) true or false, and the cap, as which -1 is unlimited
--
-- The same bounds as core/quota/bounds.py: the route's cap, each provider's, what headroom for the
-- other class leaves of them, and what smoothing has opened of the cap so far.
--
-- Example: cap 50, 48 charged, 10 % kept for transactional mail, which has sent 3: 50 - 2 are
--          for marketing, which is walled; a transactional message of 2 passes.

local is_transactional, kept_ppm = ARGV[13] == '1', tonumber(ARGV[14])
local is_day_off, advance = ARGV[15] == '1', ARGV[18]

-- The value in force at `at`, of `pairs_count` pairs (from, value) that begin at ARGV[first].
local function tier_at(first, pairs_count, at)
  local value = tonumber(ARGV[first + 1])
  for i = first + 2, first + 2 * pairs_count - 1, 2 do
    if tonumber(ARGV[i]) > at then break end
    value = tonumber(ARGV[i + 1])
  end
  return value
end

local function progress_now(standing)
  local base_days = tonumber(standing.base_days or 0)
  if advance == 'sending-days' then return base_days + (standing.sending or days_in(KEYS[5])) end
  if advance == 'qualified-days' then
    return base_days + (standing.qualified or days_in(KEYS[6]))
  end
  if advance == 'calendar-days' then
    return base_days + math.max(0, day - tonumber(standing.first_day or day))
  end
  return tonumber(standing.base_sends or 0) + standing.lifetime_open
end

local function progress_of(standing)
  standing.progress = standing.progress or progress_now(standing)
  return standing.progress
end

local function has_room(counts, cap, sends)
  if cap < 0 then return true end
  if kept_ppm == 0 then return counts.c + sends <= cap end
  local theirs = is_transactional and counts.c - counts.t or counts.t
  local kept = math.max(0, part(cap, kept_ppm, WHOLE_PPM, 0) - theirs)
  return counts.c + sends <= cap - kept
end

-- What smoothing has opened so far of a cap that is a number (not -1).
local function open_of(cap)
  if till == 0 then return cap end
  local line = part(cap, tonumber(ARGV[20]), tonumber(ARGV[21]), tonumber(ARGV[22]))
  return math.min(cap, math.max(line, limit_of(tonumber(ARGV[23]), cap)))
end

-- How many more sends the cap has room for, and smoothing: -1 is any number.
local function room_in(standing, cap)
  if cap < 0 then return -1 end
  local room = cap - standing.pools[''].c
  if till ~= 0 then room = math.min(room, open_of(cap) - standing.paced) end
  return math.max(0, room)
end

-- `split` is a list of {provider, sends, first, pairs_count}: its limits, as for tier_at.
local function passes(standing, count, split)
  if standing.paused_at then return false end
  if standing.graduated_at then return true, -1 end
  if is_day_off then return false end
  local at = progress_of(standing)
  local cap = tier_at(26, tonumber(ARGV[25]), at)
  if not has_room(standing.pools[''], cap, count) then return false end
  for _, share in ipairs(split) do
    local limit = share[4] == 0 and -1 or limit_of(tier_at(share[3], share[4], at), cap)
    if not has_room(standing.pools[share[1]], limit, share[2]) then return false end
  end
  return till == 0 or cap < 0 or standing.paced + count <= open_of(cap), cap
end
