-- SPDX-License-Identifier: Apache-2.0
-- Count lines and bytes per host, and their mean, across calls.
stats = stats or {}

function hook(tag, timestamp, record)
	local s = stats[record["vhost"]]
	if s == nil then
		s = { n = 0, bytes = 0, max = -math.huge }
		stats[record["vhost"]] = s
	end
	local bytes = tonumber(record["bytes"]) or 0
	s.n = s.n + 1
	s.bytes = s.bytes + bytes
	s.max = math.max(s.max, bytes)
	record["n"] = s.n
	record["sum"] = s.bytes
	record["mean"] = s.bytes / s.n
	record["text"] = "n=" .. s.n .. " mean=" .. s.bytes / s.n .. " max=" .. s.max
	return 2, timestamp, record
end
