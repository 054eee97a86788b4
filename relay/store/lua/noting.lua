-- noting: an entry into the audit log, which is cut. No verb of its own: this text is put in
-- front of note.lua and keep.lua.
--
-- KEYS    none of its own: the log's key is given to the function
-- ARGV    none
-- Returns nothing
--
-- The log is a sorted set: entries as JSON, scored by their instants. The oldest go.
--
-- Example: most 2, the entries a, b: noted(log, 3, 'c', 2) leaves b and c.

local function noted(log, at_ms, entry, most)
  redis.call('ZADD', log, at_ms, entry)
  redis.call('ZREMRANGEBYRANK', log, 0, -most - 1)
end
