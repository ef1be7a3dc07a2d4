# SPDX-License-Identifier: Apache-2.0
"""Generates hooks as people write them, and records for them."""
import json

from .lua_calls import Maker, quoted

FIELDS = ["status", "rt", "bytes", "request", "vhost", "ua", "up", "list",
          "http", "none"]
TEXTS = ["GET /a/b/c?x=1&y=22 HTTP/1.1", "POST / HTTP/2.0", "/index.html",
         "gw-1.example.com", "10.1.2.3:8080", "Mozilla/5.0 (X11)", "", "-",
         "a,b,,c", "key=value; k2=v2", "ÄÖ ü", "tab\there", "007", "1e3",
         " 12 ", "0x1f", "2026-11-27T10:00:00Z"]
NUMBERS = [0, 1, 200, 404, 503, 12345, 0.25, 1.005, 0.57, 3.0, -7, 1e3, 0.1,
           65536, 1795219198, 2.5e-05, 99999.5]


class HookMaker:
    def __init__(self, rng):
        self.rng = rng
        self.make = Maker(rng)

    def value(self, depth=0):
        kind = self.rng.random()
        if kind < 0.4:
            return self.rng.choice(TEXTS)
        if kind < 0.8 or depth > 1:
            return self.rng.choice(NUMBERS)
        if kind < 0.87:
            return self.rng.choice([True, False, None])
        if kind < 0.93:
            return [self.value(2) or 0 for _ in range(self.rng.randrange(4))]
        return {name: self.value(2) for name in ("method", "n", "a")}

    def record(self):
        """Most fields have the type that their name suggests."""
        rng = self.rng
        fields = {"status": rng.choice([200, 404, "503"]),
                  "rt": rng.choice([0.57, 1.005, 0.123, 3.0, 2]),
                  "bytes": rng.choice([0, 512, 123456]),
                  "request": TEXTS[rng.randrange(3)], "vhost": TEXTS[3],
                  "ua": TEXTS[5], "up": rng.choice([0.25, "0.250", "-"]),
                  "list": [1, "two", 3.5], "http": {"method": "GET", "n": 1.5}}
        for name in fields:
            if rng.random() < 0.15:
                is_table = name in ("list", "http")
                fields[name] = self.value(0 if is_table else 2)
        return fields

    def field(self):
        return "r." + self.rng.choice(FIELDS)

    def local(self):
        return self.rng.choice(["x", "y", "n", "s"])

    def number(self, depth=0):
        rng = self.rng
        if depth > 1 or rng.random() < 0.3:
            return rng.choice([
                "r.rt", "r.bytes", "r.status", "n", "ts", "1000", "100", "0.5",
                "60", "2", "1024", "#tag", "#s", "tonumber(r.up)",
                "r.http.n", "math.floor(r.rt)", "(r.up or 0)"])
        a, b = self.number(depth + 1), self.number(depth + 1)
        return rng.choice([
            f"({a} + {b})", f"({a} - {b})", f"({a} * {b})", f"{a} / {b}",
            f"math.floor({a})", f"math.max({a}, {b})", f"(n % 7)",
            f"math.floor({a} / 100)", f"({a}) * 1000", f"tonumber({a})"])

    def text(self, depth=0):
        rng, make = self.rng, self.make
        if depth > 1 or rng.random() < 0.3:
            return rng.choice([
                "r.request", "r.vhost", "r.ua", "s", "tag", "'x'", "'/'",
                "tostring(r.up)", "r.http.method", "tostring(r.none)",
                quoted(rng.choice(TEXTS))])
        a, b = self.text(depth + 1), self.text(depth + 1)
        p = make.pattern()
        return rng.choice([
            f"{a} .. {b}", f"{a} .. {self.number(1)}",
            f"{self.number(1)} .. 'ms'", f"({a} .. '|' .. {b} .. n)",
            f"tostring({self.number(1)})", f"({a}):sub(1, 5)",
            f"({a}):upper()", f"string.format('%s-%d', {a}, {self.number(1)})",
            f"string.format('%.3f', {self.number(1)})",
            f"string.format('%5.1f|%-8s|%q', {self.number(1)}, {a}, {b})",
            f"(({a}):gsub({p}, {quoted(rng.choice(['-', '<%0>', '']))}))",
            f"(({a}):match({p}) or {b})", f"os.date('!%Y-%m%d', ts)",
            f"table.concat({{{a}, {self.number(1)}, {b} or 'x'}}, ',')",
            f"table.concat({{{a}, {b}}}, ',')",
            f"({a} or {b})", f"('%s'):rep(2)"])

    def statement(self):
        rng = self.rng
        return rng.choice([
            lambda: f"{self.local()} = {self.text()}",
            lambda: f"n = {self.number()}",
            lambda: f"r.new = {self.text()}",
            lambda: f"r[{self.text(1)}] = {self.number()}",
            lambda: f"{self.field()} = {self.text()}",
            lambda: f"{self.field()} = nil",
            lambda: f"if {self.field()} then s = {self.text()} end",
            lambda: f"if {self.field()} == {self.text(1)} then n = 1 "
                    f"else y = {self.number()} end",
            lambda: f"for i = 1, 3 do s = s .. i .. {self.text(1)} end",
            lambda: f"for i = 1, ('3 5'):match('%d') do r['k' .. i] = i / 2 "
                    "end",
            lambda: f"for w in ({self.text(1)}):gmatch({self.make.pattern()}) "
                    "do n = n + 1 s = s .. tostring(w) end",
            lambda: "local keys = {} for k in pairs(r) do "
                    "keys[#keys + 1] = tostring(k) end table.sort(keys) "
                    "s = table.concat(keys, ' ')",
            lambda: "local new = {} for k, v in pairs(r) do new[k] = v end "
                    "r = new",
            lambda: f"table.insert(r.list, {self.number(1)})",
            lambda: "for i, v in ipairs(r.list) do s = s .. i .. "
                    "tostring(v) end",
            lambda: f"r.sub = {{a = {self.number()}, b = {self.text()}}}",
            lambda: f"n = {self.number(1)} - {self.number(1)} % 0.1",
            lambda: f"r.share = {self.number(1)} % {self.number(1)}",
            lambda: f"s = s .. #r.list .. tostring(r.list[{self.number(1)}])",
            lambda: "table.sort(r.list, function(a, b) "
                    "return tostring(a) < tostring(b) end)",
            lambda: "s = s .. table.concat(r.list, '+')",
            lambda: "x, y = unpack(r.list)",
            lambda: f"x = table.remove(r.list, {rng.choice('123')})",
            lambda: f"r.list[#r.list + 1] = {self.text(1)}",
            lambda: f"local ok, e = pcall(function() return {self.number()} "
                    "end) x = ok and e",
            lambda: f"local ok, e = pcall(error, {self.field()}, 0) "
                    "y = type(e)",
            lambda: f"y = os.date('!%H:%M:%S|%j|%a', {self.number(1)} or ts)",
            lambda: f"y = tonumber({self.text(1)}) or {self.number(1)}",
            lambda: f"x = select('#', ({self.text(1)}):match("
                    f"{self.make.pattern()}))",
            lambda: "for k, v in pairs(r) do if type(v) == 'number' then "
                    "r[k] = v * 1.5 end end",
            lambda: "for k, v in pairs(r.http) do r['http_' .. k] = v end "
                    "r.http = nil",
            lambda: "local m = setmetatable({}, {__index = r}) "
                    f"m.rt = {self.number(1)} x = m.rt .. tostring(m.ua)",
            lambda: f"x = r.rt and r.rt > {self.number(1)} and 'slow' "
                    "or 'fast'",
            lambda: f"y = string.format('%08.3f|%x|%c', {self.number(1)}, "
                    f"{self.number(1)}, {self.number(1)})",
        ])()

    def hook(self):
        body = "\n  ".join(self.statement()
                           for _ in range(self.rng.randrange(1, 6)))
        return ("function(tag, ts, r)\n  local x, y, n, s = nil, nil, 3, 's'\n"
                f"  {body}\n  return 2, ts, r, x, y, n, s\nend")


def as_lua(value):
    """The value as a table constructor of Lua."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{quoted_utf8(k)}]={as_lua(v)}"
                              for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(as_lua, value)) + "}"
    if isinstance(value, str):
        return quoted_utf8(value)
    return "nil" if value is None else json.dumps(value)


def quoted_utf8(text):
    return quoted(text.encode().decode("latin-1"))
