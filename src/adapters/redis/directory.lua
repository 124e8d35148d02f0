-- Places and lifts blocks in the directory. Every change may be repeated, in any order: what was lifted once
-- never comes back, for its field stays as a tombstone.
-- KEYS: the parties. ARGV: the wall clock and the allowed lateness in seconds, then for each party the number
-- of changes and the changes, each a letter and its bytes:
--   P id, end, length in seconds, record   L id   S time of a login: what ended before it goes
-- A field is an id. Its value: B or T (tombstone), the end in event time (zeros: until lifted), the instant
-- of the wall clock after which nobody needs it (zeros: never), the record.
local GRACE = 30 * 86400
local NEVER, NO_END = struct.pack('>I5', 0), string.rep('\0', 9)
local now, lateness = tonumber(ARGV[1]), tonumber(ARGV[2])

local function deadline_in(seconds) return struct.pack('>I5', now + seconds + GRACE) end

local function lift(key, id)
  local known = redis.call('HGET', key, id)
  if not known then
    redis.call('HSET', key, id, 'T' .. NO_END .. deadline_in(0))
  elseif string.sub(known, 1, 1) == 'B' then
    local deadline = string.sub(known, 11, 15)
    if deadline == NEVER then deadline = deadline_in(0) end
    redis.call('HSET', key, id, 'T' .. string.sub(known, 2, 10) .. deadline)
  end
end

local at = 3
for _, key in ipairs(KEYS) do
  local count = tonumber(ARGV[at])
  for change = at + 1, at + count do
    local kind, bytes = string.sub(ARGV[change], 1, 1), string.sub(ARGV[change], 2)
    if kind == 'P' then
      local id, ends, length = string.sub(bytes, 1, 16), string.sub(bytes, 17, 25), struct.unpack('>I5', bytes, 26)
      local deadline = ends == NO_END and NEVER or deadline_in(length + lateness)
      redis.call('HSETNX', key, id, 'B' .. ends .. deadline .. string.sub(bytes, 31))
    elseif kind == 'L' then
      lift(key, bytes)
    elseif kind == 'S' then
      local s, n = struct.unpack('>I5I4', bytes)
      local fields = redis.call('HGETALL', key)
      for i = 1, #fields, 2 do
        local ends = string.sub(fields[i + 1], 2, 10)
        if ends ~= NO_END then
          local es, en = struct.unpack('>I5I4', ends)
          es = es + lateness
          if es < s or (es == s and en <= n) then lift(key, fields[i]) end
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
