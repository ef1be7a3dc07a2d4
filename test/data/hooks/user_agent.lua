-- SPDX-License-Identifier: Apache-2.0
-- Classify the program that sent the request; the first rule that matches wins.
local rules = {
	{ "bot", "bot" },
	{ "crawl", "bot" },
	{ "curl/([%d.]+)", "curl" },
	{ "edg/(%d+)", "edge" },
	{ "chrome/(%d+)", "chrome" },
	{ "firefox/(%d+)", "firefox" },
}

function hook(tag, timestamp, record)
	local ua = string.lower(record["ua"] or "")
	record["agent"], record["version"] = "other", 0
	for _, rule in ipairs(rules) do
		local found = string.match(ua, rule[1])
		if found then
			record["agent"] = rule[2]
			record["version"] = tonumber(found) or found
			break
		end
	end
	record["mobile"] = string.find(ua, "mobi", 1, true) ~= nil
	return 2, timestamp, record
end
