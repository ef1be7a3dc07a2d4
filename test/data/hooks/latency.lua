-- SPDX-License-Identifier: Apache-2.0
-- Convert seconds in texts to milliseconds; several upstreams are written
-- "0.004, 0.120".
local function ms(text)
	local sum, count = 0, 0
	for part in string.gmatch(text or "", "[^,: ]+") do
		local n = tonumber(part)
		if n then
			sum = sum + n
			count = count + 1
		end
	end
	return count > 0 and math.floor(sum * 1000 + 0.5) or nil, count
end

function hook(tag, timestamp, record)
	record["request_ms"] = ms(record["request_time"])
	local upstream, tries = ms(record["upstream_time"])
	record["upstream_ms"] = upstream
	record["tries"] = tries
	record["overhead"] = (record["request_ms"] or 0) - (upstream or 0)
	record["seconds"] = string.format("%.2f", record["request_ms"] / 1000)
	record["bucket"] = "le_" .. 2 ^ math.ceil(math.log(math.max(record["request_ms"], 1)) / math.log(2))
	return 2, timestamp, record
end
