-- settle: record what became of a reservation.
--
-- KEYS    1 route  2 window  3 slices  4 days  5 unheard  6 message (only with a fingerprint)
-- ARGV    1 now (epoch ms)  2 reservation id  3 verdict (sent, refund or unknown)
--         4 window label  5 day (ordinal of the window)  6 session
--         7 member of unheard  8 how long an acceptance is remembered (ms)
-- Returns 1 if this call recorded it, 0 if there is no such reservation (any more)
-- Repeat  freely: the record of the reservation is taken away by the first call, and
--         without it nothing is changed, also where the window has expired
--
-- Example: reserved 3 in window W: sent -> W sent +3, lifetime +3, that day +3; again -> 0.

assert((#KEYS == 5 or #KEYS == 6) and #ARGV == 8, 'settle: arity')
local now, verdict, session = tonumber(ARGV[1]), ARGV[3], ARGV[6]
assert(verdict == 'sent' or verdict == 'refund' or verdict == 'unknown', 'settle: verdict')
local DAYS = 400 -- days kept for charts
local SKEW_MS = 2 * 86400 * 1000 -- another relay's clock may be behind: expired ones stay a while

-- Decide.
local record = redis.call('HGET', KEYS[2], 'r:' .. ARGV[2])
if not record then return 0 end
local count, slice = string.match(record, '^(%d+):(.+)$')
count = tonumber(count)
local in_slice = tonumber(redis.call('HGET', KEYS[3], 'c:' .. slice) or 0) -- 0 once pruned
local charged = tonumber(redis.call('HGET', KEYS[2], 'charged') or 0)
local mark = KEYS[6] and redis.call('HGET', KEYS[6], session)
local client_left = mark and string.sub(mark, 1, 5) == 'left:'

-- Write.
redis.call('HDEL', KEYS[2], 'r:' .. ARGV[2])
if redis.call('HGET', KEYS[1], 'open') ~= ARGV[4] then
  redis.call('HDEL', KEYS[1], 'open') -- another window may overlap: let it count anew
end

local function count_in(window_field, slice_field)
  redis.call('HINCRBY', KEYS[2], window_field, count)
  if in_slice >= count then redis.call('HINCRBY', KEYS[3], slice_field .. ':' .. slice, count) end
end

local function remember_day()
  if redis.call('HINCRBY', KEYS[4], ARGV[5], count) > count then return end
  local days = redis.call('HKEYS', KEYS[4])
  table.sort(days, function(a, b) return tonumber(a) < tonumber(b) end)
  for i = 1, #days - DAYS do redis.call('HDEL', KEYS[4], days[i]) end
end

local function remember_acceptance()
  local expires = now + tonumber(ARGV[8])
  local kind = client_left and 'gone' or 'taken'
  redis.call('HSET', KEYS[6], session, string.format('%s:%.0f', kind, expires))
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - SKEW_MS)
  redis.call('ZADD', KEYS[5], expires, ARGV[7])
  redis.call('PEXPIRE', KEYS[6], ARGV[8] + SKEW_MS)
  redis.call('PEXPIRE', KEYS[5], ARGV[8] + SKEW_MS)
end

if verdict == 'sent' then
  count_in('sent', 's')
  redis.call('HSETNX', KEYS[1], 'first_day', ARGV[5])
  redis.call('HSETNX', KEYS[1], 'first_at', ARGV[1])
  redis.call('HINCRBY', KEYS[1], 'lifetime', count)
  remember_day()
  if KEYS[6] then remember_acceptance() end
  return 1
end
if client_left then redis.call('HDEL', KEYS[6], session) end
if verdict == 'unknown' then
  count_in('unknown', 'u')
else
  redis.call('HSET', KEYS[2], 'charged', math.max(0, charged - count))
  if in_slice > 0 then
    redis.call('HINCRBY', KEYS[3], 'c:' .. slice, -math.min(in_slice, count))
  end
end
return 1
