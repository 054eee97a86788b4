-- summing: what is so of a route in a window, from its own fields, the window's counts and, where
-- those are not in step, the slices (reading.lua). No verb of its own: it follows reading.lua.
--
-- KEYS    those of reading.lua
-- ARGV    those of reading.lua
-- Returns (from standing_of) a table, and whether the window's counters are in step.
--
-- Example: a route of which the store knows nothing: lifetime 0, charged 0, not in step.

-- Run for every message: the table is written in one piece, fields are found by their place, and
-- what most messages do not need is left to more_of.
local function route_of()
  local r = redis.call('HMGET', KEYS[1], 'open', 'restarts', 'first_day', 'graduated_at',
    'paused_at', 'last_day', 'base_days', 'base_sends')
  return { open = r[1], restarts = r[2] or '0', first_day = r[3], graduated_at = r[4],
    paused_at = r[5], last_day = r[6], base_days = r[7], base_sends = r[8], pools = false,
    held = false, lifetime = false, lifetime_open = 0, paced = 0, sending = false,
    qualified = false, progress = false, pruned = false, first_at = false, reason = false,
    last_days = false, last_sends = false, idled = false }
end

-- The rest of the route: for an answer in full, and for a window that is not in step.
local function more_of(standing)
  if standing.lifetime then return end
  local r = redis.call('HMGET', KEYS[1], 'lifetime', 'pruned', 'first_at', 'reason', 'last_days',
    'last_sends', 'idled')
  standing.lifetime, standing.pruned, standing.first_at = tonumber(r[1] or 0), r[2], r[3]
  standing.reason, standing.last_days, standing.last_sends = r[4], r[5], r[6]
  standing.idled = r[7]
end

-- How many of the days in `key` were before the window's own. Asked where it is needed: most
-- ramps count no such days, and few answers tell them.
local function days_in(key)
  return redis.call('ZCOUNT', key, '-inf', '(' .. ARGV[5])
end

local function standing_of(names)
  local standing, values = route_of(), nil
  values, standing.pools = window_of(names)
  standing.held = values
  local lifetime_open, restarts, paced_in, paced = values[1], values[2], values[3], values[4]
  local in_step = values[5] and standing.open == label
  if not in_step then
    more_of(standing)
    local sums, held = tally().pools, standing.pools
    local incomplete = tonumber(standing.pruned or 0) > opens
    if not (incomplete and held[''].c > sums[''].c) then
      for pool in pairs(held) do sums[pool] = sums[pool] or { c = 0, s = 0, u = 0, t = 0 } end
      standing.pools = sums
    end
  end
  -- The lifetime when the window opened: fixed at its first touch, 0 after a restart inside it.
  if not lifetime_open then
    more_of(standing)
    standing.lifetime_open = math.max(0, standing.lifetime - standing.pools[''].s)
  else
    standing.lifetime_open = restarts == standing.restarts and tonumber(lifetime_open) or 0
  end
  if since == opens and till == closes then standing.paced = standing.pools[''].c
  elseif till == 0 then standing.paced = 0
  elseif in_step and paced_in == pace then standing.paced = tonumber(paced)
  else standing.paced = tally().paced end
  return standing, in_step
end
