-- layout: claim a store for a layout of keys, or learn whose it is.
--
-- KEYS    1 layout
-- ARGV    1 version
-- Returns the version that the store holds: the one given, if it held none
-- Repeat  freely
--
-- Example: empty store, '1' -> '1'; then '2' -> '1', and the caller must keep off.

assert(#KEYS == 1 and #ARGV == 1, 'layout: 1 key and 1 argument')
local held = redis.call('GET', KEYS[1])
if held then return held end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
