-- SPDX-License-Identifier: Apache-2.0
-- A filter more: one field read, one written, the others not touched.
function one_field(tag, timestamp, record)
	record["log_method"] = record["method"]
	return 2, timestamp, record
end
