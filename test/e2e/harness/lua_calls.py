# SPDX-License-Identifier: Apache-2.0
"""Generates calls of Lua 5.1's library, as text of Lua.

A call is a name and its arguments.  Most arguments fit the function; some are
missing, too many, or of another type."""

NUMBERS = ["0", "1", "2", "3", "5", "7", "10", "-1", "-2", "-3", "16", "255",
           "0.5", "1.5", "2.5", "-0.5", "-1.5", "2.999", "1e3", "0.1", "1/3",
           "0.57*100", "1.005*1000", "10/2", "-7/2", "100", "1234567",
           "12345.678", "1e-5", "1e14-1", "123456789.125", "1e15/1e3",
           "2^31", "2^31-1", "-2^31", "2^32", "2^53", "1e15", "1e16", "1e100",
           "-1e300", "2^63", "1/0", "-1/0", "0/0", "1795219198",
           "1795219198.25", "100000000000.125", "0x10", "5e-324"]
SMALL = ["0", "1", "2", "3", "4", "5", "6", "8", "-1", "-2", "-3", "-5", "1.5",
         "2.9", "10", "20", "100"]
NUMERIC_TEXTS = ["10", "0x10", "1e2", " 7 ", "-3.5", ".5", "5.", "0x", "1e",
                 "010", "1 2", "", "inf", "-inf", "nan", "0b11", "0x.8p1",
                 "ff", "-ff", "zz", "7f", "1_0", "9007199254740993",
                 "99999999999999", "1.0", "0x1p4"]
WORDS = ["a", "b", "abc", "aaa", "ab", " ", "", "hello world", "a-b-c",
         "key=value", "x=1, y=2", "/a/b/index.html", "GET / HTTP/1.1",
         "10.0.0.1", "%d", "%", "%%", "a.b", "(x)", "[y]", "f(a(b)c)d",
         "THE (quick) fox", "a\0b", "\0", "\n", "tab\there", "\r\n", "\xff\xfe",
         "\x7f", "\"quoted\"", "back\\slash", "1,2,,3", "aXbXc", "0123456789",
         "ÄÖ", "^", "$", "]", "-"]
FLAGS = ["", "", "", "-", "+", " ", "#", "0", "-0", "+ ", "0+"]
FORMAT_LETTERS = "dddiuxXocsssqeEfgGaA"
DATES = ["%Y-%m%d", "%H:%M:%S", "%c", "%x", "%X", "%p", "%A %B", "%a %b",
         "%d", "%j", "%y", "%w", "%%", "", "%F %T", "%s", "%k", "%Z", "*t",
         "plain"]
FUNCTIONS = ["upper", "len", "tostring", "same", "nothing", "no", "yes",
             "half", "fails", "joined"]


def quoted(text):
    """The text as a Lua literal."""
    return '"' + "".join(
        chr(b) if chr(b).isalnum() and b < 128 or chr(b) in " .,:=/()[]-+*?"
        else f"\\{b:03d}" for b in text.encode("latin-1", "replace")) + '"'


