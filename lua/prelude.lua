-- SPDX-License-Identifier: Apache-2.0
-- What scripts written for Lua 5.1 (LuaJIT, in Fluent Bit) find there and
-- Lua 5.4 has moved or dropped.  Runs before the script.

unpack = unpack or table.unpack
loadstring = loadstring or load

table.getn = table.getn or function(t)
	return #t
end

table.maxn = table.maxn or function(t)
	local max = 0
	for key in pairs(t) do
		if type(key) == "number" and key > max then
			max = key
		end
	end
	return max
end

math.pow = math.pow or function(x, y)
	return x ^ y
end
math.mod = math.mod or math.fmod
math.log10 = math.log10 or function(x)
	return math.log(x, 10)
end
string.gfind = string.gfind or string.gmatch

-- One script must not end the collection of logs.
os.exit = function()
	error("os.exit: a script cannot end sluiced", 2)
end

-- Gives the names of the functions that the script defined, to be told when
-- the one to call is not among them.
local before = {}
for name in pairs(_G) do
	before[name] = true
end

return function()
	local names = {}
	for name, value in pairs(_G) do
		if type(value) == "function" and not before[name] then
			names[#names + 1] = tostring(name)
		end
	end
	table.sort(names)
	return table.concat(names, ", ")
end
