-- backup: keys of one domain as they stand at one instant. Reads only.
--
-- KEYS    any number of keys of one domain
-- ARGV    1 how many keys
-- Returns for each key {kind, left of its life (ms, -1: no end), {field, value, ...}}: kind is
--         hash or zset (member, score), or none where there is nothing to keep
-- Repeat  freely
--
-- Example: a route paused and nothing else -> {{'hash', -1, {'paused_at', '1', 'reason', 'x'}}}

assert(#ARGV == 1 and #KEYS >= 1 and #KEYS == tonumber(ARGV[1]), 'backup: arity')
local READ = { hash = { 'HGETALL' }, zset = { 'ZRANGE', 0, -1, 'WITHSCORES' } }
local found = {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key)['ok']
  local read = READ[kind]
  if read then
    found[i] = { kind, redis.call('PTTL', key), redis.call(read[1], key, unpack(read, 2)) }
  else
    found[i] = { 'none', -1, {} }
  end
end
return found