class Maker:
    """Makes arguments; `rng` is its random generator."""

    def __init__(self, rng):
        self.rng = rng

    def one_of(self, *makers):
        return self.rng.choice(makers)()

    def number(self):
        if self.rng.random() < 0.2:
            return str(round(self.rng.uniform(-1000, 1000), 3))
        return self.rng.choice(NUMBERS)

    def small(self):
        return self.rng.choice(SMALL)

    def numeric_text(self):
        return quoted(self.rng.choice(NUMERIC_TEXTS))

    def raw_text(self):
        return "".join(self.rng.choice(WORDS)
                       for _ in range(self.rng.choice((1, 1, 1, 2, 3))))

    def text(self):
        if self.rng.random() < 0.1:
            return self.one_of(self.number, self.numeric_text)
        return quoted(self.raw_text())

    def item_of_pattern(self):
        rng = self.rng
        single = rng.choice(["a", "b", ".", "%a", "%d", "%w", "%s", "%p", "%S",
                             "%W", "%z", "%x", "%u", "%c", "[abc]", "[^abc]",
                             "[%w_]", "[a-c]", "[^%s]", "[]a]", "[%]-]", "%.",
                             "%%", "/", "-", "=", ",", " ", "x"])
        return single + rng.choice(["", "", "", "*", "+", "-", "?"])

    def raw_pattern(self):
        rng, parts = self.rng, []
        if rng.random() < 0.15:
            parts.append("^")
        for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4))):
            kind = rng.random()
            item = self.item_of_pattern()
            if kind < 0.2:
                item = "(" + item + ")"
            elif kind < 0.25:
                item = "()"
            elif kind < 0.28:
                item = rng.choice(["%b()", "%b[]", "%f[%w]", "%f[^%w]", "%1",
                                   "%f[%z]"])
            elif kind < 0.30:
                item = rng.choice(["(", ")", "[", "%", "[^", "%b", "%f", "%2",
                                   "[a-", "*", "%bx"])
            parts.append(item)
        if rng.random() < 0.15:
            parts.append("$")
        return "".join(parts)

    def pattern(self):
        return quoted(self.raw_pattern())

    def format(self):
        rng, parts = self.rng, []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            if rng.random() < 0.3:
                parts.append(self.raw_text().replace("%", ""))
            width = rng.choice(["", "", "", "5", "10", "1", "20"])
            precision = rng.choice(["", "", "", ".0", ".1", ".2", ".3", ".14",
                                    ".", ".10"])
            letter = rng.choice(FORMAT_LETTERS)
            parts.append("%" + rng.choice(FLAGS) + width + precision + letter)
        if rng.random() < 0.05:
            parts.append(rng.choice(["%", "%y", "%5%", "%100d", "%.100f",
                                     "%%"]))
        return quoted("".join(parts))

    def date(self):
        return quoted(self.rng.choice(["!", "!", ""])
                      + self.rng.choice(DATES))

    def function(self):
        return "F." + self.rng.choice(FUNCTIONS)

    def reader(self):
        """A function that does not return pieces forever."""
        return "F." + self.rng.choice(["same", "nothing", "yes", "fails"])

    def order(self):
        return self.rng.choice(["F.less", "F.more", "F.less", "F.no"])

    def scalar(self):
        return self.one_of(self.number, self.text, self.small,
                           lambda: self.rng.choice(["true", "false"]))

    def array(self):
        maker = self.rng.choice([self.small, self.number, self.text,
                                 self.text, self.scalar])
        count = self.rng.choice((0, 1, 2, 3, 4, 5, 8, 12, 30))
        return "T{" + ",".join(maker() for _ in range(count)) + "}"

    def sortable(self):
        maker = self.rng.choice([self.small, lambda: quoted(self.raw_text())])
        count = self.rng.choice((0, 1, 2, 3, 5, 10, 40, 150))
        return "T{" + ",".join(maker() for _ in range(count)) + "}"

    def map(self):
        keys = {self.one_of(lambda: quoted(self.raw_text()), self.small)
                for _ in range(self.rng.choice((0, 1, 2, 3)))}
        return "T{" + ",".join(f"[{key}]={self.scalar()}"
                               for key in sorted(keys)) + "}"

    def field(self):
        """A map with one field: the order of several is not defined."""
        return f"T{{[{self.small()}]={self.scalar()}}}"

    def replacement(self):
        return self.one_of(
            self.text, self.function, self.map, self.small,
            lambda: quoted(self.rng.choice(["%0", "<%1>", "%2%1", "%%", "%",
                                            "%x", "%9", "[%0%0]", "-"])))

    def object(self):
        return f"M({quoted(self.raw_text())})"

    def any(self):
        return self.one_of(self.scalar, self.scalar, self.array, self.map,
                           self.function, self.object, lambda: "nil")

    def other(self):
        """Any type, but no number that could mean a very long loop."""
        return self.one_of(self.small, lambda: quoted(self.raw_text()),
                           self.array, self.map, self.function, self.object,
                           lambda: "nil", lambda: "true")

    def bound(self):
        return quoted(self.rng.choice(["1", "3", " 5 ", "0x4", "2.5", "x"]))

    def locale(self):
        return self.rng.choice(["nil", '"C"', '"none_such"'])

    def base(self):
        return self.rng.choice(["10", "16", "2", "8", "36", "10.5", "3", "1",
                                "37", "nil", "'16'"])

    def count(self):
        return self.rng.choice(["0", "1", "2", "3", "-1", "2.9", "10", "'2'"])

    def option(self):
        return quoted(self.rng.choice(["collect", "step", "xx", "setpause"]))

    def code(self):
        return quoted(self.rng.choice([
            "return 1", "return ...", "x =", "return 10/2 .. 'x'", "",
            "local a = 'b' return a .. 1.0", "error('x')", "return {1,2}"]))

    def fields_of_time(self):
        rng = self.rng
        fields = [f"{name}={rng.choice(values)}" for name, values in (
            ("year", ["2026", "'1999'", "2020.5"]), ("month", ["1", "12", "3"]),
            ("day", ["1", "31", "15.9"]), ("hour", ["0", "12", "25"]),
            ("min", ["0", "59", "75"]), ("sec", ["0", "59.5"]))
            if rng.random() < 0.9]
        return "{" + ",".join(fields) + "}"

    def command(self):
        return quoted(self.rng.choice(["exit 3", "true", "false", "exit 0"]))

    def own(self):
        """A function that returns a global variable."""
        return "function() return a end"

    def closure(self):
        """A function of one parameter and one upvalue."""
        return "(function(u) return function(v) return v, u end end)(7)"

    def object_of_file(self):
        return "io.tmpfile()"

    def module_name(self):
        return quoted("generated_" + self.rng.choice("abc"))

    def fields_of_info(self):
        return quoted(self.rng.choice(["S", "l", "nS", "u", "f", "L"]))

    def missing_file(self):
        return quoted("/nonexistent/" + self.rng.choice("abc"))

    def mode(self):
        return quoted(self.rng.choice(["r", "rb", "r+", "rt", "zz", ""]))


