-- SPDX-License-Identifier: Apache-2.0
-- Turn {"events":[{..},{..}]} into one record per event.
function hook(tag, timestamp, record)
	if not record["events"] then
		return 0, timestamp, record
	end
	local out = {}
	for i, event in ipairs(record["events"]) do
		event["n"] = i .. "/" .. table.getn(record["events"])
		out[i] = event
	end
	return 2, timestamp, out
end
