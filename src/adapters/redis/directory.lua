-- Places and lifts blocks in the directory. Every change may be repeated, in any order: what was lifted once
-- never comes back, for its field stays as a tombstone. What ended by itself comes back only if it is extended.
-- KEYS: the parties. ARGV: the wall clock and the allowed lateness in seconds, then for each party the number
-- of changes and the changes, each a letter and its bytes:
--   P id, end, length in seconds, time of the last firing, record
--   L id   S time of a login: what ended before it goes
-- A block that is placed again is extended: the later end and the later firing count, the rest stays.
-- A field is an id. Its value: C (a block), T (lifted) or E (ended), the end in event time (zeros: until
-- lifted), the instant of the wall clock after which nobody needs it (zeros: never), then of a block the time of
-- its last firing and the record. B is a block as the release before wrote it: without the last firing.
local GRACE = 30 * 86400
local NEVER, NO_END = struct.pack('>I5', 0), string.rep('\0', 9)
local now, lateness = tonumber(ARGV[1]), tonumber(ARGV[2])

local function deadline_in(seconds) return struct.pack('>I5', now + seconds + GRACE) end

local function finish(key, id, letter)
  local known = redis.call('HGET', key, id)
  if not known then
    redis.call('HSET', key, id, letter .. NO_END .. deadline_in(0))
  elseif string.sub(known, 1, 1) ~= 'T' then
    local deadline = string.sub(known, 11, 15)
    if deadline == NEVER then deadline = deadline_in(0) end
    redis.call('HSET', key, id, letter .. string.sub(known, 2, 10) .. deadline)
  end
end

-- Zeros stand for no end, which is later than any.
local function later(one, other, none)
  if one == none or other == none then return none end
  return one > other and one or other
end

local function place(key, bytes)
  local id, ends, length = string.sub(bytes, 1, 16), string.sub(bytes, 17, 25), struct.unpack('>I5', bytes, 26)
  local fired, record = string.sub(bytes, 31, 39), string.sub(bytes, 40)
  local deadline = ends == NO_END and NEVER or deadline_in(length + lateness)
  local known = redis.call('HGET', key, id)
  local kind = known and string.sub(known, 1, 1)
  if kind == 'T' or (kind == 'E' and (ends ~= NO_END and ends <= string.sub(known, 2, 10))) then return end
  if known then
    ends, deadline = later(string.sub(known, 2, 10), ends, NO_END), later(string.sub(known, 11, 15), deadline, NEVER)
  end
  if kind == 'C' then
    local before = string.sub(known, 16, 24)
    if before > fired then fired = before end
    record = string.sub(known, 25)
  end
  redis.call('HSET', key, id, 'C' .. ends .. deadline .. fired .. record)
end

local at = 3
for _, key in ipairs(KEYS) do
  local count = tonumber(ARGV[at])
  for change = at + 1, at + count do
    local kind, bytes = string.sub(ARGV[change], 1, 1), string.sub(ARGV[change], 2)
    if kind == 'P' then
      place(key, bytes)
    elseif kind == 'L' then
      finish(key, bytes, 'T')
    elseif kind == 'S' then
      local s, n = struct.unpack('>I5I4', bytes)
      local fields = redis.call('HGETALL', key)
      for i = 1, #fields, 2 do
        local ends = string.sub(fields[i + 1], 2, 10)
        if ends ~= NO_END then
          local es, en = struct.unpack('>I5I4', ends)
          es = es + lateness
          if es < s or (es == s and en <= n) then finish(key, fields[i], 'E') end
        end
      end
    end
  end
  at = at + count + 1
  local fields, last = redis.call('HGETALL', key), 0
  for i = 1, #fields, 2 do
    local deadline = struct.unpack('>I5', fields[i + 1], 11)
    if deadline == 0 then
      last = nil
    elseif deadline <= now then
      redis.call('HDEL', key, fields[i])
    elseif last and deadline > last then
      last = deadline
    end
  end
  if last then
    if last > 0 then redis.call('EXPIRE', key, string.format('%.0f', last - now)) end
  else
    redis.call('PERSIST', key)
  end
end
return redis.status_reply('OK')
