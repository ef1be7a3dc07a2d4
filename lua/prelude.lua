-- SPDX-License-Identifier: Apache-2.0
-- Defines the functions that scripts written for Lua 5.1 (LuaJIT in Fluent Bit)
-- expect and that Lua 5.4 has moved, changed or removed.  This file runs before
-- the script.  It is not translated (src/hook/lua51_source.h).

local floor, number_type = math.floor, math.type
local pack_bytes, unpack_bytes = string.pack, string.unpack
local format, rep, sub = string.format, string.rep, string.sub
local load, getinfo = load, debug.getinfo
local upvalue, join = debug.getupvalue, debug.upvaluejoin

local function cut(x)
	return x < 0 and -floor(-x) or floor(x)
end

-- Moved or renamed.
_VERSION = "Lua 5.1"
loadstring = load

local function check(value, wanted, i, name)
	if type(value) ~= wanted then
		local message = "bad argument #%d to '%s' (%s expected, got %s)"
		error(message:format(i, name, wanted, type(value)), 3)
	end
end

table.getn = function(t)
	check(t, "table", 1, "getn")
	return #t
end

table.maxn = function(t)
	check(t, "table", 1, "maxn")
	local max = 0
	for key in pairs(t) do
		if type(key) == "number" and key > max then
			max = key
		end
	end
	return max
end

table.foreach = function(t, f)
	check(t, "table", 1, "foreach")
	check(f, "function", 2, "foreach")
	for key, value in pairs(t) do
		local result = f(key, value)
		if result ~= nil then
			return result
		end
	end
end

table.foreachi = function(t, f)
	check(t, "table", 1, "foreachi")
	check(f, "function", 2, "foreachi")
	for i = 1, #t do
		local result = f(i, t[i])
		if result ~= nil then
			return result
		end
	end
end

local fmod, atan = math.fmod, math.atan
local random, randomseed = math.random, math.randomseed

math.fmod = function(x, y)
	return fmod(x + 0.0, y)
end
math.mod = math.fmod

math.atan2 = function(y, x)
	return atan(y, x + 0.0)
end

math.atan = function(x)
	return atan(x)
end

math.random = function(m, n)
	if not m then
		return random()
	end
	if not n then
		m, n = 1, m
	end
	return floor(random() * (n - m + 1)) + m
end

math.randomseed = function(x)
	local n = floor(x)
	local bits = string.unpack("j", string.pack("n", n))
	randomseed(math.type(n) == "integer" and n or bits)
end

os.difftime = function(later, earlier)
	return cut(later + 0.0) - cut((earlier or 0) + 0.0)
end

local execute = os.execute

-- Lua 5.1 returns the status of the command, as waitpid does.
os.execute = function(command)
	local ok, what, code = execute(command)
	if not command then
		return ok and 1 or 0
	end
	if what == "exit" then
		return code << 8
	end
	return what == "signal" and code or -1
end

local rename = os.rename

-- In Lua 5.1, the message begins with the old name of the file.
os.rename = function(from, to)
	local ok, why, code = rename(from, to)
	if not ok then
		return nil, (from .. ""):match("^%Z*") .. ": " .. why, code
	end
	return ok
end

local open = io.open

-- Lua 5.4 rejects unusual modes.  Lua 5.1 accepts every mode that the C library
-- accepts.
io.open = function(path, mode)
	path = type(path) == "number" and tostring(path) or path
	mode = mode == nil and "r" or mode
	mode = type(mode) == "number" and tostring(mode) or mode
	check(path, "string", 1, "open")
	check(mode, "string", 2, "open")
	if not mode:find("^[rwa]") then
		return nil, path .. ": Invalid argument", 22
	end
	local plus = mode:find("+", 1, true) and "+" or ""
	return open(path, mode:sub(1, 1) .. plus)
end

local running = coroutine.running

coroutine.running = function()
	local thread, is_main = running()
	return not is_main and thread or nil
end

function gcinfo()
	return floor(collectgarbage("count"))
end

-- Lua 5.4 rejects fractions and changes the table.  Lua 5.1 cuts off fractions
-- and does not change the table.
local time = os.time

os.time = function(t)
	if not t then
		return time()
	end
	local fields = { isdst = t.isdst }
	local names = { "year", "month", "day", "hour", "min", "sec" }
	for _, name in ipairs(names) do
		local n = tonumber(t[name])
		fields[name] = n and cut(n)
	end
	return time(fields)
