-- meter: one request of somebody who may ask so often (the generic cell rate algorithm: a
-- token bucket that is kept as one number, the instant at which it would be full again).
--
-- KEYS    1 meter
-- ARGV    1 now (epoch us)  2 interval between requests (us)  3 burst (requests at once)
-- Returns 0 if there was room, and one is taken; else the us until there is
-- Repeat  each call counts
--
-- Example: interval 1000, burst 2, at 0: 0, 0, then 1000; at 1000: 0.

assert(#KEYS == 1 and #ARGV == 3, 'meter: 1 key and 3 arguments')
local now, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full_at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
-- A clock that was set back must not shut anybody out for longer than a whole bucket.
full_at = math.min(full_at, now + burst * interval)
local wait = full_at - now - (burst - 1) * interval
if wait > 0 then return wait end
redis.call('SET', KEYS[1], string.format('%.0f', full_at + interval), 'PX',
  math.ceil(burst * interval / 1000) + 1000)
return 0
