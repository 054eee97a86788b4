-- attempts: earlier attempts at a message whose quota is reserved already; this one is under way
-- from now on. (`attempts_at.lua` is put in front of this text.)
--
-- KEYS    1 message
-- ARGV    1 now (epoch ms)  2 session ('': only look)  3 how long it is remembered (ms)
-- Returns {whether another process has one under way (0 or 1), session, mark, ...}
-- Repeat  freely
--
-- Example: i.1 gone, j.1 open: for i.2 -> 1, i.1, gone; afterwards i.2 is open.

assert(#KEYS == 1 and #ARGV == 3, 'attempts: 1 key and 3 arguments')
local now, session = tonumber(ARGV[1]), ARGV[2]
local live, is_elsewhere, is_first = attempts_at(KEYS[1], session, now)
if session ~= '' then begin_attempt(KEYS[1], session, now, tonumber(ARGV[3]), is_first) end
return { is_elsewhere and 1 or 0, unpack(live) }
