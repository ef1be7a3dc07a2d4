-- SPDX-License-Identifier: Apache-2.0
-- Remove secrets from query strings, headers and bodies.
local keys = { "password", "token", "secret", "api[_-]?key" }
local hidden = { authorization = true, cookie = true }

local function mask(text)
	for _, key in ipairs(keys) do
		text = text:gsub("([?&]" .. key .. "=)[^&#]*", "%1***")
		text = text:gsub('("' .. key .. '"%s*:%s*)"[^"]*"', '%1"***"')
	end
	text = text:gsub("([%w%.%-_]+)@([%w%.%-]+%.%a+)", "***@%2")
	return (text:gsub("%f[%d]%d%d%d%d[ %-]?%d%d%d%d[ %-]?%d%d%d%d[ %-]?(%d%d%d%d)%f[%D]", "****-%1"))
end

function hook(tag, timestamp, record)
	for key, value in pairs(record) do
		if hidden[string.lower(key)] then
			record[key] = "***"
		elseif type(value) == "string" then
			record[key] = mask(value)
		end
	end
	return 2, timestamp, record
end
