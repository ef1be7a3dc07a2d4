local secrets = {
  { "([Tt]oken=)[^&%s\"]+", "%1***" },
  { "([Pp]assword=)[^&%s\"]+", "%1***" },
  { "[%w.+-]+@[%w-]+%.[%w.-]+", "<mail>" },
  { "%f[%d]%d%d%d%d[ -]?%d%d%d%d[ -]?%d%d%d%d[ -]?%d%d%d%d%f[%D]", "<card>" },
}

local function without_secrets(value)
  if type(value) == "string" then
    for _, secret in ipairs(secrets) do
      value = string.gsub(value, secret[1], secret[2])
    end
  elseif type(value) == "table" then
    for key, inner in pairs(value) do
      value[key] = without_secrets(inner)
    end
  end
  return value
end

-- A record with a list of requests becomes one record for each.
function split_batches(tag, timestamp, record)
  local batch = record["batch"]
  if type(batch) ~= "table" or #batch == 0 then
    return 0, timestamp, record
  end
  local records = {}
  for number, request in ipairs(batch) do
    local one = { item = number .. "/" .. #batch }
    for key, value in pairs(record) do
      if key ~= "batch" then
        one[key] = value
      end
    end
    for key, value in pairs(request) do
      one[key] = value
    end
    table.insert(records, one)
  end
  return 2, timestamp, records
end

function redact(tag, timestamp, record)
  if record["level"] == "debug" then
    return -1, timestamp, record
  end
  if record["referer"] == "-" then
    record["referer"] = nil
  end
  without_secrets(record)
  if type(record["duration"]) == "number" then
    record["duration"] = string.format("%.3f", record["duration"])
  end
  record["sec"] = timestamp.sec
  return 2, timestamp, record
end
