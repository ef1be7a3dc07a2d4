-- SPDX-License-Identifier: Apache-2.0
-- Add an identifier in UUID form to records that arrived without one.
local function uuid()
	local template = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx"
	return (string.gsub(template, "[xy]", function(c)
		local v = (c == "x") and math.random(0, 15) or math.random(8, 11)
		return string.format("%x", v)
	end))
end

math.randomseed(os.time())

function hook(tag, timestamp, record)
	local id = record["request_id"]
	if not id or id == "" then
		id = uuid()
	end
	record["form"] = string.gsub(string.gsub(id, "[89ab](%x%x%x%-%x+)$", "y%1"), "%x", "h")
	record["length"] = #id
	return 2, timestamp, record
end
