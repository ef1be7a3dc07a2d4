-- SPDX-License-Identifier: Apache-2.0
-- Split a URL into scheme, host, path and query; decode %41 to A.
local function decode(text)
	text = text:gsub("+", " ")
	return (text:gsub("%%(%x%x)", function(hex)
		return string.char(tonumber(hex, 16))
	end))
end

function hook(tag, timestamp, record)
	local url = record["url"]
	local scheme, host, rest = url:match("^(%a[%w+.-]*)://([^/?#]*)(.*)$")
	rest = rest or url
	local path, query = rest:match("^([^?#]*)%??([^#]*)")
	record["scheme"] = scheme
	record["host"], record["port"] = (host or ""):match("^(.-):?(%d*)$")
	record["path"] = decode(path == "" and "/" or path)
	record["args"] = {}
	for key, value in query:gmatch("([^&=]+)=?([^&]*)") do
		record["args"][decode(key)] = decode(value)
	end
	record["port"] = tonumber(record["port"]) or (scheme == "https" and 443 or 80)
	record["depth"] = select(2, record["path"]:gsub("/", ""))
	record["ext"] = string.match(record["path"], "%.([^./]+)$")
	return 2, timestamp, record
end
