-- SPDX-License-Identifier: Apache-2.0
-- A hook as people write it: it formats the date for each line, without a cache.
function create_log_file_path(tag, timestamp, record)
	local new_record = record
	new_record["log_file_path"] = os.date("%Y-%m%d", timestamp) .. "/access.log"
	return 1, timestamp, new_record
end
