-- reading: what is so of a route in a window. No verb of its own: this text is put in front
-- of reserve.lua and standing.lua, so that both see the same numbers.
--
-- KEYS    1 route  2 window  3 slices  4 unheard
-- ARGV    1 now (epoch ms)  2 window label  3 opens (epoch ms)  4 closes (epoch ms)
-- Returns (from standing_of) a table, and whether the window's counters are in step.
--
-- A window hash caches the sums of the slices inside it. The cache is good while the route's
-- field `open` names the window; otherwise (first touch, or after an edit of the zone) the
-- slices decide. Slices already deleted (`pruned`, epoch ms) cannot: then the higher wins.
--
-- Example: 40 charged in slice 900-1800, and no window hash: charged 40 for opens=0.

local now, label = tonumber(ARGV[1]), ARGV[2]
local opens, closes = tonumber(ARGV[3]), tonumber(ARGV[4])

local function tally()
  local sums, flat = { c = 0, s = 0, u = 0 }, redis.call('HGETALL', KEYS[3])
  for i = 1, #flat, 2 do
    local kind, from, to = string.match(flat[i], '^(%l):(%d+)-(%d+)$')
    if tonumber(to) * 1000 > opens and tonumber(from) * 1000 < closes then
      sums[kind] = sums[kind] + tonumber(flat[i + 1])
    end
  end
  return sums
end

-- The lifetime when the window opened: fixed at its first touch, 0 after a restart inside it.
local function lifetime_open(route, window, standing)
  if not window[4] then return math.max(0, standing.lifetime - standing.sent) end
  if window[5] ~= standing.restarts then return 0 end
  return tonumber(window[4])
end

local function standing_of()
  local route = redis.call('HMGET', KEYS[1], 'open', 'pruned', 'restarts', 'lifetime',
    'first_day', 'first_at', 'graduated_at', 'paused_at', 'reason')
  local window = redis.call('HMGET', KEYS[2], 'charged', 'sent', 'unknown', 'lifetime_open',
    'restarts')
  local standing = {
    charged = tonumber(window[1] or 0), sent = tonumber(window[2] or 0),
    unknown = tonumber(window[3] or 0), lifetime = tonumber(route[4] or 0),
    restarts = route[3] or '0', first_day = route[5], first_at = route[6],
    graduated_at = route[7], paused_at = route[8], reason = route[9],
  }
  local in_step = window[1] and route[1] == label
  if not in_step then
    local sums = tally()
    local incomplete = tonumber(route[2] or 0) > opens
    if not (incomplete and standing.charged > sums.c) then
      standing.charged, standing.sent, standing.unknown = sums.c, sums.s, sums.u
    end
  end
  standing.lifetime_open = lifetime_open(route, window, standing)
  standing.unheard = redis.call('ZCOUNT', KEYS[4], '(' .. ARGV[1], '+inf')
  return standing, in_step
end

local function numbers(standing)
  return { standing.charged, standing.sent, standing.unknown, standing.first_day,
    standing.first_at, standing.lifetime, standing.lifetime_open, standing.graduated_at,
    standing.paused_at, standing.reason, standing.unheard }
end
