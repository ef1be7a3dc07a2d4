# SPDX-License-Identifier: Apache-2.0
"""The differences between LuaJIT's library and sluiced's.  Each has a row in
conf/compat.md, whose first column is its name here."""
import re

from .config import CONF

LARGE = 1e14  # LuaJIT prints such numbers with an exponent
NUMBER = re.compile(r"-?(?:\d+\.?\d*(?:e[+-]\d+)?|inf|nan)")


def _numbers(line):
    return [float(n) for n in NUMBER.findall(line)]


def _is_zero_with_sign(name, text, wanted, got):
    return (re.sub(r"-0(?![.\d])", "0", wanted)
            == re.sub(r"-0(?![.\d])", "0", got))


def _is_large_integer(name, text, wanted, got):
    """The lines differ only in large numbers: sluiced prints more digits."""
    a, b = sorted(_numbers(wanted)), sorted(_numbers(got))
    return (sorted(NUMBER.sub("", wanted)) == sorted(NUMBER.sub("", got))
            and len(a) == len(b)
            and all(x == y or repr(x) == repr(y) or abs(x) >= LARGE
                    and abs(x - y) <= abs(x) * 1e-13
                    for x, y in zip(a, b)))


def _is_text_of_error(name, text, wanted, got):
    if name in ("pcall", "xpcall", "load", "loadstring"):
        return (re.match("ok (false|nil) ", wanted) is not None
                and wanted.split()[:2] == got.split()[:2])
    return False


def _is_remainder(name, text, wanted, got):
    return name == "expression" and " % " in text


def _is_unusual_text(name, text, wanted, got):
    if re.search(r'"(-?inf|nan|0b11)"', text):
        return True
    # Two numbers, concatenated, can look like a number with a long exponent.
    return wanted == "error" and re.search(r"e-?\d|\^| / |\* ", text) and (
        " .. " in text)


# The row in conf/compat.md, and whether it explains a difference.
DIFFERENCES = [
    ("the texts of errors", _is_text_of_error),
    ("zeros with a sign", _is_zero_with_sign),
    ("large integers in hooks", _is_large_integer),
    ("remainders", _is_remainder),
    ("a fraction as a position in table.move", lambda name, text, *_:
     name in ("table.move", "table.remove") and ".5" in text or ".9" in text),
    ("impossible times", lambda name, *_: name in ("os.date", "os.difftime")),
    ("results of collectgarbage", lambda name, *_: name == "collectgarbage"),
    ("unusual texts as numbers", _is_unusual_text),
    ("%a of subnormal numbers", lambda name, text, *_:
     "5e-324" in text and re.search("[aA]", text) is not None),
    ("addresses", lambda name, text, wanted, got:
     "ADDRESS" in wanted and wanted.split() == got.split()),
    ("math.floor and math.ceil without an argument", lambda name, text, *_:
     text in ("math.floor()", "math.ceil()")),
    ("loadfile and dofile without a name", lambda name, text, *_:
     name in ("loadfile", "dofile")),
    ("nil for an optional argument", lambda name, text, wanted, got:
     wanted.startswith("error") and "nil" in text),
    ("string.dump", lambda name, *_: name == "string.dump"),
    ("the length of a table with holes", lambda name, text, *_:
     name.startswith(("table.", "unpack")) and "T{[" in text
     or name == "hook" and "table.concat({" in text),
    ("the order of next", lambda name, *_: name in ("next", "table.foreach")),
    ("metamethods of comparisons", lambda name, text, *_:
     "M(" in text and "<" in text),
]


def row_of(name, text, wanted, got):
    """The name of the row that explains this difference, or None."""
    for row, explains in DIFFERENCES:
        if explains(name, text, wanted, got or ""):
            return row
    return None


def missing_rows():
    """The names that have no row."""
    table = (CONF / "compat.md").read_text()
    return [row for row, _ in DIFFERENCES if f"| {row} |" not in table]
