-- left: the client's connection was lost before it heard an answer.
--
-- KEYS    1 window  2 message
-- ARGV    1 now (epoch ms)  2 reservation id  3 session  4 how long LEFT is remembered (ms)
-- Returns the session's mark as it is now (left or gone), or nil where there is none: the
--         attempt is settled as not taken, or its client has heard
-- Repeat  freely: a LEFT mark keeps the expiry of its first call
--
-- Example: open, in flight -> left; settle(sent) then makes it gone. Taken -> gone.

assert(#KEYS == 2 and #ARGV == 4, 'left: 2 keys and 4 arguments')
local session = ARGV[3]

-- Decide.
local mark = redis.call('HGET', KEYS[2], session)
local kind, expires = string.match(mark or '', '^(%l+):(%d+)$')
local in_flight = redis.call('HEXISTS', KEYS[1], 'r:' .. ARGV[2]) == 1

-- Write.
if kind == 'taken' then
  redis.call('HSET', KEYS[2], session, 'gone:' .. expires)
  return 'gone'
end
if kind and kind ~= 'open' then return kind end
if not in_flight then return false end
local kept_ms = tonumber(ARGV[4])
redis.call('HSET', KEYS[2], session, string.format('left:%.0f', tonumber(ARGV[1]) + kept_ms))
if redis.call('PTTL', KEYS[2]) < kept_ms then redis.call('PEXPIRE', KEYS[2], kept_ms) end
return 'left'
