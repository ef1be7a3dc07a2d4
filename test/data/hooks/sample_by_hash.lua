-- SPDX-License-Identifier: Apache-2.0
-- Sample by a hash, so that every collector keeps the same requests.
local function hash(text)
	local h = 5381
	for i = 1, #text do
		h = bit.bxor(bit.tobit(h * 33), text:byte(i))
	end
	return bit.tohex(h), h % 100
end

function hook(tag, timestamp, record)
	local hex, percent = hash(record["id"])
	record["hash"] = hex
	record["percent"] = percent
	return 2, timestamp, record
end
