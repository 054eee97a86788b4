-- keep: add, change or remove a field of a hash, and note it in the audit log, in one step.
-- (`noting.lua` is put in front of this text.)
--
-- KEYS    1 audit  2 hash  3... hashes that lose the field when the first one does
-- ARGV    1 instant of the entry (epoch ms)  2 the entry  3 how many are kept
--         4 how: add, change or remove  5 field  6 value (not with remove)
-- Returns 1 if it was done, by this call or by an earlier one with the same entry; 0 if there
--         was such a field already (add) or none (change, remove): nothing is noted then
-- Repeat  freely
--
-- Example: remove a field: 1, and the entry is there; again: 1; with another entry: 0.

assert(#KEYS >= 2 and #ARGV == (ARGV[4] == 'remove' and 5 or 6), 'keep: arity')
local how, field = ARGV[4], ARGV[5]
if redis.call('ZSCORE', KEYS[1], ARGV[2]) then return 1 end
if (redis.call('HEXISTS', KEYS[2], field) == 1) == (how == 'add') then return 0 end
if how == 'remove' then
  for i = 2, #KEYS do redis.call('HDEL', KEYS[i], field) end
else
  redis.call('HSET', KEYS[2], field, ARGV[6])
end
noted(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]))
return 1
