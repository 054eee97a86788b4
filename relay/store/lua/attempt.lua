-- attempt: one attempt at a password, which is counted before it is looked at, so that many
-- at once are no way around the lock.
--
-- KEYS    1 attempts
-- ARGV    1 now (epoch ms)  2 attempts in a row that are free  3 first lock (ms)
--         4 longest lock (ms)
-- Returns 0 if it may be looked at, and is counted; else the ms that it is locked for
-- Repeat  each call counts
--
-- Example: 2 free, first lock 1000: 0, 0 (locked till 1000), 1000; at 1000: 0 (till 3000).

assert(#KEYS == 1 and #ARGV == 4, 'attempt: 1 key and 4 arguments')
local REMEMBERED_MS = 86400 * 1000 -- without an attempt for so long, all are forgotten
local now, free = tonumber(ARGV[1]), tonumber(ARGV[2])
local first, longest = tonumber(ARGV[3]), tonumber(ARGV[4])
local found = redis.call('HMGET', KEYS[1], 'count', 'until')
-- A clock that was set back must not lock anybody out for longer than the longest lock.
local wait = math.min(tonumber(found[2] or 0) - now, longest)
if wait > 0 then return wait end
local count = tonumber(found[1] or 0) + 1
local lock = 0
if count >= free then lock = math.min(longest, first * 2 ^ math.min(count - free, 30)) end
redis.call('HSET', KEYS[1], 'count', count, 'until', string.format('%.0f', now + lock))
redis.call('PEXPIRE', KEYS[1], REMEMBERED_MS)
return 0
