-- SPDX-License-Identifier: Apache-2.0
-- Decode JSON that an application logged as a string, with a small decoder.
local escapes = { n = "\n", t = "\t", r = "\r", b = "\b", f = "\f", ["/"] = "/", ["\\"] = "\\", ['"'] = '"' }
local value

local function skip(s, i)
	return string.find(s, "[^ \t\r\n]", i) or #s + 1
end

local function text(s, i)
	local out, from = {}, i + 1
	while true do
		local at = string.find(s, '["\\]', from)
		if not at then
			error("unclosed string")
		end
		out[#out + 1] = s:sub(from, at - 1)
		if s:sub(at, at) == '"' then
			return table.concat(out), at + 1
		end
		local c = s:sub(at + 1, at + 1)
		if c == "u" then
			local n = tonumber(s:sub(at + 2, at + 5), 16)
			if n < 128 then
				out[#out + 1] = string.char(n)
			else
				out[#out + 1] = string.char(192 + math.floor(n / 64), 128 + n % 64)
			end
			from = at + 6
		else
			out[#out + 1] = escapes[c] or error("bad escape")
			from = at + 2
		end
	end
end

local function list(s, i, close, item)
	local out = {}
	i = skip(s, i + 1)
	while s:sub(i, i) ~= close do
		i = item(out, i)
		i = skip(s, i)
		if s:sub(i, i) == "," then
			i = skip(s, i + 1)
		elseif s:sub(i, i) ~= close then
			error("expected , or " .. close)
		end
	end
	return out, i + 1
end

function value(s, i)
	i = skip(s, i)
	local c = s:sub(i, i)
	if c == '"' then
		return text(s, i)
	elseif c == "{" then
		return list(s, i, "}", function(out, at)
			local key
			key, at = text(s, at)
			at = skip(s, at)
			assert(s:sub(at, at) == ":", "expected :")
			out[key], at = value(s, at + 1)
			return at
		end)
	elseif c == "[" then
		return list(s, i, "]", function(out, at)
			out[#out + 1], at = value(s, at)
			return at
		end)
	end
	local word = string.match(s, "^[%w%.%+%-]+", i) or error("unexpected " .. c)
	local words = { ["true"] = true, ["false"] = false }
	local result = words[word]
	if result == nil and word ~= "null" then
		result = tonumber(word) or error("unexpected " .. word)
	end
	return result, i + #word
end

function hook(tag, timestamp, record)
	local ok, decoded = pcall(value, record["log"] or "", 1)
	if not ok then
		record["json_error"] = string.match(decoded, ": (.*)$") or decoded
		return 2, timestamp, record
	end
	for k, v in pairs(decoded) do
		record["log_" .. k] = v
	end
	record["log"] = nil
	return 2, timestamp, record
end
