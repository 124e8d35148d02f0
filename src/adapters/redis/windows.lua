-- Enters the changes of one batch into shared windows. Every change may be repeated, in any order.
-- KEYS: the windows. ARGV, for each of them in turn: retention in seconds and nanoseconds, how long the keys
-- live without a change in milliseconds, the gap that ends a chain in seconds and nanoseconds (empty: the
-- window is no chain), the number of changes, and the changes, each a letter and its bytes:
--   I entry   R entry that leaves   U length and last operation of a run   T symbol and its text
-- Times are five bytes of seconds and four of nanoseconds: a double holds no nanoseconds since 1970.
local OFFSET, SEEN_BYTES = 17179869184, 32 * 17

local function before(as, an, bs, bn) return as < bs or (as == bs and an < bn) end

local function plus(s, n, ds, dn)
  s, n = s + ds, n + dn
  if n >= 1000000000 then s, n = s + 1, n - 1000000000 end
  return s, n
end

local function minus(s, n, ds, dn)
  s, n = s - ds, n - dn
  if n < 0 then s, n = s - 1, n + 1000000000 end
  return s, n
end

local function time_of(bytes, at)
  local s, n = struct.unpack('>I5I4', bytes, at or 1)
  return s, n
end

local function bytes_of(s, n) return struct.pack('>I5I4', s, n) end

local function score(s, n) return string.format('%.0f', (s - OFFSET) * 1000000 + math.floor(n / 1000)) end

local function score_of(member) return score(time_of(member)) end

-- The newest entry there was, whether it left or not.
local function newest_of(key)
  local held = redis.call('ZREVRANGE', key, 0, 0)[1]
  local gone = redis.call('ZREVRANGE', key .. ':x', 0, 0)[1]
  if not held and not gone then return nil end
  if not held or not gone then return time_of(held or gone) end
  local hs, hn = time_of(held)
  local gs, gn = time_of(gone)
  if before(hs, hn, gs, gn) then return gs, gn end
  return hs, hn
end

-- Forgets a chain's entries before the limit, but not the beginning of a stretch that still goes on.
local function fold(key, ls, ln, qs, qn)
  local stored = redis.call('HGET', key .. ':r', 'folded')
  local fs, fn, es, en
  if stored then
    fs, fn = time_of(stored)
    es, en = time_of(stored, 10)
  end
  local function goes_on(s, n, to_s, to_n)
    local rs, rn = plus(s, n, qs, qn)
    return not before(rs, rn, to_s, to_n)
  end
  local function join(as, an, bs, bn)
    if not fs then
      fs, fn, es, en = as, an, bs, bn
    elseif goes_on(es, en, as, an) and goes_on(bs, bn, fs, fn) then
      if before(as, an, fs, fn) then fs, fn = as, an end
      if before(es, en, bs, bn) then es, en = bs, bn end
    elseif not before(bs, bn, es, en) then
      fs, fn, es, en = as, an, bs, bn
    end
  end
  local as, an, bs, bn
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', score(ls, ln))) do
    local s, n = time_of(member)
    if before(s, n, ls, ln) then
      if as and goes_on(bs, bn, s, n) then
        bs, bn = s, n
      else
        if as then join(as, an, bs, bn) end
        as, an, bs, bn = s, n, s, n
      end
      redis.call('ZREM', key, member)
    end
  end
  if as then join(as, an, bs, bn) end
  -- What is at the limit or later may still continue it, be it here or yet to come.
  if fs and not goes_on(es, en, ls, ln) then fs = nil end
  if fs then
    redis.call('HSET', key .. ':r', 'folded', bytes_of(fs, fn) .. bytes_of(es, en))
  elseif stored then
    redis.call('HDEL', key .. ':r', 'folded')
  end
end

-- What is older than the limit counts no more; nor could it be told from a repetition of what left the chain.
local function enter_chain(key, bytes, rs, rn, qs, qn)
  local ns, nn = newest_of(key)
  if ns then
    local s, n = time_of(bytes)
    if before(s, n, minus(ns, nn, rs, rn)) then return end
  end
  redis.call('ZADD', key, score_of(bytes), bytes)
  ns, nn = newest_of(key)
  local ls, ln = minus(ns, nn, rs, rn)
  fold(key, ls, ln, qs, qn)
end

-- A run is overwritten in order of arrival, but by no change it has seen already, and by no length that was
-- counted without knowing of a newer attempt.
local function run(key, pair)
  local stored = redis.call('HMGET', key .. ':r', 'run', 'seen')
  local seen = stored[2] or ''
  for at = 1, #seen, 17 do
    if string.sub(seen, at, at + 16) == pair then return end
  end
  redis.call('HSET', key .. ':r', 'seen', string.sub(pair .. seen, 1, SEEN_BYTES))
  if stored[1] then
    local s, n = time_of(pair, 9)
    local ks, kn = time_of(stored[1], 9)
    if struct.unpack('>I8', pair) > 1 and before(s, n, ks, kn) then return end
  end
  redis.call('HSET', key .. ':r', 'run', pair)
end

local at = 1
for _, key in ipairs(KEYS) do
  local rs, rn, ttl = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), ARGV[at + 2]
  local qs, qn, count = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  at = at + 6
  local grew = false
  for change = at, at + count - 1 do
    local kind, bytes = string.sub(ARGV[change], 1, 1), string.sub(ARGV[change], 2)
    if kind == 'I' then
      if not redis.call('ZSCORE', key .. ':x', bytes) then
        if qs then
          enter_chain(key, bytes, rs, rn, qs, qn)
        else
          redis.call('ZADD', key, score_of(bytes), bytes)
        end
      end
      grew = true
    elseif kind == 'R' then
      redis.call('ZREM', key, bytes)
      redis.call('ZADD', key .. ':x', score_of(bytes), bytes)
      grew = true
    elseif kind == 'U' then
      run(key, bytes)
    elseif kind == 'T' then
      -- As old as the newest entry, so that no entry outlives its text.
      local ns, nn = newest_of(key)
      if ns then redis.call('ZADD', key .. ':t', 'GT', score(ns, nn), bytes) end
    end
  end
  at = at + count
  if grew then
    local ns, nn = newest_of(key)
    if ns then
      local limit = '(' .. score(minus(ns, nn, rs, rn))
      if not qs then redis.call('ZREMRANGEBYSCORE', key, '-inf', limit) end
      redis.call('ZREMRANGEBYSCORE', key .. ':x', '-inf', limit)
      redis.call('ZREMRANGEBYSCORE', key .. ':t', '-inf', limit)
    end
  end
  for _, part in ipairs({'', ':x', ':t', ':r'}) do redis.call('PEXPIRE', key .. part, ttl) end
end
return redis.status_reply('OK')
