-- Enters the changes of one batch into shared windows. Every change may be repeated, in any order.
-- A window takes in no more keys than it may have, and no key when its keys hold too many bytes already: what finds no
-- room is turned away, and the newest such operation is noted. Keys that are there go on.
-- KEYS: the windows. ARGV: the most keys of a window, the most bytes, the wall clock in milliseconds, a word that no
-- other batch has; then for each key: retention in seconds and nanoseconds, how long the keys live without a change in
-- milliseconds, the gap that ends a chain in seconds and nanoseconds (empty: the window is no chain), the number of
-- changes, and the changes, each a letter and its bytes:
--   I entry   R entry that leaves   U length and last operation of a run   T symbol and its text
-- Answers how many changes were turned away.
-- What a window's keys come to is in the hash {window}:n: in `k` and `b` how many keys will expire within a span of the
-- clock, and their bytes as estimated here. A span that is over takes its keys along, as the keys themselves go. In
-- `away` is the newest operation that was turned away; a key that comes later has a copy of it: `lacks` in {key}:r.
-- A window of many entries has a log of its last changes, the list {key}:l: who knows the window up to one of them
-- reads no more than what came after it. `log` in {key}:r is the number of the last record, the mark of its batch, and the
-- seal: what the window had when the log was last written. A window that has something else was changed by who keeps
-- no log, and its log begins anew. A record is the mark, a letter and its bytes: I, R and T as above, B where a log
-- begins. A mark is made of the one before and the batch's word, so equal records at equal numbers have one history.
-- Times are five bytes of seconds and four of nanoseconds: a double holds no nanoseconds since 1970.
local OFFSET, SEEN_BYTES = 17179869184, 32 * 17
local NO_TIME = string.rep('\0', 9)

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
  local is_new = redis.call('ZADD', key, score_of(bytes), bytes) == 1
  ns, nn = newest_of(key)
  local ls, ln = minus(ns, nn, rs, rn)
  fold(key, ls, ln, qs, qn)
  return is_new
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

-- A window with more entries than the first has a log; one with no more than the second has none any more.
local LOG_FROM, LOG_UNTIL, MARK = 64, 32, 12
local word = ARGV[4]

local function seal_of(key)
  local newest = redis.call('ZREVRANGE', key, 0, 0)[1]
  local held, gone = redis.call('ZCARD', key), redis.call('ZCARD', key .. ':x')
  return struct.pack('>I5I5', held, gone) .. (newest and string.sub(newest, 1, 9) or NO_TIME)
end

local function mark_of(before) return string.sub(redis.sha1hex(before .. word), 1, MARK) end

-- The log as it can be continued; nil when there is none.
local function log_of(key)
  local stored = redis.call('HGET', key .. ':r', 'log')
  if not stored then return nil end
  if string.sub(stored, 7 + MARK) ~= seal_of(key) then return nil end
  local last = string.sub(stored, 7, 6 + MARK)
  return {number = struct.unpack('>I6', stored), last = last, mark = mark_of(last), records = {}}
end

