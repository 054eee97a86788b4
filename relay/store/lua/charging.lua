-- charging: how a granted reservation is written down. No verb of its own: this text is put in
-- front of reserve.lua, behind idling.lua.
--
-- KEYS    those of reserve.lua
-- ARGV    those of reserve.lua
-- Returns (from charge) nothing; `standing` is afterwards as of after it
--
-- The window's record of a reservation is "count:slice:transactional:provider=count,...": what
-- settle.lua needs to give it back exactly.
--
-- Example: 3 to google in slice 900-1800 -> "3:900-1800:0:google=3".

local KEPT_MS = 3 * 86400 * 1000 -- how long a closed window is kept
-- How far back slices are kept: the longest day, for relays whose clocks are two days behind.
local SLICES_MS = (25 + 48 + 1) * 3600 * 1000

local function keep(key, at_least_ms)
  if redis.call('PTTL', key) < at_least_ms then redis.call('PEXPIRE', key, at_least_ms) end
end

local function prune(before, known)
  local last = 0
  for _, field in ipairs(redis.call('HKEYS', KEYS[3])) do
    local ends = tonumber(string.match(field, '-(%d+)')) * 1000
    if ends < before then
      redis.call('HDEL', KEYS[3], field)
      last = math.max(last, ends)
    end
  end
  if last > known then redis.call('HSET', KEYS[1], 'pruned', last) end
end

local function add(standing, pool, sends, words)
  local counts, slice, at = standing.pools[pool], ARGV[11], #words
  if pool ~= '' then slice = slice .. ':' .. pool end
  counts.c = counts.c + sends
  redis.call('HINCRBY', KEYS[3], 'c:' .. slice, sends)
  words[at + 1], words[at + 2] = window_field('c', pool), counts.c
  if is_transactional then
    counts.t = counts.t + sends
    redis.call('HINCRBY', KEYS[3], 't:' .. slice, sends)
    words[at + 3], words[at + 4] = window_field('t', pool), counts.t
  end
end

-- The window is touched for the first time, or its counts were made anew from the slices.
local function open_window(standing)
  local words = { 'lifetime_open', standing.lifetime_open, 'restarts', standing.restarts }
  for pool, counts in pairs(standing.pools) do
    for kind, count in pairs(counts) do
      words[#words + 1], words[#words + 2] = window_field(kind, pool), count
    end
  end
  redis.call('HSET', KEYS[2], unpack(words))
  redis.call('HSET', KEYS[1], 'open', label)
  prune(now - SLICES_MS, tonumber(standing.pruned or 0))
end

-- What settle.lua reads of the window, and the span of the smoothing: only what has changed, which
-- most messages do not.
local function changed(standing, cap, words)
  local held, qualifies = standing.held, 1
  if cap >= 0 then
    qualifies = math.max(1, part(cap, tonumber(ARGV[19]), WHOLE_PPM, WHOLE_PPM - 1))
  end
  local progress, at = unit .. ':' .. progress_of(standing), #words
  if tonumber(held[9]) ~= cap or tonumber(held[10]) ~= qualifies or held[11] ~= progress then
    words[at + 1], words[at + 2], words[at + 3], words[at + 4] = 'cap', cap, 'qualifies_from',
      qualifies
    words[at + 5], words[at + 6], at = 'progress', progress, at + 6
  end
  if held[3] ~= pace or tonumber(held[4]) ~= standing.paced then
    words[at + 1], words[at + 2], words[at + 3], words[at + 4] = 'pace', pace, 'paced',
      standing.paced
  end
end

local function charge(standing, cap, count, split, in_step)
  local shares, words = '', { 'r:' .. ARGV[10], false }
  if till > 0 then standing.paced = standing.paced + count end
  if not in_step then open_window(standing) end
  add(standing, '', count, words)
  for i, share in ipairs(split) do
    add(standing, share[1], share[2], words)
    shares = shares .. (i > 1 and ',' or '') .. share[1] .. '=' .. share[2]
  end
  words[2] = ARGV[9] .. ':' .. ARGV[11] .. ':' .. ARGV[13] .. ':' .. shares
  changed(standing, cap, words)
  redis.call('HSET', KEYS[2], unpack(words))
  if not in_step then
    keep(KEYS[2], closes - now + KEPT_MS)
    keep(KEYS[3], closes - now + KEPT_MS)
  end
end
