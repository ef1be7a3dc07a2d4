-- SPDX-License-Identifier: Apache-2.0
-- Keep only the allowed cookies and remove the query from the referer.
local kept = { lang = true, theme = true }

local function trim(s)
	return (s:gsub("^%s*(.-)%s*$", "%1"))
end

function hook(tag, timestamp, record)
	local out = {}
	for pair in string.gmatch(record["cookie"] or "", "([^;]*)") do
		local name = trim(pair):match("^([^=]+)")
		if name and kept[name] then
			out[#out + 1] = trim(pair)
		end
	end
	record["cookie"] = next(out) and table.concat(out, "; ") or nil
	record["referer"] = (record["referer"] or "-"):gsub("%?.*$", "")
	return 2, timestamp, record
end
