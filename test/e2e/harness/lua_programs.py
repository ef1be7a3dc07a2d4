# SPDX-License-Identifier: Apache-2.0
"""Generates programs in Lua 5.1 that use `..` wherever an expression may be.

A program is a list of tokens.  Random blanks and comments separate them.  In
the templates below, "(C" is the parenthesis of a call: no line may end before
it, because LuaJIT then refuses the program."""

TEXTS = ["'a'", '"b..c"', "[[ d..e ]]", "[==[ ]]..'f' ]==]", r"'\'..\\'",
         r'"\"..g\n"', "'--h'", '"[["', "'\\\n'", "''", "[[\n]]", r"'\0..'"]
NUMBERS = ["1", "2", "3", "7", "10", "1.5", ".5", "3.", "0x10", "1e3", "100",
           "2.5e-1", "12345.678"]
BLANKS = [" ", " ", " ", "  ", "\t", " --[[ .. ]] ", " --[==[ ]] .. \n ]==] ",
          "\n", " -- .. ' [[ \n", " --[ .. \n", "\r\n", " --\n"]
# The names of these values are used below.  L receives the results.
START = ("local L, s, u, n, m = T{}, 'S', 'U', 4, 2.5 "
         "local o = M('O') "
         "local t = {k = 'K', n = 6, sub = {k = 'J'}} "
         "local function f(...) return ... end "
         "local function g(x) return type(x) == 'table' and #x or x, 'two' end "
         "function t.f(x) return x, 'more' end "
         "function t:m(x) return self.k .. (x or '') end "
         "local function cut(x) return tostring(x):sub(1, 20) end "
         "local function put(x) L[#L + 1] = x return t end ")


def needs_blank(a, b):
    """Whether these tokens would become others without a blank."""
    return ((a[-1].isalnum() or a[-1] in "_.") and (b[0].isalnum()
                                                    or b[0] in "_.")
            or a[-1] in "-[" and b[0] in "-[")


