-- SPDX-License-Identifier: Apache-2.0
-- Use a field like "2026-11-20T23:59:58.250+09:00" as the time of the record.
local pattern = "^(%d+)-(%d+)-(%d+)[T ](%d+):(%d+):(%d+)([%.%d]*)(.*)$"

function hook(tag, timestamp, record)
	local y, m, d, H, M, S, fraction, zone = string.match(record["at"] or "", pattern)
	if not y then
		return 0, timestamp, record
	end
	local seconds = os.time({ year = y, month = m, day = d, hour = H, min = M, sec = S, isdst = false })
	local sign, zh, zm = string.match(zone, "^([+-])(%d%d):?(%d%d)$")
	if sign then
		local offset = (zh * 60 + zm) * 60
		seconds = seconds - (sign == "-" and -offset or offset)
	end
	seconds = seconds + (tonumber("0" .. fraction) or 0)
	record["epoch"] = seconds
	return 1, seconds, record
end
