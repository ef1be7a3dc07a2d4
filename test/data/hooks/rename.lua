-- SPDX-License-Identifier: Apache-2.0
-- Rename fields, and set a default where one is missing.
local names = { uri = "path", status = "code", body_bytes_sent = "bytes" }

function hook(tag, timestamp, record)
	for from, to in pairs(names) do
		if record[from] ~= nil and record[to] == nil then
			record[to] = record[from]
			record[from] = nil
		end
	end
	if not record.user or record.user == "-" or record.user == "" then
		record.user = "anonymous"
	end
	return 2, timestamp, record
end
