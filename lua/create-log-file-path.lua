-- SPDX-License-Identifier: Apache-2.0
-- Which file a line belongs to: 2026-1121/istio-ingressgateway-access.log, by
-- the time of the line itself, so that a late one goes to its own day.
local second, path

function create_log_file_path(tag, timestamp, record)
	local now = math.floor(timestamp)
	if now ~= second then
		second = now
		path = os.date("%Y-%m%d", now) .. "/istio-ingressgateway-access.log"
	end
	record["log_file_path"] = path
	return 2, timestamp, record -- 2: the record changed, its time did not
end
