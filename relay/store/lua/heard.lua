-- heard: the client was seen to hear of the acceptance; forget the attempt.
--
-- KEYS    1 message  2 unheard
-- ARGV    1 session  2 member of unheard
-- Returns 1 if there was something to forget, else 0
-- Repeat  freely
--
-- Example: after settle(sent) of session s: 1, and a retry is no longer seen; again -> 0.

assert(#KEYS == 2 and #ARGV == 2, 'heard: 2 keys and 2 arguments')
redis.call('ZREM', KEYS[2], ARGV[2])
return redis.call('HDEL', KEYS[1], ARGV[1])
