-- drop_domain: forget an added domain; what was counted for it stays.
--
-- KEYS    1 domains  2 their marks  3 how many each tenant has
-- ARGV    1 name  2 tenant  3 the mark of this change  4 the mark that it has
-- Returns 1, or 0 where its mark is another or it is not there
-- Repeat  freely: the latest change of all being this one, it is done
--
-- Example: a.example, its mark -> 1; once more -> 1; with another change since -> 0.

assert(#KEYS == 3 and #ARGV == 4, 'drop_domain: 3 keys and 4 arguments')
local name, tenant, mark = ARGV[1], ARGV[2], ARGV[3]
if redis.call('HGET', KEYS[2], '@') == mark then return 1 end
if redis.call('HGET', KEYS[2], name) ~= ARGV[4] then return 0 end

local count = tonumber(redis.call('HGET', KEYS[3], tenant) or 0)
if count > 1 then
  redis.call('HSET', KEYS[3], tenant, count - 1)
else
  redis.call('HDEL', KEYS[3], tenant)
end
redis.call('HDEL', KEYS[1], name)
redis.call('HDEL', KEYS[2], name)
redis.call('HSET', KEYS[2], '@', mark)
return 1
