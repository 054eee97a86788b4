-- adopt: give a route a past that this store has not counted.
--
-- KEYS    1 route  2 window (the current one)  3 slices  4 days  5 sending days
--         6 qualified days
-- ARGV    1 replace (0 or 1)  2 dry (1: decide, write nothing)  3 slices live (ms, at least)
--         4 qualifies_from of today  5 progress of today, as charging.lua writes it
--         then lists, each as its length and so many items:
--         fields of the route: name, value;  recent days: from and to (epoch s), slice, sends;
--         providers with caps of their own;  days: ordinal, sends;  sending days;
--         qualified days
-- Returns nil if the route has sent and is not to be replaced (nothing is changed); else what is
--         newly counted of the recent days: {slice, provider or '', sends, ...}
-- Repeat  freely with replace: the second call counts nothing anew
--
-- What was charged is never given back. Of a recent day as many sends are added as its row has
-- above those already settled; what is in flight stays on top. A past does not say to whom it
-- went: each provider that has a cap is taken to have had all of it (rule 1).
--
-- Example: 100 today, nothing counted -> {'1000-1900', '', 100}; 40 settled -> {…, 60}.

assert(#KEYS == 6 and #ARGV >= 11, 'adopt: arity')
local FORGOTTEN = { 'first_day', 'first_at', 'lifetime', 'graduated_at', 'last_day', 'last_days',
  'last_sends', 'base_days', 'base_sends', 'idled' }

local at = 6
local function list(width)
  local found, length = {}, tonumber(ARGV[at]) * width
  for i = 1, length do found[i] = ARGV[at + i] end
  at = at + 1 + length
  return found
end
local fields, recent, pools, days = list(2), list(4), list(1), list(2)
local sending, qualified = list(1), list(1)
assert(at == #ARGV + 1, 'adopt: arity')
table.insert(pools, 1, '')

-- Decide.
local has_sent = false
for _, value in ipairs(redis.call('HMGET', KEYS[1], unpack(FORGOTTEN))) do
  has_sent = has_sent or (value and value ~= '0')
end
local settled, slices = {}, redis.call('HGETALL', KEYS[3])
for i = 1, #slices, 2 do
  local kind, from, pool = string.match(slices[i], '^(%l):(%d+)-%d+:?(.*)$')
  local count, from_s = tonumber(slices[i + 1]), tonumber(from)
  if kind == 'c' and count > 0 then has_sent = true end
  for day = 1, #recent, 4 do
    local is_inside = from_s >= tonumber(recent[day]) and from_s < tonumber(recent[day + 1])
    if (kind == 's' or kind == 'u') and is_inside then
      local place = day .. ':' .. pool
      settled[place] = (settled[place] or 0) + count
    end
  end
end
if has_sent and ARGV[1] == '0' then return false end
local added = {}
for day = 1, #recent, 4 do
  for _, pool in ipairs(pools) do
    local more = tonumber(recent[day + 3]) - (settled[day .. ':' .. pool] or 0)
    if more > 0 then
      added[#added + 1], added[#added + 2], added[#added + 3] = recent[day + 2], pool, more
    end
  end
end
if ARGV[2] == '1' then return added end

-- Write.
redis.call('HDEL', KEYS[1], 'open', unpack(FORGOTTEN)) -- without `open`, the slices decide
redis.call('HSET', KEYS[1], unpack(fields))
if has_sent then redis.call('HINCRBY', KEYS[1], 'restarts', 1) end
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HDEL', KEYS[2], 'lifetime_open')
  redis.call('HSET', KEYS[2], 'qualifies_from', ARGV[4], 'progress', ARGV[5])
end
redis.call('DEL', KEYS[4], KEYS[5], KEYS[6])
for i = 1, #days, 2 do redis.call('HSET', KEYS[4], days[i], days[i + 1]) end
for _, day in ipairs(sending) do redis.call('ZADD', KEYS[5], day, day) end
for _, day in ipairs(qualified) do redis.call('ZADD', KEYS[6], day, day) end
for i = 1, #added, 3 do
  local slice = added[i + 1] == '' and added[i] or added[i] .. ':' .. added[i + 1]
  redis.call('HINCRBY', KEYS[3], 'c:' .. slice, added[i + 2])
  redis.call('HINCRBY', KEYS[3], 's:' .. slice, added[i + 2])
end
if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[3]) then
  redis.call('PEXPIRE', KEYS[3], ARGV[3])
end
return added
