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

local function charge(standing, cap, count, split, in_step)
  local shares, qualifies = {}, cap < 0 and 1
  qualifies = qualifies or math.max(1, part(cap, tonumber(ARGV[19]), WHOLE_PPM, WHOLE_PPM - 1))
  if till > 0 then standing.paced = standing.paced + count end
  local words = { 'cap', cap, 'qualifies_from', qualifies, 'pace', pace, 'paced', standing.paced,
    'progress', unit .. ':' .. progress_of(standing) }
  if not in_step then open_window(standing) end
  add(standing, '', count, words)
  for i, share in ipairs(split) do
    add(standing, share[1], share[2], words)
    shares[i] = share[1] .. '=' .. share[2]
  end
  redis.call('HSET', KEYS[2], 'r:' .. ARGV[10], string.format('%d:%s:%s:%s', count, ARGV[11],
    ARGV[13], table.concat(shares, ',')), unpack(words))
  if not in_step then
    keep(KEYS[2], closes - now + KEPT_MS)
    keep(KEYS[3], closes - now + KEPT_MS)
  end
end
