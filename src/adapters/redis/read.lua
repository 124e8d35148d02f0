-- Reads shared windows: of one that the caller has a copy of, what its log has after the copy, else all of it.
-- KEYS: the windows. ARGV: for each of them `t` where texts are wanted (else `-`), and the number and the bytes of the
-- last record that is in the copy (0 and nothing: there is none).
-- Answers for each: the number of the log's last record (0: it has no log), the folded beginning of a chain, the
-- records from the copy's last on; or in their place nothing, then the last record, the entries, the newest entry that
-- left, the texts. Nothing for a window that has to be asked for again: whole windows hold all other clients up, and no
-- call reads more of them than have so many entries.
local ENTRIES_MAX = 20000
local MARK, NO_TIME = 12, string.rep('\0', 9)

-- As the log's writer made it.
local function seal_of(key)
  local newest = redis.call('ZREVRANGE', key, 0, 0)[1]
  local held, gone = redis.call('ZCARD', key), redis.call('ZCARD', key .. ':x')
  return struct.pack('>I5I5', held, gone) .. (newest and string.sub(newest, 1, 9) or NO_TIME)
end

local answers, entries_read = {}, 0
for i, key in ipairs(KEYS) do
  local wants, known, record = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), ARGV[3 * i]
  local stored = redis.call('HMGET', key .. ':r', 'log', 'folded')
  local log, folded = stored[1], stored[2]
  local number = 0
  if log and string.sub(log, 7 + MARK) == seal_of(key) then number = struct.unpack('>I6', log) end
  local newer
  if known > 0 and known <= number then
    newer = redis.call('LRANGE', key .. ':l', known - number - 1, -1)
    -- The copy's last record is the first of them, or the copy is of another history.
    if #newer ~= number - known + 1 or newer[1] ~= record then newer = nil end
  end
  if newer then
    answers[i] = {number, folded, newer}
  elseif entries_read > ENTRIES_MAX then
    answers[i] = false
  else
    local last = number > 0 and redis.call('LINDEX', key .. ':l', -1)
    local texts = wants == 't' and redis.call('ZRANGE', key .. ':t', 0, -1)
    local gone = redis.call('ZREVRANGE', key .. ':x', 0, 0)[1] or false
    local held = redis.call('ZRANGE', key, 0, -1)
    entries_read = entries_read + #held
    answers[i] = {last and number or 0, folded, false, last, held, gone, texts}
  end
end
return answers
