-- SPDX-License-Identifier: Apache-2.0
-- Count lines that equal the previous one instead of writing them.
local last, repeated = nil, 0

function hook(tag, timestamp, record)
	if last and last["message"] == record["message"] then
		repeated = repeated + 1
		return -1, timestamp, record
	end
	local before = last
	last = record
	if repeated > 0 then
		local note = { message = before["message"] .. " (" .. repeated .. " more)" }
		repeated = 0
		return 2, timestamp, { note, record }
	end
	return 2, timestamp, record
end
