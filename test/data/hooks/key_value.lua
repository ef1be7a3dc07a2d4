-- SPDX-License-Identifier: Apache-2.0
-- Turn key="a b" other=c in a message into fields, numbers into numbers.
function hook(tag, timestamp, record)
	local message = record["message"] or ""
	message = string.gsub(message, '(%w+)="([^"]*)"', function(k, v)
		record[k] = v
		return ""
	end)
	for k, v in string.gfind and string.gmatch(message, "(%w+)=(%S*)") or message:gmatch("(%w+)=(%S*)") do
		record[k] = tonumber(v) or v
	end
	record["message"] = nil
	return 2, timestamp, record
end
