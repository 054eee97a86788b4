-- start: note that somebody has asked for a route's warm-up to begin. The clock of the ramp
-- still starts at the first send.
--
-- KEYS    1 route
-- ARGV    1 now (epoch ms)
-- Returns 1 if it is started by this call, 0 if it was already, or if it has sent
-- Repeat  freely
--
-- Example: start -> 1, start -> 0; restart, start -> 1.

assert(#KEYS == 1 and #ARGV == 1, 'start: 1 key and 1 argument')
if redis.call('HEXISTS', KEYS[1], 'first_day') == 1 then return 0 end
return redis.call('HSETNX', KEYS[1], 'started_at', ARGV[1])
