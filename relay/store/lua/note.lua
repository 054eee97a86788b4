-- note: put an entry into the audit log, take one out, or put one in the place of another.
-- (`noting.lua` is put in front of this text.)
--
-- KEYS    1 audit
-- ARGV    1 instant of both (epoch ms)  2 the entry that comes ('': none)
--         3 the entry that goes ('': none)  4 how many are kept
-- Returns 1
-- Repeat  freely
--
-- Example: '5', 'pause, open', '' and then '5', 'pause, done', 'pause, open' leave one entry.

assert(#KEYS == 1 and #ARGV == 4, 'note: 1 key and 4 arguments')
if ARGV[3] ~= '' then redis.call('ZREM', KEYS[1], ARGV[3]) end
if ARGV[2] ~= '' then noted(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[4])) end
return 1