end

-- The functions of LuaJIT's bit library.  They work on 32 bits, with a sign.
local function bits(x)
	local n = tonumber(x)
	if not n then
		error("number expected, got " .. type(x), 3)
	end
	if number_type(n) == "float" then
		-- The low bits of this sum are the bits of the integer.
		return (unpack_bytes("<I4", pack_bytes("<d", n + 0x1.8p52)))
	end
	return n & 0xffffffff
end

local function signed(n)
	return ((n & 0xffffffff) ~ 0x80000000) - 0x80000000
end

local function fold(operation)
	return function(x, ...)
		local result = bits(x)
		for i = 1, select("#", ...) do
			result = operation(result, bits((select(i, ...))))
		end
		return signed(result)
	end
end

local function rotate(x, n)
	x, n = bits(x), bits(n) & 31
	return signed(x << n | x >> (32 - n))
end

bit = {
	tobit = function(x)
		return signed(bits(x))
	end,
	tohex = function(x, ...)
		local n = select("#", ...) > 0 and signed(bits((...))) or 8
		local digits = n < 0 and -n or n
		digits = digits > 254 and 254 or digits
		local text = format(n < 0 and "%08X" or "%08x", bits(x))
		return digits > 8 and rep("0", digits - 8) .. text
			or sub(text, 9 - digits)
	end,
	bnot = function(x)
		return signed(~bits(x))
	end,
	band = fold(function(a, b)
		return a & b
	end),
	bor = fold(function(a, b)
		return a | b
	end),
	bxor = fold(function(a, b)
		return a ~ b
	end),
	lshift = function(x, n)
		return signed(bits(x) << (bits(n) & 31))
	end,
	rshift = function(x, n)
		return signed(bits(x) >> (bits(n) & 31))
	end,
	arshift = function(x, n)
		local shifted = signed(bits(x)) // (1 << (bits(n) & 31))
		return signed(shifted)
	end,
	rol = rotate,
	ror = function(x, n)
		return rotate(x, -bits(n))
	end,
	bswap = function(x)
		x = bits(x)
		return signed(
			x >> 24 | x >> 8 & 0xff00 | x << 8 & 0xff0000 | x << 24
		)
	end,
}

-- Environments.  The environment of a function is its upvalue _ENV.
local function function_of(f)
	if type(f) == "function" then
		return f
	end
	f = cut(f or 1)
	if f < 0 then
		error("level must be non-negative", 3)
	end
	return f > 0 and getinfo(f + 2, "f").func
end

local function environment_of(f)
	for i = 1, 255 do
		local name, value = upvalue(f, i)
		if name == "_ENV" or not name then
			return name and i, value
		end
	end
end

function getfenv(f)
	f = function_of(f)
	local _, environment = nil, nil
	if f then
		_, environment = environment_of(f)
	end
	return environment or _G
end

function setfenv(f, environment)
	local target = function_of(f)
	if not target then
		error("setfenv: a thread has no environment of its own", 2)
	end
	local i = environment_of(target)
	if i then
		join(target, i, function()
			return environment
		end, 1)
	end
	return target
end

function module(name, ...)
	local m = package.loaded[name]
	if type(m) ~= "table" then
		m = {}
		_G[name], package.loaded[name] = m, m
	end
	m._M, m._NAME, m._PACKAGE = m, name, name:match("^(.*%.)[^.]*$") or ""
	setfenv(2, m)
	for _, option in ipairs({ ... }) do
		option(m)
	end
end

function package.seeall(m)
	setmetatable(m, { __index = _G })
end

package.loaders = package.searchers

-- Files are loaded with load, which translates them.
local function load_file(path)
	path = type(path) == "number" and tostring(path) or path
	if type(path) ~= "string" then
		error("the name of a file expected", 3)
	end
	local file, why = io.open(path, "rb")
	if not file then
		return nil, "cannot open " .. why
	end
	local text
	text, why = file:read("a")
	file:close()
	if not text then
		return nil, "cannot read " .. path .. ": " .. why
	end
	text = text:gsub("^\xef\xbb\xbf", ""):gsub("^#", "--")
	return load(text, "@" .. path)
end

loadfile = load_file

function dofile(path)
	local f, why = load_file(path)
	if not f then
		error(why, 0)
	end
	return f()
end

