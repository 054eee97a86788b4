-- forgive: an attempt that was right does not count any more; those before it do.
--
-- KEYS    1 attempts
-- ARGV    1 attempts in a row that are free
-- Returns how many still count
-- Repeat  each call forgives one
--
-- Example: 2 free, 2 counted and so locked: 1, and no lock; again -> 0, and nothing is kept.

assert(#KEYS == 1 and #ARGV == 1, 'forgive: 1 key and 1 argument')
local count = tonumber(redis.call('HGET', KEYS[1], 'count') or 0) - 1
if count <= 0 then
  redis.call('DEL', KEYS[1])
  return 0
end
redis.call('HSET', KEYS[1], 'count', count)
if count < tonumber(ARGV[1]) then redis.call('HDEL', KEYS[1], 'until') end
return count
