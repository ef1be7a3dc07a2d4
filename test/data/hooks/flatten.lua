-- SPDX-License-Identifier: Apache-2.0
-- Turn {a={b=1}} into a_b=1, and arrays into texts with commas.
local function flatten(into, prefix, value)
	if type(value) ~= "table" then
		into[prefix] = value
	elseif #value > 0 then
		into[prefix] = table.concat(value, ",")
	else
		for k, v in pairs(value) do
			flatten(into, prefix == "" and k or prefix .. "_" .. k, v)
		end
	end
end

function hook(tag, timestamp, record)
	local flat = {}
	flatten(flat, "", record)
	return 1, timestamp, flat
end
