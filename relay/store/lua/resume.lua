-- resume: undo pause.
--
-- KEYS    1 route
-- ARGV    none
-- Returns 1 if it was paused, else 0
-- Repeat  freely
--
-- Example: pause, resume -> 1, resume -> 0.

assert(#KEYS == 1 and #ARGV == 0, 'resume: 1 key and no argument')
redis.call('HDEL', KEYS[1], 'reason')
return redis.call('HDEL', KEYS[1], 'paused_at')
