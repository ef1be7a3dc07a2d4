# SPDX-License-Identifier: Apache-2.0
"""Generates short scripts in Lua 5.1 about the language itself and about the
ways in which values meet: errors, loops, varargs, metatables, sorting, tables
with holes, numbers as text.

In a template, each of these words is replaced by an expression, each time by
another one: NUMBER, SMALL, TEXT, NUMERIC (a text that may look like a number),
PATTERN, SCALAR, ITEMS (of a table), FORMAT, DATE, BOUND (of a loop), STEP, OP
(an arithmetic operator), COMPARE.  A digit makes it the same one: NUMBER1."""
import re

from .lua_calls import quoted

TEMPLATES = """
local ok, e = pcall(error, SCALAR, 0) return ok, type(e), e
local ok, e = pcall(function() error(SCALAR, 0) end) return ok, e
local ok, e = pcall(function() error(NUMBER) end) \
return ok, type(e), tostring(e):match(': ([^:]*)$')
local ok, e = pcall(function() error({code = SCALAR}) end) return ok, e.code
local ok, e = pcall(function() local ok, e = pcall(error, TEXT, 0) \
error((e or '?') .. SCALAR, 0) end) return ok, e
local ok, e = xpcall(function() error(SCALAR, 0) end, \
function(e) return type(e), e end) return ok, e
local ok, e = xpcall(function() error(TEXT, 0) end, \
function(e) return e .. NUMBER end) return ok, e
return pcall(function(...) return select('#', ...), ... end, SCALAR, SCALAR)
local ok, a, b = pcall(pcall, error, SCALAR) return ok, a, b
local t = setmetatable({}, {__tostring = function() return TEXT end}) \
local ok, e = pcall(error, t) return ok, tostring(e), e == t
return select('#', assert(SCALAR, SCALAR)), (assert(NUMBER, NUMBER))
local ok, e = pcall(assert, false, SCALAR) return ok, type(e), e
local ok, e = pcall(assert, nil, {SCALAR}) return ok, e
local co = coroutine.wrap(function(a) for i = 1, 3 do \
a = coroutine.yield(a, i / 2) end return 'end' end) \
return co(SCALAR), co(SCALAR), co(SCALAR), co(SCALAR)
local co = coroutine.create(function(...) error(SCALAR, 0) end) \
local ok, e = coroutine.resume(co, 1) return ok, e, coroutine.status(co)
local s = '' for i = BOUND, BOUND STEP do s = s .. i .. ';' end return s
local s = 0 for i = BOUND, BOUND STEP do s = s + i OP SMALL end return s
local n = 0 for i = SMALL, SMALL STEP do if i COMPARE SMALL then break end \
n = n + 1 end return n
local t = {} for i = (TEXT):len(), 3 do t[#t + 1] = i / 2 end return t
local t = {} for i = ('1 3'):match('%d'), ('1 3'):match('%d$') do \
t[i] = i .. '' end return t
local i, t = 0, {} ::top:: i = i + 1 \
if i OP SMALL1 COMPARE SMALL then t[#t + 1] = i end \
if i < 9 then goto top end return t
local t = {} for i = 1, 9 do if i % SMALL COMPARE SMALL then goto skip end \
t[#t + 1] = i ::skip:: end return t
local s = '' for w in (TEXT):gmatch(PATTERN) do s = s .. w .. '|' \
if #s > 99 then break end end return s
local s = '' for a, b in (TEXT):gmatch('(%w)' .. PATTERN) do \
s = s .. a .. '=' .. tostring(b) .. ';' if #s > 99 then break end end return s
local a, b = (TEXT):match('(%d+)%D*(%d*)') \
if a then return a + 1, a * 2 .. '', a / 4, a .. b, a == tostring(a + 0) end
local a = NUMERIC if tonumber(a) then return a + 1, a * 2, -a, a ^ 2, a % 7, \
a .. '', a .. 1, #a, tonumber(a) COMPARE SMALL end return tonumber(a)
local n = NUMBER return n OP SMALL, SMALL OP n, n .. '', -n .. '', #(n .. '')
local n = NUMBER return n - n % SMALL, n % SMALL, math.floor(n), \
math.ceil(n / 4) + 0, tostring(n)
local n = NUMBER local t = {[n] = 1} return t[n], t[n + 0], t[tostring(n)], \
(next(t) or 0) == n
local n = NUMBER return ('%d'):format(n), ('%5.1f|%-8g|%s'):format(n, n, n)
local n = NUMBER return n:rep(2)
local n = NUMBER return (n .. ''):rep(2), (n .. ''):sub(SMALL, SMALL), \
(n .. ''):find('.', 1, true), (n .. ''):gsub('%d', '<%0>')
return (TEXT):sub(SMALL, SMALL), (TEXT):byte(SMALL, SMALL)
return (TEXT):find(PATTERN, SMALL)
return (TEXT):gsub(PATTERN, function(...) return select('#', ...) OP SMALL end)
return (TEXT):gsub(PATTERN, {a = SCALAR, [' '] = SCALAR, ['1'] = NUMBER})
return (TEXT):gsub('%w+', '%0 %%' .. NUMBER)
return ('x'):rep(SMALL, NUMBER), ('x'):rep(SMALL .. '')
return string.format(FORMAT, NUMBER, NUMBER, NUMBER)
return string.format(FORMAT, NUMERIC, NUMBER, SCALAR)
return string.format('%s %q %10s %.3s|%-6s|', TEXT, TEXT, SCALAR, TEXT, NUMBER)
return string.format('%c%c', SMALL + 64, NUMBER), string.format('%5%')
return os.date(DATE, NUMBER)
return os.date('!%Y-%m-%d %H:%M:%S', NUMBER), os.date('!%c', NUMERIC)
return os.date('!*t', NUMBER)
local t = os.date('!*t', SMALL * 86400 * 30) t.month = t.month + SMALL \
t.hour = SMALL * 7 return pcall(os.time, t)
return os.time({year = 2000 + SMALL, month = SMALL, day = SMALL, hour = SMALL, \
min = SMALL, sec = SMALL}) - os.time({year = 2000, month = 1, day = 1})
local t = {ITEMS} table.sort(t, function(a, b) \
return tostring(a) < tostring(b) end) return t
local t = {} for w in (TEXT .. ' b a ' .. TEXT):gmatch('%S+') do \
t[#t + 1] = {k = w, n = #w} end table.sort(t, function(a, b) \
if a.n ~= b.n then return a.n > b.n end return a.k < b.k end) return t
local t = {SMALL, SMALL, SMALL, SMALL, SMALL, SMALL} \
local n = 0 local ok = pcall(table.sort, t, function(a, b) n = n + 1 \
return a COMPARE b end) return ok
local t = {SMALL, SMALL, SMALL, SMALL, SMALL, SMALL} \
table.sort(t, function(a, b) return a > b end) return t
local t = {TEXT, TEXT, TEXT, NUMERIC, NUMERIC} table.sort(t) return t
local t = {NUMBER, NUMBER, NUMBER, NUMBER} table.sort(t) \
return table.concat(t, ' ')
local t = {TEXT, NUMBER} return pcall(table.sort, t) and t
return table.concat({ITEMS}, SCALAR)
return table.concat({SCALAR, NUMBER, NUMERIC}, TEXT, SMALL, SMALL)
local t = {ITEMS} table.insert(t, SMALL, SCALAR) return t
local t = {1, 2, 3} table.insert(t, BOUND, SCALAR) return t
local t = {1, 2, 3, 4, 5} local x = table.remove(t, SMALL) return x, t
local t = {SCALAR, nil, SCALAR} return select('#', unpack(t, 1, 3)), \
unpack(t, 1, 3)
return unpack({SCALAR, SCALAR, SCALAR}, BOUND, BOUND)
return select(SMALL, SCALAR, SCALAR, SCALAR)
return select(SMALL .. '', SCALAR, SCALAR)
local function f(...) local a, b = ... local t = {..., ...} \
return select('#', ...), t[4], a, b, (...) end return f(SCALAR, nil, SCALAR)
local function f(n, ...) if n <= 0 then return ... end \
return f(n - 1, n, ...) end return f(SMALL % 20)
local t = {} t[1], t[2], t[4] = SCALAR, SCALAR, SCALAR local n = 0 \
for k in pairs(t) do n = n + k end return n, t[3], table.maxn(t)
local t = {a = 1} for k, v in pairs(t) do t[k] = nil end return next(t)
local t = {} t[NUMBER] = SCALAR return t[NUMBER], next(t) ~= nil
local t = {[1] = 'a', [1.0] = 'b', ['1'] = 'c', [2^53] = 'd'} \
return t[NUMBER], t[NUMERIC], t[1], t['1']
return pcall(function() local t = {} t[SCALAR] = 1 return next(t) ~= nil end)
local t = {} local ok = pcall(function() t[0 / 0] = 1 end) return ok
local t = {ITEMS} local n = 0 for i, v in ipairs(t) do n = n + i end return n
local m = {} m.__index = m function m:get(x) return (self.v or 0) OP x end \
return setmetatable({v = NUMBER}, m):get(SMALL)
local m = {__index = function(_, k) return k .. NUMBER end} \
local t = setmetatable({ITEMS}, m) return t.x, t[SMALL], rawget(t, 'x')
local m = {__newindex = function(t, k, v) rawset(t, k, tostring(v) .. '!') end} \
local t = setmetatable({1}, m) t[1] = SCALAR t[2] = SCALAR t.x = SCALAR return t
local a = {} local t = setmetatable({}, {__newindex = a, __index = a}) \
t.x = SCALAR return t.x, rawget(t, 'x'), a
local m = {__concat = function(a, b) return \
(type(a) == 'table' and 'T' or a) .. '~' .. (type(b) == 'table' and 'T' or b) \
end} local t = setmetatable({}, m) return t .. SCALAR1, NUMBER .. t, \
TEXT .. NUMBER .. t .. SMALL, t .. t
local m = {__eq = function(a, b) return a.v == b.v end} \
local a, b = setmetatable({v = SMALL}, m), setmetatable({v = SMALL}, m) \
return a == b, a ~= b, a == SMALL, rawequal(a, b)
local m = {__lt = function(a, b) return a.v < b.v end, \
__le = function(a, b) return a.v <= b.v end} \
local a, b = setmetatable({v = SMALL}, m), setmetatable({v = SMALL}, m) \
return a < b, a <= b, a > b, a >= b, (pcall(function() return a COMPARE 1 end))
local m = {__lt = function(a, b) return a.v < b.v end} \
local t = {} for i = 1, 6 do t[i] = setmetatable({v = i * 7 % 5}, m) end \
table.sort(t) local s = '' for i = 1, 6 do s = s .. t[i].v end return s
local m = {__lt = function(a, b) return a.v < b.v end} \
local a, b = setmetatable({v = SMALL}, m), setmetatable({v = SMALL}, m) \
return a <= b, a >= b
local m = {} for _, k in ipairs{'add', 'sub', 'mul', 'div', 'mod', 'pow'} do \
m['__' .. k] = function(a, b) return k, type(a), type(b) end end \
local t = setmetatable({}, m) return t OP NUMBER, NUMBER OP t, t OP t, \
TEXT OP t, t OP nil
local m = {__unm = function() return SCALAR end} return -setmetatable({}, m)
local m = {__call = function(_, ...) return select('#', ...), ... end} \
return setmetatable({}, m)(SCALAR, nil)
local t = setmetatable({}, {__metatable = SCALAR}) \
return getmetatable(t), pcall(setmetatable, t, {}) == false
return getmetatable('').__index == string, (TEXT).len == string.len
local t = setmetatable({}, {__tostring = function() return SCALAR end}) \
return pcall(tostring, t)
local t = setmetatable({}, {__tostring = function() return TEXT end}) \
return ('%s|%10s'):format(t, t), #tostring(t)
return SCALAR OP SCALAR
return SCALAR COMPARE SCALAR
return SCALAR .. SCALAR
return #TEXT, -SCALAR
return SCALAR == SCALAR, SCALAR ~= SCALAR, NUMBER COMPARE NUMBER
return TEXT < TEXT, TEXT <= TEXT, TEXT == TEXT, NUMERIC == NUMERIC
return SCALAR and SCALAR, SCALAR or SCALAR, not SCALAR
return tonumber(NUMERIC, SMALL), tonumber(NUMBER), tonumber(NUMERIC)
return (pcall(tonumber, TEXT, SMALL))
return tostring(tonumber(NUMERIC)), tostring(NUMBER), tostring(nil)
return math.max(NUMBER, NUMBER, SMALL), math.min(SMALL, NUMBER)
return math.floor(NUMBER), math.fmod(NUMBER, SMALL), math.modf(NUMBER)
return math.floor(math.log(10 ^ SMALL, 10)), math.log(NUMBER), \
math.log(8, SMALL), math.log10(NUMBER)
return math.floor(NUMBER + 0.5), math.floor(NUMBER * 100) / 100, \
math.abs(NUMBER)
local n = NUMBER return n == math.floor(n), n % 1 == 0, n % 1
local h = SMALL for c in (TEXT):gmatch('.') do \
h = (h * 31 + c:byte()) % 2 ^ 32 end return h, h % 100, ('%08x'):format(h)
local h = 5381 for i = 1, #TEXT do h = bit.band(h * 33 + i, 0xffffffff) end \
return h, bit.tohex(h)
return loadstring('return ' .. NUMBER .. ', ' .. SMALL .. ' .. ""')()
return loadstring('local x = ... return x OP SMALL, x .. "x"')(SCALAR)
local f = loadstring('x = x or SMALL return x') setfenv(f, {x = SCALAR}) \
return f(), x
local t = {} local function add(x) t[#t + 1] = x return add end \
return pcall(function() add(SCALAR)(SCALAR) end), #t <= 2
local a, b, c = (function() return SCALAR, SCALAR end)() return a, b, c
local t = {(function() return 1, 2 end)(), (function() return 3, 4 end)()} \
return #t, t[2]
local a <COMMA> b = 1, 2 a, b = b, a return a, b
local s = TEXT s = s:upper():lower():reverse() return s, #s, s:len()
local r = {a = SCALAR, b = {c = SCALAR}} for k, v in pairs(r) do \
if type(v) == 'table' then for k2, v2 in pairs(v) do r[k .. '_' .. k2] = v2 end \
r[k] = nil break end end return r.b_c, r.a
"""
OPERATORS = ["+", "-", "*", "/", "%", "^"]
COMPARISONS = ["<", "<=", ">", ">=", "==", "~="]
WORD = re.compile(r"\b(NUMBER|SMALL|TEXT|NUMERIC|PATTERN|SCALAR|ITEMS|FORMAT|"
                  r"DATE|BOUND|STEP|OP|COMPARE)(\d?)\b")