# Name: the makers of its arguments; after "?" come optional ones.
SIGNATURES = {
    "assert": "any ? any", "error": "any ? small", "getmetatable": "any",
    "ipairs": "any", "pairs": "any", "loadstring": "code ? text",
    "load": "reader", "next": "field", "pcall": "function ? any any",
    "xpcall": "function function ? any", "rawequal": "any any",
    "rawget": "map any", "rawset": "map any any", "select": "count ? any any",
    "setmetatable": "any any", "tonumber": "any ? base", "tostring": "any",
    "type": "any", "unpack": "array ? small small", "getfenv": "function",
    "collectgarbage": "option", "loadfile": "missing_file",
    "dofile": "missing_file", "require": "missing_file",
    "coroutine.create": "function", "coroutine.wrap": "function",
    "coroutine.running": "", "coroutine.status": "any",
    "coroutine.yield": "any", "coroutine.resume": "any",
    "io.type": "any", "io.open": "missing_file ? mode",
    "io.lines": "missing_file",
    "math.abs": "number", "math.acos": "number", "math.asin": "number",
    "math.atan": "number", "math.atan2": "number number",
    "math.ceil": "number", "math.cos": "number", "math.cosh": "number",
    "math.deg": "number", "math.exp": "number", "math.floor": "number",
    "math.fmod": "number number", "math.frexp": "number",
    "math.ldexp": "number small", "math.log": "number ? number",
    "math.log10": "number", "math.max": "number ? number numeric_text",
    "math.min": "number ? number numeric_text", "math.modf": "number",
    "math.pow": "number number", "math.rad": "number", "math.sin": "number",
    "math.sinh": "number", "math.sqrt": "number", "math.tan": "number",
    "math.tanh": "number",
    "os.date": "date number", "os.difftime": "number ? number",
    "os.execute": "? command", "os.getenv": "text", "os.remove":
    "missing_file", "os.rename": "missing_file missing_file",
    "os.setlocale": "? locale", "os.time": "fields_of_time",
    "string.byte": "text ? small small", "string.char": "? small small small",
    "string.dump": "function", "string.find": "text pattern ? small any",
    "string.format": "format ? scalar any number scalar",
    "string.gmatch": "text pattern",
    "string.gsub": "text pattern replacement ? count",
    "string.len": "text", "string.lower": "text",
    "string.match": "text pattern ? small", "string.rep": "text count ? text",
    "string.reverse": "text", "string.sub": "text ? small small",
    "string.upper": "text",
    "table.concat": "array ? text small small",
    "table.foreach": "array function", "table.foreachi": "array function",
    "table.getn": "array", "table.insert": "array any",
    "table.maxn": "map", "table.move": "array small small small ? array",
    "table.remove": "array ? small", "table.sort": "sortable ? order",
    "bit.tobit": "number", "bit.tohex": "number ? small", "bit.bnot": "number",
    "bit.band": "number ? number number", "bit.bor": "number ? number",
    "bit.bxor": "number number", "bit.lshift": "number small",
    "bit.rshift": "number small", "bit.arshift": "number small",
    "bit.rol": "number small", "bit.ror": "number small",
    "bit.bswap": "number",
    "gcinfo": "", "print": "? any any", "math.random": "? small small",
    "math.randomseed": "number", "os.clock": "", "os.tmpname": "",
    "io.tmpfile": "", "io.popen": "command", "io.input": "", "io.output": "",
    "io.flush": "", "io.close": "object_of_file", "setfenv": "own map",
    "module": "module_name", "debug.traceback": "? text",
    "debug.getinfo": "function ? fields_of_info",
    "debug.getmetatable": "other", "debug.setmetatable": "map map",
    "debug.getregistry": "", "debug.getupvalue": "closure small",
    "debug.setupvalue": "closure small scalar",
    "debug.getlocal": "closure small", "debug.sethook": "",
    "insert_at": "array small any",
}
# What is compared where the results themselves cannot be: what a call does, or
# only what type its result has.
COMPARED = dict.fromkeys(
    ["getmetatable", "getfenv", "gcinfo", "math.random", "os.clock", "io.flush",
     "io.close", "debug.traceback", "debug.getinfo", "debug.getmetatable",
     "debug.getregistry"], "type({})")
