-- campaigns: which route a campaign keeps to. No verb of its own: this text is put in front of
-- reserve.lua and settle.lua.
--
-- KEYS    none of its own: the campaign's key is given to each function
-- ARGV    none
-- Returns (from kept_route) an upstream, or nil where the campaign keeps to none (any more)
--
-- The hash: `upstream`, `until` (epoch ms), `r:<id>` for each reservation in flight, and `stands`
-- once one was sent (or may have been). The first reservation fixes the route; when all that
-- there were are given back, nothing of the campaign was sent and the hash goes.
--
-- Example: keep_route of a, then of b; a and b are refunded: forgotten. Had a been sent: kept.

-- `among` are the upstreams that it may keep to: those of routes that exist.
local function kept_route(campaign, at_ms, among)
  local upstream, ends = unpack(redis.call('HMGET', campaign, 'upstream', 'until'))
  if not upstream or tonumber(ends) <= at_ms then return nil end
  for _, name in ipairs(among) do
    if name == upstream then return upstream end
  end
  return nil
end

-- `is_new`: the campaign kept to no route before this reservation.
local function keep_route(campaign, upstream, is_new, ends_ms, reservation)
  if is_new then redis.call('DEL', campaign) end
  local ends = string.format('%.0f', ends_ms)
  redis.call('HSET', campaign, 'upstream', upstream, 'until', ends, 'r:' .. reservation, 1)
end

local function settle_route(campaign, reservation, stands)
  if redis.call('HDEL', campaign, 'r:' .. reservation) == 0 then return end
  if stands then
    redis.call('HSET', campaign, 'stands', 1)
  elseif redis.call('HLEN', campaign) == 2 then
    redis.call('DEL', campaign)
  end
end
