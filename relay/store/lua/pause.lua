-- pause: no more reservations of a route until resume.
--
-- KEYS    1 route
-- ARGV    1 now (epoch ms)  2 reason (text for people)
-- Returns 1 if it is paused by this call, 0 if it was paused already (reason unchanged)
-- Repeat  freely
--
-- Example: pause 'maintenance' -> 1; reserve -> walled; pause 'again' -> 0.

assert(#KEYS == 1 and #ARGV == 2, 'pause: 1 key and 2 arguments')
if redis.call('HSETNX', KEYS[1], 'paused_at', ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'reason', ARGV[2])
return 1
