-- SPDX-License-Identifier: Apache-2.0
-- One more filter: it reads one field, writes one, and leaves the others alone.
function one_field(tag, timestamp, record)
	record["log_method"] = record["method"]
	return 2, timestamp, record
end