COMPARED |= dict.fromkeys(["io.tmpfile", "io.input", "io.output"],
                          "io.type({})")
COMPARED |= {
    "os.tmpname": "os.remove({})", "io.popen": "{}:read('*a')",
    "setfenv": "type({}())", "module": "(function() {} return _NAME end)()",
}
# The functions that hooks use most are generated most.
WEIGHTS = {"string.format": 12, "string.gsub": 10, "string.find": 6,
           "string.match": 6, "string.gmatch": 5, "tonumber": 5, "tostring": 4,
           "table.concat": 4, "table.sort": 3, "string.sub": 3, "expression":
           14, "loop": 3, "os.date": 3}
OPERATORS = ["+", "-", "*", "/", "%", "^", "..", "..", "..", "==", "<", "<=",
             "~=", "and", "or"]


def arguments(make, signature):
    """The arguments of one call."""
    required, _, optional = signature.partition("?")
    names = required.split()
    for name in optional.split():
        if make.rng.random() < 0.4:
            break
        names.append(name)
    # Others could run a random command, or read pieces forever.
    fixed = {"object_of_file", "module_name", "own", "closure", "date",
             "fields_of_time", "locale", "reader", "command", "code"}
    is_strange = not fixed & set(names)
    if make.rng.random() < 0.03 and names and is_strange:
        names.pop()
    made = [getattr(make, name)() for name in names]
    if made and make.rng.random() < 0.04 and is_strange:
        made[make.rng.randrange(len(made))] = make.other()
    return made


def expression(make, depth=0):
    """Operators on numbers and texts."""
    if depth > 2 or make.rng.random() < 0.25:
        return make.one_of(make.number, make.small, make.text, make.number,
                           make.object if depth else make.numeric_text)
    operator = make.rng.choice(OPERATORS)
    a, b = (expression(make, depth + 1) for _ in range(2))
    return f"({a} {operator} {b})"


def loop(make):
    first, last = make.small(), make.one_of(make.small, make.bound)
    step = make.rng.choice(["", ", 1", ", 0.5", ", -1", ", 2"])
    return ("(function() local s = '' "
            f"for i = {first}, {last}{step} do s = s .. i .. ',' end "
            "return s end)()")


def call(make):
    """The name of a function, and a call of it as an expression."""
    names = [*SIGNATURES, "expression", "loop"]
    name = make.rng.choices(
        names, [WEIGHTS.get(name, 1) for name in names])[0]
    if name == "expression":
        return name, expression(make)
    if name == "loop":
        return name, loop(make)
    made = ", ".join(arguments(make, SIGNATURES[name]))
    if name == "insert_at":
        return "table.insert", f"table.insert({made})"
    if name == "string.gmatch":
        return name, ("(function(f) local t = {} for i = 1, 20 do "
                      "local a, b, c = f() if a == nil then break end "
                      "t[#t+1] = {a, b, c} end return t end)"
                      f"(string.gmatch({made}))")
    return name, COMPARED.get(name, "{}").format(f"{name}({made})")
