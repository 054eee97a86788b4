-- standing: a route as it stands in a window. Reads only.
-- (`reading.lua` is put in front of this text.)
--
-- KEYS    1 route  2 window  3 slices  4 unheard
-- ARGV    1 now (epoch ms)  2 window label  3 opens (epoch ms)  4 closes (epoch ms)
-- Returns {charged, sent, unknown, first_day, first_at, lifetime, lifetime_open,
--          graduated_at, paused_at, reason, unheard}; days are ordinals, times epoch ms as
--          strings, nil where unset
-- Repeat  freely
--
-- Example: a route never seen: {0, 0, 0, nil, nil, 0, 0, nil, nil, nil, 0}

assert(#KEYS == 4 and #ARGV == 4, 'standing: 4 keys and 4 arguments')
return numbers((standing_of()))
