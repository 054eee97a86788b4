-- keep_domain: keep an added domain, new or in place of what was there.
--
-- KEYS    1 domains  2 their marks  3 how many each tenant has
-- ARGV    1 name  2 tenant  3 its new mark  4 its record  5 the mark it has so far, or ''
--         6 the most that a tenant may have
-- Returns done, taken (there is one, and ARGV 5 is ''), stale (its mark is another) or full
-- Repeat  freely: what is there under the new mark already is done
--
-- The field '@' of the marks, which is no domain, is the mark of the latest change of all.
--
-- Example: a.example, '' -> done; a.example, '' -> taken; a.example, its mark -> done.

assert(#KEYS == 3 and #ARGV == 6, 'keep_domain: 3 keys and 6 arguments')
local name, tenant, mark, record, before = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local held = redis.call('HGET', KEYS[2], name)
if held == mark then return 'done' end
local count = tonumber(redis.call('HGET', KEYS[3], tenant) or 0)
if before == '' then
  if held then return 'taken' end
  if count >= tonumber(ARGV[6]) then return 'full' end
elseif held ~= before then
  return 'stale'
end

if before == '' then redis.call('HSET', KEYS[3], tenant, count + 1) end
redis.call('HSET', KEYS[1], name, record)
redis.call('HSET', KEYS[2], name, mark, '@', mark)
return 'done'
