-- attempts_at: what is remembered of attempts at one message (rule 3). No verb of its own: this
-- text is put in front of reserve.lua and attempts.lua.
--
-- KEYS    none of its own: the message's key is given to the functions
-- ARGV    none of its own
-- Returns (from attempts_at) session, mark, ... of those that an outcome or a lost client is
--         known of; whether another process has one under way; and whether there was nothing
--
-- A session is "process.number". Of one that is `open` its process will say when its client is
-- gone; of its own a process knows that without being told.
--
-- Example: i.1 taken, i.2 open, j.1 open; asked for i.3 -> { 'i.1', 'taken' }, true, false.

local function process_of(session) return string.match(session, '^[^.]*') end

local function attempts_at(message, session, at_ms)
  local live, is_elsewhere, flat = {}, false, redis.call('HGETALL', message)
  for i = 1, #flat, 2 do
    local mark, expires = string.match(flat[i + 1], '^(%l+):(%d+)$')
    if tonumber(expires) > at_ms then
      if mark == 'open' then
        is_elsewhere = is_elsewhere or process_of(flat[i]) ~= process_of(session)
      else
        live[#live + 1], live[#live + 2] = flat[i], mark
      end
    end
  end
  return live, is_elsewhere, #flat == 0
end

-- From now on `session` has one under way: for `ms`, unless its end is told before. A mark that it
-- has from an equal mail before this one stays.
local function begin_attempt(message, session, at_ms, ms, is_first)
  redis.call('HSETNX', message, session, string.format('open:%.0f', at_ms + ms))
  if is_first or redis.call('PTTL', message) < ms then redis.call('PEXPIRE', message, ms) end
end
