-- Makes the sentinel, or raises the time from which the store is whole.
-- KEYS: the sentinel. ARGV: the token of a new one; seconds and nanoseconds of the newest operation of the
-- caller (empty: it has decided none). Answers the token in force, and that time (empty: nothing was lost).
local held = redis.call('HMGET', KEYS[1], 'token', 'complete_from')
local token, from = held[1], held[2]
if not token then
  token, from = ARGV[1], nil
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'token', token)
end
if ARGV[2] ~= '' then
  local s, n = tonumber(ARGV[2]), tonumber(ARGV[3])
  local fs, fn
  if from then
    fs, fn = string.match(from, '^(-?%d+)%.(%d+)$')
    fs, fn = tonumber(fs), tonumber(fn)
  end
  if not fs or fs < s or (fs == s and fn < n) then
    from = string.format('%.0f.%09.0f', s, n)
    redis.call('HSET', KEYS[1], 'complete_from', from)
  end
end
return {token, from or ''}
