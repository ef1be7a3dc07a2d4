-- SPDX-License-Identifier: Apache-2.0
-- Convert milliseconds or seconds since 1970 to ISO 8601.
local function iso(epoch)
	epoch = tonumber(epoch)
	if not epoch then
		return nil
	end
	local ms = 0
	if epoch > 1e11 then
		ms = epoch % 1000
		epoch = (epoch - ms) / 1000
	else
		ms = math.floor((epoch % 1) * 1000 + 0.5)
	end
	return os.date("!%Y-%m-%dT%H:%M:%S", epoch) .. string.format(".%03dZ", ms)
end

function hook(tag, timestamp, record)
	record["date"] = iso(record["msec"]) or iso(timestamp)
	return 2, timestamp, record
end
