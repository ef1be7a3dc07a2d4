-- SPDX-License-Identifier: Apache-2.0
-- Look up the place of a network by the bits of an IPv4 address.
local networks = {
	{ "10.0.0.0", 8, "internal" },
	{ "203.0.113.0", 24, "doc" },
	{ "198.51.100.128", 25, "lab" },
}

local function number(address)
	local a, b, c, d = string.match(address, "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
	if not a then
		return nil
	end
	return a * 2 ^ 24 + b * 2 ^ 16 + c * 2 ^ 8 + d
end

function hook(tag, timestamp, record)
	local first = string.match(record["xff"] or "", "^%s*([^,%s]+)") or record["remote_addr"]
	local ip = number(first)
	record["place"] = "unknown"
	for _, n in ipairs(networks) do
		local mask = bit.lshift(-1, 32 - n[2])
		if ip and bit.band(ip, mask) == bit.band(number(n[1]), mask) then
			record["place"] = n[3]
			break
		end
	end
	record["client"] = first
	record["ip"] = ip
	return 2, timestamp, record
end
