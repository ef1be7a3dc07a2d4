local bots = { "bot", "spider", "crawl", "curl/", "python%-requests" }

local function is_bot(agent)
  local lower = string.lower(agent)
  for _, pattern in ipairs(bots) do
    if string.find(lower, pattern) then
      return true
    end
  end
  return false
end

-- Split upstream addresses, "10.0.0.1:80, 10.0.0.2:80 : 10.0.0.3:80", or their
-- times.
local function split(text)
  local items = {}
  for item in string.gmatch(text or "", "[^,%s]+") do
    if item ~= ":" then
      items[#items + 1] = item
    end
  end
  return items
end

local function first_address(record)
  local forwarded = record["x_forwarded_for"]
  if forwarded == nil or forwarded == "" or forwarded == "-" then
    return record["remote_addr"]
  end
  return forwarded:match("^%s*([^,%s]+)") or forwarded
end

function enrich(tag, timestamp, record)
  local status = tonumber(record["status"])
  if status == nil then
    return 0, timestamp, record
  end
  record["status_class"] = math.floor(status / 100) .. "xx"
  record["client"] = first_address(record)
  record["bot"] = is_bot(record["agent"] or "")
  record["took_ms"] = (record["request_time"] or 0) * 1000
  record["day"] = os.date("!%Y-%m-%d", timestamp)

  local upstreams = split(record["upstream_addr"])
  local seconds = 0
  for _, time in ipairs(split(record["upstream_response_time"])) do
    seconds = seconds + (tonumber(time) or 0)
  end
  record["upstreams"] = #upstreams
  record["retried"] = #upstreams > 1
  record["upstream_seconds"] = seconds
  if record["cache"] == "" then
    record["cache"] = nil
  end
  return 2, timestamp, record
end
