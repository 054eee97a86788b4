-- telling: a standing as an answer. No verb of its own: this text is put behind summing.lua.
--
-- KEYS    those of reading.lua
-- ARGV    those of reading.lua
-- Returns (from told) {numbers, pools, leaving}:
--         numbers  charged, sent, unknown, first_day, first_at, lifetime, lifetime_open,
--                  graduated_at, paused_at, reason, unheard, transactional, sending days,
--                  qualified days, paced, last_day, last_days, last_sends, base_days,
--                  base_sends, idled; days are ordinals, times epoch ms as strings, nil where
--                  unset
--         pools    provider, charged, sent, unknown, transactional, ...: those of `names`, or
--                  all, but none that nothing is charged to
--         leaving  end of slice (epoch s), provider or '', charged, transactional, ...: of a
--                  rolling window, in no order
--
-- Example: a route never seen: {{0, 0, 0, nil, nil, 0, 0, nil, ...}, {}, {}}

local function told(standing, names, with_leaving)
  more_of(standing)
  local unheard = redis.call('ZCOUNT', KEYS[4], '(' .. ARGV[1], '+inf')
  local sending = standing.sending or days_in(KEYS[5])
  local qualified = standing.qualified or days_in(KEYS[6])
  local all, pools, leaving, wanted = standing.pools[''], {}, {}, names and {}
  local function tell(name)
    local counts, at = standing.pools[name], #pools
    if counts.c > 0 then
      pools[at + 1], pools[at + 2], pools[at + 3] = name, counts.c, counts.s
      pools[at + 4], pools[at + 5] = counts.u, counts.t
    end
  end
  for _, name in ipairs(names or {}) do
    wanted[name] = true
    tell(name)
  end
  if not names then
    for name in pairs(standing.pools) do if name ~= '' then tell(name) end end
  end
  if with_leaving and ARGV[8] == '1' then
    for _, slice in ipairs(tally().leaving) do
      if slice[2] == '' or not wanted or wanted[slice[2]] then
        for _, item in ipairs(slice) do leaving[#leaving + 1] = item end
      end
    end
  end
  local numbers = { all.c, all.s, all.u, standing.first_day, standing.first_at,
    standing.lifetime, standing.lifetime_open, standing.graduated_at, standing.paused_at,
    standing.reason, unheard, all.t, sending, qualified, standing.paced, standing.last_day,
    standing.last_days, standing.last_sends, standing.base_days, standing.base_sends,
    standing.idled }
  return { numbers, pools, leaving }
end
