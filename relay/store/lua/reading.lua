-- reading: what is counted of a route in a window. No verb of its own: this text and summing.lua
-- are put in front of reserve.lua and standing.lua, so that both see the same numbers.
--
-- KEYS    1 route  2 window  3 slices  4 unheard  5 sending days  6 qualified days
-- ARGV    1 now (epoch ms)  2 window label  3 opens (epoch ms)  4 counted to (epoch ms)
--         5 day (ordinal of the window)  6 paced since  7 paced until (epoch ms; 0: not paced)
--         8 slides (1: a rolling window)
-- Returns (from window_of) the window's own values, and its counts by pool.
--
-- Counts are kept by pool: '' is the route, any other name a provider of it. A window hash
-- caches the sums of the slices inside it. The cache is good while the route's field `open`
-- names the window; otherwise (first touch, or after an edit of the zone) the slices decide.
-- Slices already deleted (`pruned`, epoch ms) cannot: then the higher wins. In the same way
-- `paced` caches the slices of the span that its field `pace` names.
--
-- Example: 40 charged in slice 900-1800, and no window hash: charged 40 for opens=0.

local now, label, day = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[5])
local opens, closes = tonumber(ARGV[3]), tonumber(ARGV[4])
local pace, since, till = ARGV[6] .. '-' .. ARGV[7], tonumber(ARGV[6]), tonumber(ARGV[7])
local KINDS = { c = 'charged', s = 'sent', u = 'unknown', t = 'transactional' }

local function window_field(kind, pool)
  return pool == '' and KINDS[kind] or KINDS[kind] .. ':' .. pool
end

-- Run for every message: tables are written in one piece, so that they never grow.
local function counts_at(values, i)
  return { c = tonumber(values[i] or 0), s = tonumber(values[i + 1] or 0),
    u = tonumber(values[i + 2] or 0), t = tonumber(values[i + 3] or 0) }
end

local tallied
local function tally()
  if tallied then return tallied end
  tallied = { pools = { [''] = { c = 0, s = 0, u = 0, t = 0 } }, paced = 0, leaving = {} }
  local pools, leaving, flat = tallied.pools, tallied.leaving, redis.call('HGETALL', KEYS[3])
  local theirs = {} -- the transactional ones, by slice and pool
  for i = 1, #flat, 2 do
    local kind, from, to, pool = string.match(flat[i], '^(%l):(%d+)-(%d+):?(.*)$')
    local count, from_ms, to_ms = tonumber(flat[i + 1]), from * 1000, to * 1000
    if to_ms > opens and from_ms < closes then
      pools[pool] = pools[pool] or { c = 0, s = 0, u = 0, t = 0 }
      pools[pool][kind] = pools[pool][kind] + count
      if kind == 't' then theirs[string.sub(flat[i], 2)] = count end
      if kind == 'c' and count > 0 then
        leaving[#leaving + 1] = { tonumber(to), pool, count, string.sub(flat[i], 2) }
      end
    end
    if kind == 'c' and pool == '' and to_ms > since and from_ms < till then
      tallied.paced = tallied.paced + count
    end
  end
  for _, each in ipairs(leaving) do each[4] = theirs[each[4]] or 0 end
  return tallied
end

-- The providers that the window has counts of. Its records of reservations may be thousands:
-- they are passed over where they are, and never become values of this script.
local function providers_in(key)
  local seen, names, cursor = {}, {}, '0'
  repeat
    local found = redis.call('HSCAN', key, cursor, 'MATCH', 'charged:*', 'COUNT', 100000)
    cursor = found[1]
    for i = 1, #found[2], 2 do
      local name = string.sub(found[2][i], #'charged:' + 1)
      if not seen[name] then seen[name], names[#names + 1] = true, name end
    end
  until cursor == '0'
  return names
end

-- The window's values (lifetime_open, restarts, pace, paced, charged, ...; cap, qualifies_from and
-- progress are 9 to 11), and its counts by pool: those of `names`, or of all of them.
local function window_of(names)
  names = names or providers_in(KEYS[2])
  local fields = { 'lifetime_open', 'restarts', 'pace', 'paced', 'charged', 'sent', 'unknown',
    'transactional', 'cap', 'qualifies_from', 'progress' }
  for i, name in ipairs(names) do
    local at = 4 * i + 3
    fields[at + 5], fields[at + 6] = 'charged:' .. name, 'sent:' .. name
    fields[at + 7], fields[at + 8] = 'unknown:' .. name, 'transactional:' .. name
  end
  local values = redis.call('HMGET', KEYS[2], unpack(fields))
  local pools = { [''] = counts_at(values, 5) }
  for i, name in ipairs(names) do pools[name] = counts_at(values, 4 * i + 8) end
  return values, pools
end
