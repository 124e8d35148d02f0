-- Each thread of wrk posts its own part of the operations once, in order: single ones or arrays.
-- Arguments: the parts' path with % for the number, operations a request, milliseconds between requests of
-- a connection.
local threads = 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end
function init(args)
  local per, items, number = tonumber(args[2]), {}, 0
  pause, at, bodies = tonumber(args[3]), 0, {}
  for line in io.lines((args[1]:gsub("%%", tostring(id)))) do
    items[#items + 1] = line
    if #items == per then
      bodies[#bodies + 1] = per == 1 and items[1] or "[" .. table.concat(items, ",") .. "]"
      items = {}
    end
  end
end
function delay() return pause end
function request()
  at = at + 1
  if at > #bodies then
    wrk.thread:stop()
    return wrk.format("GET", "/healthz")
  end
  return wrk.format("POST", "/v1/operations", { ["content-type"] = "application/json" }, bodies[at])
end
function done(summary, latency)
  local function ms(percentile) return latency:percentile(percentile) / 1000 end
  local seconds = summary.duration / 1e6
  io.write(string.format("%d requests a second, p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, max %.2f ms; %d refused\n",
    summary.requests / seconds, ms(50), ms(99), ms(99.9), latency.max / 1000, summary.errors.status))
end
