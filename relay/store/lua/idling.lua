-- idling: what becomes of a route that has not sent for long. No verb of its own: this text is
-- put in front of reserve.lua, behind walls.lua.
--
-- KEYS    those of reserve.lua
-- ARGV    those of reserve.lua
-- Returns (from has_idled) whether `standing` was taken back; only then `forget` may be called
--
-- The same as core/quota/standing.py after_idling: everything that a restart forgets is forgotten,
-- and the ramp goes on from `base`: 0, or where the tier below that of the last send starts.
--
-- Example: last send 31 days ago on the third tier, step-back after 30: on from the second.

local idle_after, steps_back = tonumber(ARGV[16]), ARGV[17] == '1'
local unit = advance == 'lifetime-sends' and 'sends' or 'days'

local function one_below(standing)
  if not steps_back then return '0' end
  local tiers, at = tonumber(ARGV[25]), tonumber(standing['last_' .. unit] or 0)
  local below, stood = ARGV[26], ARGV[26]
  for i = 28, 26 + 2 * (tiers - 1), 2 do
    if tonumber(ARGV[i]) > at and not standing.graduated_at then break end
    below, stood = stood, ARGV[i]
  end
  return below
end

local function has_idled(standing)
  local days = standing.last_day and day - tonumber(standing.last_day) or 0
  if idle_after == 0 or days <= idle_after then return false end
  more_of(standing)
  local base = one_below(standing)
  for _, name in ipairs({ 'first_day', 'first_at', 'graduated_at', 'last_day', 'last_days',
    'last_sends', 'base_days', 'base_sends' }) do
    standing[name] = false
  end
  standing.lifetime, standing.lifetime_open, standing.sending, standing.qualified = 0, 0, 0, 0
  standing['base_' .. unit] = base ~= '0' and base
  local what = steps_back and 'stepped back' or 'restarted'
  standing.idled = string.format('%s: %d days without sends', what, days)
  return true
end

local function forget(standing)
  redis.call('HDEL', KEYS[1], 'started_at', 'first_day', 'first_at', 'lifetime', 'graduated_at',
    'last_day', 'last_days', 'last_sends', 'base_days', 'base_sends')
  redis.call('DEL', KEYS[5], KEYS[6])
  standing.restarts = tostring(redis.call('HINCRBY', KEYS[1], 'restarts', 1))
  redis.call('HSET', KEYS[1], 'idled', standing.idled)
  local base = standing['base_' .. unit]
  if base then redis.call('HSET', KEYS[1], 'base_' .. unit, base) end
end