class ProgramMaker:
    def __init__(self, rng):
        self.rng = rng

    def tokens(self, *parts):
        """The tokens of templates and of lists of tokens."""
        found = []
        for part in parts:
            found += part.split() if isinstance(part, str) else part
        return found

    def join(self, tokens):
        """The text of the program."""
        text, last = "", ";"
        for token in tokens:
            if token == last == ";":
                continue  # an error in Lua 5.1
            blank = ""
            if needs_blank(last, token) or self.rng.random() < 0.4:
                blank = self.rng.choice(BLANKS)
            if token == "(C":
                token, blank = "(", " " if "\n" in blank else blank
            text += blank + token
            last = token
        return text

    def list(self, make, least, most, separator=","):
        found = []
        for i in range(self.rng.randint(least, most)):
            found += ([separator] if i else []) + make()
        return found

    def literal(self):
        return [self.rng.choice(TEXTS)]

    def text(self, depth):
        """An expression that usually is a text, with high precedence."""
        rng, k = self.rng, self.tokens
        if depth <= 0 or rng.random() < 0.2:
            return rng.choice([
                self.literal(), ["s"], ["u"], k("t . k"), k("t [ 'k' ]"),
                k("t . sub . k"), k("t : m (C )"), ["o"]])
        d = depth - 1
        return rng.choice([
            lambda: k("(", self.any(d), ")"),
            lambda: k("(", self.condition(d), "and", self.any(d), "or",
                      self.any(d), ")"),
            lambda: k("(", self.concat(d), ") : upper (C )"),
            lambda: k("(", self.literal(), ") : rep (C 2 )"),
            lambda: k("f", self.literal()),
            lambda: k("t . f", self.literal()),
            lambda: k("t : m", self.literal()),
            lambda: k("g {", self.fields(d), "}"),
            lambda: k("f (C", self.any(d), ",", self.any(d), ")"),
            lambda: k("t . f (C", self.any(d), ")"),
            lambda: k("t : m (C", self.concat(d), ")"),
            lambda: k("( t [", self.concat(d), "] or 'k' )"),
            lambda: k("( ( {", self.fields(d), "} ) [ 1 ] or 'N' )"),
            lambda: k("( ( {", self.fields(d), "} ) . k or 'N' )"),
            lambda: k("tostring (C", self.any(d), ")"),
            lambda: k("(", self.function(d), ") (C", self.any(d), ")"),
            lambda: k("o (C", self.concat(d), ")"),
            lambda: k("( f (C", self.any(d), ") )"),
            lambda: k("string . format (C '%s|%s' ,", self.any(d), ",",
                      self.any(d), ")"),
        ])()

    def number(self, depth):
        """An expression that usually is a number, and binds tighter than
        `..`."""
        rng, k = self.rng, self.tokens
        if depth <= 0 or rng.random() < 0.3:
            return rng.choice([[rng.choice(NUMBERS)], ["n"], ["m"],
                               k("t . n"), k("# 'a..'"), k("# t")])
        d = depth - 1
        # None makes -0, which is 0 for integers of Lua 5.4.
        return rng.choice([
            lambda: k(self.number(d), rng.choice("+-"), self.number(d)),
            lambda: k(self.number(d), "*", [rng.choice(NUMBERS)]),
            lambda: k(self.number(d), "/", [rng.choice(NUMBERS)]),
            lambda: k("n %", [rng.choice(NUMBERS)]),
            lambda: k([rng.choice(NUMBERS)], "^", rng.choice(["2", "- 1"])),
            lambda: k("-", [rng.choice(NUMBERS)]),
            lambda: k("# (", self.text(d), ".. '' )"),
            lambda: k("# {", self.fields(d), "}"),
            lambda: k("(", self.number(d), ")"),
            lambda: k("( tonumber (C", self.concat(d), ") or 5 )"),
            lambda: k("select (C '#' ,", self.any(d), ", f (C ) )"),
        ])()

    def operand(self, depth):
        return (self.number(depth) if self.rng.random() < 0.35
                else self.function(depth) if self.rng.random() < 0.002
                else self.tokens("not", self.text(depth))
                if self.rng.random() < 0.002
                else self.text(depth))

    def concat(self, depth):
        return self.list(lambda: self.operand(depth - 1), 2,
                         self.rng.choice((2, 3, 5)), "..")

    def condition(self, depth):
        d, k = depth - 1, self.tokens
        return self.rng.choice([
            lambda: k(self.concat(d), self.rng.choice(["==", "~="]),
                      self.concat(d)),
            lambda: k(self.literal(), "..", self.number(d),
                      self.rng.choice(["<", "<=", ">", ">="]),
                      self.literal(), "..", self.number(d)),
            lambda: k("not (", self.any(d), ")"),
            lambda: k("not not", self.text(d)),
            lambda: k(self.concat(d), "and", self.any(d)),
            lambda: k("nil or", self.concat(d)),
            lambda: ["true"], lambda: ["nil"], lambda: ["false"],
        ])()

    def any(self, depth):
        return self.rng.choice([self.concat, self.concat, self.concat,
                                self.text, self.number])(depth)

    def fields(self, depth):
        d, k = depth - 1, self.tokens
        names = iter("kbc")  # of a name given twice, either value may remain
        made = self.list(lambda: self.rng.choice([
            lambda: self.any(d),
            lambda: k(next(names), "=", self.any(d)),
            lambda: k("[", self.concat(d), "] =", self.any(d)),
            lambda: k("a =", self.function(d)),
        ])(), 0, 3, self.rng.choice([",", ";"]))
        return made + ([","] if made and self.rng.random() < 0.3 else [])

    def function(self, depth):
        d = depth - 1
        return self.tokens("function (", self.rng.choice(["...", "x", "x , y"]),
                           ")", self.block(d), self.returned(d), "end")

    def returned(self, depth):
        values = self.list(lambda: self.any(depth), 1, 2)
        return self.tokens("return", values, self.rng.choice(["", ";"]))

    def put(self, depth):
        return self.tokens("put (C", self.any(depth), ")")

    def statement(self, depth):
        rng, k, d = self.rng, self.tokens, depth - 1
        name = rng.choice(["s", "u", "local a", "local s", "t . k",
                           "t . sub . k", "t [ 'x' .. n ]", "put (C s ) . k"])
        # The results stay short.
        cut = ("s , u , t . k , t . sub . k = cut (C s ) , cut (C u ) , "
               "cut (C t . k ) , cut (C t . sub . k )")
        if depth <= 0:
            return rng.choice([lambda: self.put(d),
                               lambda: k(name, "=", self.concat(d), cut)])()
        return rng.choice([
            lambda: self.put(d),
            lambda: k(name, "=", self.any(d), cut),
            lambda: k("L [ # L + 1 ] =", self.any(d)),
            lambda: k("t [", self.concat(d), "] =", self.any(d)),
            lambda: k("s , u =", self.any(d), ",", self.any(d), cut),
            lambda: k("local a , b =", self.any(d), "put (C a ) put (C b )"),
            lambda: k("put (C s .. u ) : m (C", self.any(d), ")"),
            lambda: k("; ( put ) (C", self.any(d), ")"),
            lambda: k("; (", self.function(d), ") (C", self.any(d), ")"),
            lambda: k("put", self.literal()),
            lambda: k("if", self.condition(d), "then", self.block(d),
                      "elseif", self.condition(d), "then", self.block(d),
                      "else", self.block(d), "end"),
            # Nested loops must end soon.
            lambda: k("for i = math.max (C 0 ,", self.number(1), ")",
                      self.rng.choice([", 3", ", '3'", ", 7 / 2 , 1.5"]),
                      "do put (C i ..",
                      self.concat(d), ") ;", self.block(d), "end"),
            lambda: k("for k , v in pairs { k =", self.any(d), "} do put (C k"
                      " .. '=' .. tostring (C v ) )", "end"),
            lambda: k("while", self.condition(d), "do", self.block(d),
                      "break end"),
            lambda: k("repeat local r =", self.concat(d), ";",
                      self.block(d),
                      "until true or r ==", self.concat(d)),
            lambda: k("do", self.block(d), "end"),
            lambda: k("local function h ( ... )", self.block(d),
                      "return ... ..", self.concat(d), "end put (C h (C",
                      self.any(d), ") )"),
            lambda: k("function t . g ( x )", self.block(d),
                      self.returned(d), "end put (C t . g (C n ) )"),
            lambda: k("local h =", self.function(d), "put (C h (C",
                      self.any(d), ") )"),
            lambda: k("local h = o ..", self.function(d), "put (C h )"),
            lambda: k("put (C pcall (C", self.function(d), ") )"),
        ])()

    def block(self, depth):
        # A statement without effect: a block must not start with ";".
        made = ["n", "=", "n"]
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            made += self.statement(depth)
            made += self.rng.choice([[], [], [";"]])
        return made

    def program(self):
        """The text of a function that returns its results."""
        made = self.block(4) + [";"] + self.block(4) + self.returned(3)
        return f"(function(...) {START}{self.join(made)}\nend)('v')"
