-- SPDX-License-Identifier: Apache-2.0
-- Sets log_file_path, the file that a line is appended to, for example
-- 2026-1121/istio-ingressgateway-access.log.  The date is that of the line
-- itself, so that a late line goes to the directory of its own day.
local second, path

function create_log_file_path(tag, timestamp, record)
	local now = math.floor(timestamp)
	if now ~= second then
		second = now
		path = os.date("%Y-%m%d", now)
			.. "/istio-ingressgateway-access.log"
	end
	record["log_file_path"] = path
	return 2, timestamp, record -- 2: the record changed, the time did not
end
