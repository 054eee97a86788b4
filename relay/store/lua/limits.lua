-- limits: the arithmetic of shares. No verb of its own: this text is put in front of walls.lua.
-- The same sums as core/policy/limits.py and core/policy/pacing.py, to the last send.
--
-- KEYS    none
-- ARGV    none
-- Returns (from part and limit_of) whole numbers
--
-- A limit is one word: 0 and above itself, -1 unlimited, below that a share: -2 is one
-- millionth of the cap, -1000001 all of it.
--
-- Example: limit_of(-250001, 50) is a quarter of 50: 12; limit_of(-250001, -1) is -1.

local WHOLE_PPM = 1000000

-- whole * numerator / denominator, rounded down after adding `rounding` to the dividend. In
-- two steps, so that no product grows beyond the 2^53 up to which numbers here are whole.
local function part(whole, numerator, denominator, rounding)
  local rest = (whole % denominator) * numerator + rounding
  return math.floor(whole / denominator) * numerator + math.floor(rest / denominator)
end

local function limit_of(word, cap)
  if word >= -1 then return word end
  if cap < 0 then return -1 end
  return math.max(1, part(cap, -word - 1, WHOLE_PPM, 0))
end
