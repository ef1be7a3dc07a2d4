-- SPDX-License-Identifier: Apache-2.0
-- Choose a file per host and day; no client can make the path leave the folder.
function hook(tag, timestamp, record)
	local host = record["vhost"] or record["host"] or "unknown"
	host = string.gsub(string.lower(host), ":%d+$", "")
	host = string.gsub(host, "[^a-z0-9.-]", "_")
	host = string.gsub(host, "%.%.+", "_")
	local day = os.date("!%Y/%m/%d", timestamp)
	record["path"] = table.concat({ day, host, "access.log" }, "/")
	return 2, timestamp, record
end
