-- SPDX-License-Identifier: Apache-2.0
-- Emit one record per line of a message with several lines.
function hook(tag, timestamp, record)
	local message = record["message"]
	if type(message) ~= "string" or not string.find(message, "\n", 1, true) then
		return 0, timestamp, record
	end
	local records = {}
	for line in string.gmatch(message, "[^\r\n]+") do
		local copy = {}
		for k, v in pairs(record) do
			copy[k] = v
		end
		copy["message"] = line
		copy["part"] = #records + 1
		table.insert(records, copy)
	end
	return 1, timestamp, records
end
