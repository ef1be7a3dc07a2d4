-- SPDX-License-Identifier: Apache-2.0
-- Replace the dots in keys at every depth.
local function dedot(map)
	if map == nil then
		return
	end
	local renamed = {}
	for k, v in pairs(map) do
		local dedotted = string.gsub(k, "%.", "_")
		if dedotted ~= k then
			renamed[dedotted] = v
			map[k] = nil
		end
		if type(v) == "table" then
			dedot(v)
		end
	end
	for k, v in pairs(renamed) do
		map[k] = v
	end
end

function hook(tag, timestamp, record)
	dedot(record["labels"])
	dedot(record)
	return 1, timestamp, record
end
