-- divide: one reservation in flight becomes several, each to be settled on its own. What is
-- charged stays as it is, in the same slice, of the same class.
--
-- KEYS    1 window  2 campaign (only of a reservation of one)
-- ARGV    1 reservation id, then three for each part:
--         id  count  providers ("google=1,other=2", or empty)
-- Returns 1 if it is divided by this call, 0 if there is no such reservation (any more)
-- Repeat  freely: the first call takes the record of the whole away
--
-- Example: "3:900-1800:0:google=3" into a: 1 "google=1" and b: 2 "google=2"
--          -> r:a "1:900-1800:0:google=1" and r:b "2:900-1800:0:google=2".

assert((#KEYS == 1 or #KEYS == 2) and #ARGV >= 4 and #ARGV % 3 == 1, 'divide: 1 or 2 keys, 1 + 3n arguments')
local record = redis.call('HGET', KEYS[1], 'r:' .. ARGV[1])
if not record then return 0 end

-- Decide: the parts are the whole, of every provider.
local count, slice, class, split = string.match(record, '^(%d+):(%d+%-%d+):([01]):(.*)$')
local left = { [''] = tonumber(count) }
for name, sends in string.gmatch(split, '([^=,]+)=(%d+)') do left[name] = tonumber(sends) end
local words = {}
for i = 2, #ARGV, 3 do
  left[''] = left[''] - tonumber(ARGV[i + 1])
  for name, sends in string.gmatch(ARGV[i + 2], '([^=,]+)=(%d+)') do
    left[name] = (left[name] or 0) - tonumber(sends)
  end
  words[#words + 1] = 'r:' .. ARGV[i]
  words[#words + 1] = string.format('%d:%s:%s:%s', ARGV[i + 1], slice, class, ARGV[i + 2])
end
for name, sends in pairs(left) do assert(sends == 0, 'divide: not the whole of ' .. name) end

-- Write.
redis.call('HDEL', KEYS[1], 'r:' .. ARGV[1])
redis.call('HSET', KEYS[1], unpack(words))
if KEYS[2] and redis.call('HDEL', KEYS[2], 'r:' .. ARGV[1]) == 1 then -- see campaigns.lua
  for i = 1, #words, 2 do redis.call('HSET', KEYS[2], words[i], 1) end
end
return 1
