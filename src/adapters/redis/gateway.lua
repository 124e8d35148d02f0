-- Writes restrictions for gateways. Every update may be repeated, and come late: a lifting is final, a
-- placement of the same shard yields to one with a greater sequence number, and one of another shard to one
-- that ends later, for a restriction only ever becomes longer.
-- KEYS, in pairs: the hash a gateway reads, and what is known of its fields. ARGV: the wall clock in
-- milliseconds, then for each pair the number of updates, and for each of them: P or L, the restriction's id,
-- shard, sequence number, end in milliseconds (empty: until lifted), what the gateway reads.
-- Known of a field: P or L, shard, sequence number, end of need in milliseconds (-: none).
local GRACE = 30 * 86400000
local now, at = tonumber(ARGV[1]), 2
for pair = 1, #KEYS, 2 do
  local shown, known = KEYS[pair], KEYS[pair + 1]
  local count = tonumber(ARGV[at])
  at = at + 1
  for _ = 1, count do
    local kind, id, shard, seq, ends, text =
      ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5]
    at = at + 6
    local before = redis.call('HGET', known, id)
    local was, of, since, until_then
    if before then was, of, since, until_then = string.match(before, '^(%a) (%d+) (%d+) ([%d-]+)$') end
    local is_old = was == 'L'
    if was == 'P' and kind == 'P' then
      local ended, ending = tonumber(until_then) or math.huge, tonumber(ends) or math.huge
      if of == shard then is_old = tonumber(seq) <= tonumber(since) else is_old = ending < ended end
    end
    if not is_old and kind == 'L' then
      local need = tonumber(until_then) or now + GRACE
      redis.call('HDEL', shown, id)
      redis.call('HSET', known, id, string.format('L %s %s %.0f', shard, seq, need))
    elseif not is_old then
      redis.call('HSET', shown, id, text)
      redis.call('HSET', known, id, string.format('P %s %s %s', shard, seq, ends == '' and '-' or ends))
    end
  end
  local fields = redis.call('HGETALL', known)
  local last_shown, last_known = 0, 0
  for i = 1, #fields, 2 do
    local was, need = string.match(fields[i + 1], '^(%a) %d+ %d+ ([%d-]+)$')
    need = tonumber(need) or math.huge
    if need <= now then
      redis.call('HDEL', known, fields[i])
      redis.call('HDEL', shown, fields[i])
    else
      last_known = math.max(last_known, need)
      if was == 'P' then last_shown = math.max(last_shown, need) end
    end
  end
  for key, last in pairs({[shown] = last_shown, [known] = last_known}) do
    if last == math.huge then
      redis.call('PERSIST', key)
    elseif last > 0 then
      redis.call('PEXPIREAT', key, string.format('%.0f', last))
    end
  end
end
return redis.status_reply('OK')
