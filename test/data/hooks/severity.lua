-- SPDX-License-Identifier: Apache-2.0
-- Split PRI into facility and severity, and turn a status into a level.
local severities = { [0] = "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" }

function hook(tag, timestamp, record)
	local pri = tonumber(record["pri"])
	if pri then
		local severity = pri % 8
		record["severity"] = severities[severity]
		record["facility"] = (pri - severity) / 8
	end
	local status = tonumber(record["status"]) or 0
	if status >= 500 then
		record["level"] = "error"
	elseif status >= 400 then
		record["level"] = "warn"
	else
		record["level"] = "info"
	end
	record["class"] = math.floor(status / 100) .. "xx"
	return 2, timestamp, record
end
