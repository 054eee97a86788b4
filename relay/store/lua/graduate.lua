-- graduate: no cap for a route from now on.
--
-- KEYS    1 route
-- ARGV    1 now (epoch ms)
-- Returns 1 if it graduated by this call, 0 if it had already (the first instant stays)
-- Repeat  freely
--
-- Example: charged 50 of 50, graduate -> 1, reserve 1000 -> granted.

assert(#KEYS == 1 and #ARGV == 1, 'graduate: 1 key and 1 argument')
return redis.call('HSETNX', KEYS[1], 'graduated_at', ARGV[1])
