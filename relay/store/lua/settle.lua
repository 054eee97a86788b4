-- settle: record what became of a reservation. (`campaigns.lua` is put in front of this text.)
--
-- KEYS    1 route  2 window  3 slices  4 days  5 unheard  6 sending days  7 qualified days
--         8 message (only with a fingerprint)  last: campaign (only of a message of one)
-- ARGV    1 now (epoch ms)  2 reservation id  3 verdict (sent, refund or unknown)
--         4 window label  5 day (ordinal of the window)  6 session
--         7 member of unheard  8 how long an acceptance is remembered (ms)
--         9 whether there is a campaign (0 or 1)
-- Returns 1 if this call recorded it, 0 if there is no such reservation (any more)
-- Repeat  freely: the record of the reservation is taken away by the first call, and
--         without it nothing is changed, also where the window has expired
--
-- Example: reserved 3 in window W: sent -> W sent +3, lifetime +3, that day +3; again -> 0.

local campaign = ARGV[9] == '1' and KEYS[#KEYS]
local of_message = #KEYS - (campaign and 8 or 7)
assert((of_message == 0 or of_message == 1) and #ARGV == 9, 'settle: arity')
local message = of_message == 1 and KEYS[8]
local now, verdict, day, session = tonumber(ARGV[1]), ARGV[3], tonumber(ARGV[5]), ARGV[6]
assert(verdict == 'sent' or verdict == 'refund' or verdict == 'unknown', 'settle: verdict')
local DAYS = 400 -- days kept for charts
local SKEW_MS = 2 * 86400 * 1000 -- another relay's clock may be behind: expired ones stay a while

-- Decide.
local record = redis.call('HGET', KEYS[2], 'r:' .. ARGV[2])
if not record then return 0 end
local count, slice, is_transactional, split =
  string.match(record, '^(%d+):(%d+%-%d+):([01]):(.*)$')
local pools = { [''] = tonumber(count) }
for name, sends in string.gmatch(split, '([^=,]+)=(%d+)') do pools[name] = tonumber(sends) end
local mark = message and redis.call('HGET', message, session)
local stood = mark and string.match(mark, '^%l+') -- open; or left, where the client is gone
local open, first_day, first_at, last_day = unpack(
  redis.call('HMGET', KEYS[1], 'open', 'first_day', 'first_at', 'last_day'))

-- Write.
redis.call('HDEL', KEYS[2], 'r:' .. ARGV[2])
if open ~= ARGV[4] then
  redis.call('HDEL', KEYS[1], 'open') -- another window may overlap: let it count anew
end

local function in_slice(kind, pool) -- its field; and how much is in it: 0 once it is pruned
  local field = kind .. ':' .. slice .. (pool == '' and '' or ':' .. pool)
  return field, tonumber(redis.call('HGET', KEYS[3], field) or 0)
end

local function count_in(name, kind)
  for pool, sends in pairs(pools) do
    redis.call('HINCRBY', KEYS[2], pool == '' and name or name .. ':' .. pool, sends)
    local _, charged = in_slice('c', pool)
    if charged >= sends then redis.call('HINCRBY', KEYS[3], (in_slice(kind, pool)), sends) end
  end
end

local function give_back(name, kind)
  for pool, sends in pairs(pools) do
    local whole = pool == '' and name or name .. ':' .. pool
    local held = tonumber(redis.call('HGET', KEYS[2], whole) or 0)
    redis.call('HSET', KEYS[2], whole, math.max(0, held - sends))
    local field, charged = in_slice(kind, pool)
    if charged > 0 then redis.call('HINCRBY', KEYS[3], field, -math.min(charged, sends)) end
  end
end

local function remember_day(on_day)
  redis.call('ZADD', KEYS[6], day, day)
  local from, progress = unpack(redis.call('HMGET', KEYS[2], 'qualifies_from', 'progress'))
  if on_day >= tonumber(from) then redis.call('ZADD', KEYS[7], day, day) end
  if day >= tonumber(last_day or day) then
    local unit, at = string.match(progress, '^(%l+):(%d+)$')
    redis.call('HDEL', KEYS[1], 'last_days', 'last_sends')
    redis.call('HSET', KEYS[1], 'last_day', day, 'last_' .. unit, at)
  end
  if on_day > pools[''] then return end
  local days = redis.call('HKEYS', KEYS[4])
  table.sort(days, function(a, b) return tonumber(a) < tonumber(b) end)
  for i = 1, #days - DAYS do redis.call('HDEL', KEYS[4], days[i]) end
end

local function remember_acceptance()
  local expires = now + tonumber(ARGV[8])
  local kind = stood == 'left' and 'gone' or 'taken'
  redis.call('HSET', message, session, string.format('%s:%.0f', kind, expires))
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - SKEW_MS)
  redis.call('ZADD', KEYS[5], expires, ARGV[7])
  redis.call('PEXPIRE', message, ARGV[8] + SKEW_MS)
  redis.call('PEXPIRE', KEYS[5], ARGV[8] + SKEW_MS)
end

if campaign then settle_route(campaign, ARGV[2], verdict ~= 'refund') end
if verdict == 'sent' then
  count_in('sent', 's')
  if not first_day then redis.call('HSET', KEYS[1], 'first_day', ARGV[5]) end
  if not first_at then redis.call('HSET', KEYS[1], 'first_at', ARGV[1]) end
  redis.call('HINCRBY', KEYS[1], 'lifetime', pools[''])
  remember_day(redis.call('HINCRBY', KEYS[4], ARGV[5], pools['']))
  if message then remember_acceptance() end
  return 1
end
if stood == 'open' or stood == 'left' then redis.call('HDEL', message, session) end
if verdict == 'unknown' then
  count_in('unknown', 'u')
else
  redis.call('HDEL', KEYS[2], 'pace')
  give_back('charged', 'c')
  if is_transactional == '1' then give_back('transactional', 't') end
end
return 1