class ScriptMaker:
    """`make` is a Maker of lua_calls."""

    def __init__(self, make):
        self.rng, self.make = make.rng, make
        self.templates = [line.replace("<COMMA>", ",")
                          for line in TEMPLATES.strip().splitlines()]

    def items(self):
        return ", ".join(self.make.scalar()
                         for _ in range(self.rng.randrange(6)))

    def bound(self):
        return self.rng.choice([self.make.small, self.make.small,
                                lambda: "'2'", lambda: "0.1", lambda: "#'abc'",
                                lambda: "7 / 2", lambda: "10 / 5"])()

    def expression(self, word):
        rng, make = self.rng, self.make
        found = {
            "NUMBER": make.number, "SMALL": make.small,
            "TEXT": lambda: quoted(make.raw_text()),
            "NUMERIC": make.numeric_text, "PATTERN": make.pattern,
            "SCALAR": make.scalar, "ITEMS": self.items,
            "FORMAT": make.format, "DATE": make.date, "BOUND": self.bound,
            "STEP": lambda: rng.choice(["", "", ", 1", ", 0.5", ", -1", ", 2",
                                        ", 0.1", ", -0.5"]),
            "OP": lambda: rng.choice(OPERATORS),
            "COMPARE": lambda: rng.choice(COMPARISONS),
        }[word]()
        is_operand = word in ("NUMBER", "SMALL", "SCALAR", "BOUND")
        return f"({found})" if is_operand else found

    def script(self):
        """The text of a call that returns the results of the script."""
        kept = {}

        def replace(found):
            word, digit = found.groups()
            if not digit:
                return self.expression(word)
            if found[0] not in kept:
                kept[found[0]] = self.expression(word)
            return kept[found[0]]

        return ("(function(...) "
                + WORD.sub(replace, self.rng.choice(self.templates))
                + " end)()")