local function note(log, kind, bytes)
  if log then log.records[#log.records + 1] = log.mark .. kind .. bytes end
end

-- Writes the log after a batch: what is no longer worth reading goes.
local function write_log(key, log)
  local held, name = redis.call('ZCARD', key), key .. ':l'
  if held <= (log and LOG_UNTIL or LOG_FROM) then
    if redis.call('HDEL', key .. ':r', 'log') == 1 then redis.call('DEL', name) end
    return
  end
  if not log then
    redis.call('DEL', name)
    log = {number = 0, mark = mark_of(key), records = {}}
    note(log, 'B', '')
  end
  for first = 1, #log.records, 1000 do
    redis.call('RPUSH', name, unpack(log.records, first, math.min(first + 999, #log.records)))
  end
  redis.call('LTRIM', name, -math.max(LOG_FROM, math.floor(held / 4)), -1)
  -- Without a record the mark stays that of the last one.
  local number, mark = struct.pack('>I6', log.number + #log.records), #log.records > 0 and log.mark or log.last
  redis.call('HSET', key .. ':r', 'log', number .. mark .. seal_of(key))
end

-- About what an entry takes, a record of a log, and a key without any.
local ENTRY_BYTES, RECORD_BYTES, KEY_BYTES, SPANS = 72, 44, 264, 16
local keys_max, bytes_max, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local books, refused = {}, 0

-- What the keys of a window come to.
local function book_of(name, ttl)
  if books[name] then return books[name] end
  local book = {name = name, span = math.max(math.floor(ttl / SPANS), 1), keys = 0, bytes = 0, moved = {}, ttl = ttl}
  local fields = redis.call('HGETALL', name)
  for i = 1, #fields, 2 do
    local kind, span = string.sub(fields[i], 1, 1), tonumber(string.sub(fields[i], 2))
    if fields[i] == 'away' then
      book.away = fields[i + 1]
      book.away_s, book.away_n = time_of(book.away)
    elseif (span + 1) * book.span <= now then
      redis.call('HDEL', name, fields[i])
    elseif kind == 'k' then
      book.keys = book.keys + tonumber(fields[i + 1])
    else
      book.bytes = book.bytes + tonumber(fields[i + 1])
    end
  end
  books[name] = book
  return book
end

-- In how many milliseconds a key expires; nil when there is none.
local function life_of(key)
  for _, part in ipairs({'', ':x', ':r'}) do
    local life = redis.call('PTTL', key .. part)
    if life ~= -2 then return math.max(life, 0) end
  end
end

local function bytes_held(key)
  local entries = redis.call('ZCARD', key) + redis.call('ZCARD', key .. ':x')
  return KEY_BYTES + ENTRY_BYTES * entries + RECORD_BYTES * redis.call('LLEN', key .. ':l')
end

local function count(book, life, keys, bytes)
  local span = math.floor((now + life) / book.span)
  local moved = book.moved[span] or {0, 0}
  book.moved[span] = {moved[1] + keys, moved[2] + bytes}
  book.keys, book.bytes = book.keys + keys, book.bytes + bytes
end

-- Notes what is turned away: the newest time among it.
local function turn_away(book, from, to)
  for change = from, to do
    local kind, bytes = string.sub(ARGV[change], 1, 1), string.sub(ARGV[change], 2)
    if kind ~= 'T' then
      local place = kind == 'U' and 9 or 1
      local s, n = time_of(bytes, place)
      if not book.away or before(book.away_s, book.away_n, s, n) then
        book.away, book.away_s, book.away_n = string.sub(bytes, place, place + 8), s, n
        redis.call('HSET', book.name, 'away', book.away)
      end
      refused = refused + 1
    end
  end
end

local at = 5
for _, key in ipairs(KEYS) do
  local rs, rn, ttl = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local qs, qn, changes = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
  at = at + 6
  local book = book_of(string.match(key, '^(.*:)') .. 'n', ttl)
  local life, held = life_of(key), nil
  local finds_room = life or (book.keys < keys_max and book.bytes < bytes_max)
  if life then
    held = bytes_held(key)
  elseif not finds_room then
    turn_away(book, at, at + changes - 1)
  elseif book.away then
    redis.call('HSET', key .. ':r', 'lacks', book.away)
  end
  local grew, log = false, finds_room and log_of(key)
  for change = at, finds_room and at + changes - 1 or 0 do
    local kind, bytes = string.sub(ARGV[change], 1, 1), string.sub(ARGV[change], 2)
    if kind == 'I' then
      if not redis.call('ZSCORE', key .. ':x', bytes) then
        local is_new
        if qs then
          is_new = enter_chain(key, bytes, rs, rn, qs, qn)
        else
          is_new = redis.call('ZADD', key, score_of(bytes), bytes) == 1
        end
        if is_new then note(log, kind, bytes) end
      end
      grew = true
    elseif kind == 'R' then
      if redis.call('ZREM', key, bytes) == 1 then
        note(log, kind, bytes)
      elseif log then
        -- It left before it came: if it is the newest there was, no record tells that.
        local ns, nn = newest_of(key)
        if not ns or before(ns, nn, time_of(bytes)) then log = nil end
      end
      redis.call('ZADD', key .. ':x', score_of(bytes), bytes)
      grew = true
    elseif kind == 'U' then
      run(key, bytes)
    elseif kind == 'T' then
      -- As old as the newest entry, so that no entry outlives its text.
      local ns, nn = newest_of(key)
      if ns then
        redis.call('ZADD', key .. ':t', 'GT', score(ns, nn), bytes)
        note(log, kind, bytes)
      end
    end
  end
  at = at + changes
  if grew then
    local ns, nn = newest_of(key)
    if ns then
      local limit = '(' .. score(minus(ns, nn, rs, rn))
      if not qs then redis.call('ZREMRANGEBYSCORE', key, '-inf', limit) end
      redis.call('ZREMRANGEBYSCORE', key .. ':x', '-inf', limit)
      redis.call('ZREMRANGEBYSCORE', key .. ':t', '-inf', limit)
      -- No window reaches back to what was turned away.
      if book.away and ns - book.away_s > ttl / 1000 then
        redis.call('HDEL', book.name, 'away')
        book.away = nil
      end
    end
  end
  if grew or (log and #log.records > 0) then write_log(key, log) end
  if finds_room then
    local is_there = 0
    for _, part in ipairs({'', ':x', ':t', ':r', ':l'}) do is_there = is_there + redis.call('PEXPIRE', key .. part, string.format('%.0f', ttl)) end
    if life then count(book, life, -1, -held) end
    if is_there > 0 then count(book, ttl, 1, bytes_held(key)) end
  end
end
for name, book in pairs(books) do
  for span, moved in pairs(book.moved) do
    for i, kind in ipairs({'k', 'b'}) do
      if moved[i] ~= 0 then
        redis.call('HINCRBY', name, kind .. string.format('%.0f', span), string.format('%.0f', moved[i]))
      end
    end
  end
  redis.call('PEXPIRE', name, string.format('%.0f', book.ttl))
end
return refused
