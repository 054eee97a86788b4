-- restart: back to the foot of the ramp. Forgets the first send, the last one, the lifetime,
-- the days that counted, the graduation and a start; what the current window has sent stays counted,
-- and a pause stays.
--
-- KEYS    1 route  2 sending days  3 qualified days
-- ARGV    none
-- Returns 1 if there was something to forget, else 0
-- Repeat  freely (a send settled in between is forgotten too)
--
-- `restarts` is the generation: a window touched in an earlier one no longer lends its
-- lifetime_open to a lifetime ramp.
--
-- Example: lifetime 700 on the 500-tier: restart -> 1, and today's tier is that of 0.

assert(#KEYS == 3 and #ARGV == 0, 'restart: 3 keys and no argument')
local was = redis.call('HMGET', KEYS[1], 'first_day', 'graduated_at', 'base_days', 'base_sends',
  'started_at', 'lifetime')
local nothing = not was[1] and not was[2] and not was[3] and not was[4] and not was[5]
if nothing and tonumber(was[6] or 0) == 0 then return 0 end
redis.call('HDEL', KEYS[1], 'started_at', 'first_day', 'first_at', 'lifetime', 'graduated_at',
  'last_day', 'last_days', 'last_sends', 'base_days', 'base_sends', 'idled')
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HINCRBY', KEYS[1], 'restarts', 1)
return 1
