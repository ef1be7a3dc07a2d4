-- SPDX-License-Identifier: Apache-2.0
-- Writes one file for each vhost and date.
function create_log_file_path(tag, timestamp, record)
	record["log_file_path"] = os.date("%Y-%m%d", timestamp) .. "/" .. record["vhost"] .. ".log"
	return 1, timestamp, record
end
