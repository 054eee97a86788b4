-- summing: what is so of a route in a window, from its own fields, the window's counts and, where
-- those are not in step, the slices (reading.lua). No verb of its own: it follows reading.lua.
--
-- KEYS    those of reading.lua
-- ARGV    those of reading.lua
-- Returns (from standing_of) a table, and whether the window's counters are in step.
--
-- Example: a route of which the store knows nothing: lifetime 0, charged 0, not in step.

-- Run for every message: the table is written in one piece, and fields are found by their place.
local function route_of()
  local r = redis.call('HMGET', KEYS[1], 'open', 'pruned', 'restarts', 'lifetime', 'first_day',
    'first_at', 'graduated_at', 'paused_at', 'reason', 'last_day', 'last_days', 'last_sends',
    'base_days', 'base_sends', 'idled')
  return { open = r[1], pruned = r[2], restarts = r[3], lifetime = r[4], first_day = r[5],
    first_at = r[6], graduated_at = r[7], paused_at = r[8], reason = r[9], last_day = r[10],
    last_days = r[11], last_sends = r[12], base_days = r[13], base_sends = r[14], idled = r[15],
    pools = false, lifetime_open = 0, paced = 0, unheard = 0, sending = 0, qualified = 0 }
end

local function standing_of(names)
  local standing, values = route_of(), nil
  values, standing.pools = window_of(names)
  local lifetime_open, restarts, paced_in, paced = values[1], values[2], values[3], values[4]
  local in_step = values[5] and standing.open == label
  if not in_step then
    local sums, held = tally().pools, standing.pools
    local incomplete = tonumber(standing.pruned or 0) > opens
    if not (incomplete and held[''].c > sums[''].c) then
      for pool in pairs(held) do sums[pool] = sums[pool] or { c = 0, s = 0, u = 0, t = 0 } end
      standing.pools = sums
    end
  end
  standing.lifetime, standing.restarts = tonumber(standing.lifetime or 0), standing.restarts or '0'
  -- The lifetime when the window opened: fixed at its first touch, 0 after a restart inside it.
  if not lifetime_open then
    standing.lifetime_open = math.max(0, standing.lifetime - standing.pools[''].s)
  else
    standing.lifetime_open = restarts == standing.restarts and tonumber(lifetime_open) or 0
  end
  if since == opens and till == closes then standing.paced = standing.pools[''].c
  elseif till == 0 then standing.paced = 0
  elseif in_step and paced_in == pace then standing.paced = tonumber(paced)
  else standing.paced = tally().paced end
  standing.unheard = redis.call('ZCOUNT', KEYS[4], '(' .. ARGV[1], '+inf')
  standing.sending = redis.call('ZCOUNT', KEYS[5], '-inf', '(' .. ARGV[5])
  standing.qualified = redis.call('ZCOUNT', KEYS[6], '-inf', '(' .. ARGV[5])
  return standing, in_step
end