package.searchers[2] = function(name)
	local path, why = package.searchpath(name, package.path)
	if not path then
		return why
	end
	local f
	f, why = load_file(path)
	if not f then
		local message = "error loading module '%s' "
			.. "from file '%s':\n\t%s"
		error(message:format(name, path, why), 0)
	end
	return f, path
end

-- Modules that only LuaJIT has.
package.preload.ffi = function()
	error("ffi is part of LuaJIT; sluiced runs scripts on Lua 5.4", 0)
end
package.preload.bit = function()
	return bit
end

local function nothing() end
jit = {
	version = "none",
	status = nothing,
	on = nothing,
	off = nothing,
	flush = nothing,
}
package.loaded.jit = jit

-- A script must not be able to stop the collection of logs, or to remove the
-- limits that sluiced sets for scripts.
local function refuse(library, name, why)
	library[name] = function()
		error(name .. ": " .. why, 2)
	end
end

refuse(os, "exit", "a script cannot end sluiced")
refuse(debug, "debug", "sluiced has no terminal to read commands from")
refuse(debug, "sethook", "sluiced uses the debug hook for the time limit")
refuse(debug, "getregistry", "the registry belongs to sluiced")

local setmetatable_of_any, setupvalue = debug.setmetatable, debug.setupvalue

-- Kept as locals, because a script may replace the globals.
local type, error, getmetatable = type, error, getmetatable
local tonumber = tonumber
local getmetatable_of_any = debug.getmetatable

-- Scripts get a copy of the metatable of files.  In the original, a script could
-- replace __gc by its own function, and the time limit cannot stop a finaliser.
local files, shown = getmetatable(io.stdout), {}
for name, value in pairs(files) do
	if name ~= "__gc" and name ~= "__close" then
		shown[name] = value
	end
end
files.__metatable = shown

function debug.getmetatable(value)
	if type(value) == "userdata" then
		return getmetatable(value)
	end
	return getmetatable_of_any(value)
end

local function is_ours(f)
	local info = getinfo(f, "S")
	return info.what == "C" or info.source == "=prelude"
end

function debug.setmetatable(value, metatable)
	if type(value) == "userdata" then
		error("debug.setmetatable: userdata belong to sluiced", 2)
	end
	if type(value) == "table" then
		return setmetatable(value, metatable)
	end
	return setmetatable_of_any(value, metatable)
end

function debug.setupvalue(f, i, value)
	if is_ours(f) then
		error("debug.setupvalue: the function belongs to sluiced", 2)
	end
	return setupvalue(f, i, value)
end

-- The upvalues of our functions are the originals, which the script must not
-- reach.
function debug.getupvalue(f, i)
	if not is_ours(f) then
		return upvalue(f, i)
	end
end

function debug.upvaluejoin(f, i, from, n)
	if is_ours(f) or is_ours(from) then
		error("debug.upvaluejoin: the function belongs to sluiced", 2)
	end
	join(f, i, from, n)
end

-- The stack of a C function holds the values that it works with.  It would crash
-- if a script replaced or freed one of them.
local function guard(name)
	local access = debug[name]
	local function check_level(info)
		if info and is_ours(info.func) then
			error("debug." .. name .. ": the function belongs to sluiced", 3)
		end
	end
	debug[name] = function(thread, level, ...)
		if type(thread) == "thread" and thread ~= running() then
			level = tonumber(level)
			level = level and cut(level)
			check_level(level and getinfo(thread, level, "f"))
			return access(thread, level, ...)
		end
		local at, n, value = thread, level, ...
		if type(thread) == "thread" then
			at, n, value = level, ...
		end
		if type(at) ~= "function" then
			at = tonumber(at)
			at = at and cut(at) + 1 -- this function is a level, too
			check_level(at and getinfo(at, "f"))
		end
		local variable, old = access(at, n, value)
		return variable, old
	end
end

guard("getlocal")
guard("setlocal")

-- Returns the names of the functions that the script defined.  They are for the
-- error that reports that the hook is not one of them.
local before = {}
for name in pairs(_G) do
	before[name] = true
end

local function functions()
	local names = {}
	for name, value in pairs(_G) do
		if type(value) == "function" and not before[name] then
			names[#names + 1] = tostring(name)
		end
	end
	table.sort(names)
	return table.concat(names, ", ")
end

return {
	functions = functions,
	load_file = load_file,
}
