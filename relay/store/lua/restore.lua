-- restore: put keys of one domain back, all of them in one step.
--
-- KEYS    any number of keys of one domain
-- ARGV    for each key: kind (hash, zset, or slices), left of its life (ms, or -1), how many
--         pairs, then the pairs: field and value, or member and score
-- Returns how many keys were written
-- Repeat  freely
--
-- What a key held is gone, but for slices: they are hashes of counts, and of two the higher
-- stays, so that no charge is forgotten where the store has gone on since the backup (rule 1).
--
-- Example: 'slices', -1, 1, 'c:0-900', 5 onto c:0-900 = 8 -> it stays 8.

assert(#KEYS >= 1 and #ARGV >= 3 * #KEYS, 'restore: arity')
local at, parts = 1, {}
for i in ipairs(KEYS) do
  parts[i] = { kind = ARGV[at], ttl = tonumber(ARGV[at + 1]), from = at + 3,
    to = at + 2 + 2 * tonumber(ARGV[at + 2]) }
  assert(parts[i].kind == 'hash' or parts[i].kind == 'zset' or parts[i].kind == 'slices',
    'restore: argument of the kind')
  at = parts[i].to + 1
end
assert(at == #ARGV + 1, 'restore: arity')

for i, key in ipairs(KEYS) do
  local part = parts[i]
  if part.kind ~= 'slices' then redis.call('DEL', key) end
  for pair = part.from, part.to, 2 do
    local name, value = ARGV[pair], ARGV[pair + 1]
    if part.kind == 'zset' then
      redis.call('ZADD', key, value, name)
    elseif part.kind == 'hash' or tonumber(redis.call('HGET', key, name) or 0) < tonumber(value) then
      redis.call('HSET', key, name, value)
    end
  end
  if part.ttl >= 0 and redis.call('PTTL', key) < part.ttl then
    redis.call('PEXPIRE', key, math.max(1, part.ttl))
  end
end
return #KEYS
