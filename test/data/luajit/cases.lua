-- SPDX-License-Identifier: Apache-2.0
-- Runs the cases of test/e2e/test_luajit.py, in LuaJIT and in a hook, and writes
-- one line for each case: its results, or that it failed, and then the tables
-- among its arguments, as the call has left them.
--
--     luajit cases.lua FILE OUT...

local tables, out

local function text_of(s)
	return (s:gsub("[^ -~]", function(c)
		return string.format("\\%03d", c:byte())
	end))
end

local function describe(value, depth)
	if type(value) == "number" then
		return tostring(value)
	elseif type(value) == "string" then
		return '"' .. text_of(value) .. '"'
	elseif type(value) == "boolean" or value == nil then
		return tostring(value)
	elseif type(value) ~= "table" or depth > 3 then
		return type(value)
	end
	local fields = {}
	for k, v in next, value do
		fields[#fields + 1] = describe(k, depth + 1)
			.. "="
			.. describe(v, depth + 1)
	end
	table.sort(fields)
	return "{" .. table.concat(fields, ",") .. "}"
end

-- A table; the line also shows its content after the case.
function T(t)
	tables[#tables + 1] = t
	return t
end

-- No address, which would join the other text.
local function short(x)
	return type(x) == "function" and "function" or tostring(x)
end

F = {
	upper = string.upper,
	len = string.len,
	tostring = tostring,
	same = function(...)
		return ...
	end,
	nothing = function() end,
	no = function()
		return false
	end,
	yes = function()
		return true
	end,
	half = function()
		return 5 / 2
	end,
	fails = function()
		error("on purpose")
	end,
	less = function(a, b)
		return a < b
	end,
	more = function(a, b)
		return a > b
	end,
	joined = function(a, b)
		return short(a) .. short(b)
	end,
}

-- A value that calls its metamethods.
function M(text)
	return setmetatable({}, {
		__tostring = function()
			return text
		end,
		__concat = function(a, b)
			return tostring(a) .. "&" .. tostring(b)
		end,
		__index = function(_, k)
			return k
		end,
		__call = function(_, x)
			return x
		end,
		__lt = function()
			return true
		end,
	})
end

local function line_of(ok, ...)
	local parts = { ok and "ok" or "error" }
	for i = 1, ok and select("#", ...) or 0 do
		parts[#parts + 1] = describe((select(i, ...)), 0)
	end
	for _, t in ipairs(tables) do
		parts[#parts + 1] = "T" .. describe(t, 0)
	end
	return table.concat(parts, " ")
end

-- A case may have set the metatable of all strings or of another type.
local strings = getmetatable("")
local function restore(...)
	debug.setmetatable("", strings)
	for _, value in ipairs({ 0, true, print, coroutine.create(print) }) do
		debug.setmetatable(value, nil)
	end
	debug.setmetatable(nil, nil)
	return ...
end

-- One case.
function C(n, f)
	tables = {}
	local line = line_of(restore(pcall(f)))
	out:write(string.format("%d ", n), line, "\n")
end

function open_out(path)
	out = assert(io.open(path, "ab"))
end

function close_out()
	out:close()
end

function run(file, to)
	open_out(to)
	assert(loadfile(file))()
	close_out()
end

-- One call of a generated hook.
function H(n, f, record)
	C(n, function()
		return f("kube.tag", 1795219198.25, record)
	end)
end

for i = 1, arg and #arg or 0, 2 do
	run(arg[i], arg[i + 1])
end
