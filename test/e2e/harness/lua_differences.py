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
    # Programs append other digits to such a zero.
    zero = "-0" if name == "program" else r"-0(?![.\d])"
    return re.sub(zero, "0", wanted) == re.sub(zero, "0", got)


def _is_large_integer(name, text, wanted, got):
    """The lines differ only in large numbers: sluiced prints more digits."""
    a, b = _numbers(wanted), _numbers(got)
    return (NUMBER.sub("", wanted) == NUMBER.sub("", got)
            and len(a) == len(b)
            and all(x == y or repr(x) == repr(y) or abs(x) >= LARGE
                    and abs(x - y) <= abs(x) * 1e-13
                    for x, y in zip(a, b)))


def _is_text_of_error(name, text, wanted, got):
    """Both fail, and only the text that the error carries differs, or what
    F.len, as the handler, says of it."""
    failed = re.compile(r'ok (false|nil) ".*"(?= T|$)')
    if name == "xpcall" and not failed.match(wanted) and ", F.len" in text:
        failed = re.compile(r"ok false \d+(?= T|$)")
    return (name in ("pcall", "xpcall", "load", "loadstring")
            and failed.match(wanted) is not None
            and failed.sub("", wanted) == failed.sub("", got))


def _is_remainder(name, text, wanted, got):
    """A remainder by zero, or of a large number."""
    return (name == "expression" and " % " in text
            and (got == "error" or re.search(r"e-?\d|2\^|/0|\d{9}", text)
                 is not None))


def _is_fraction_as_position(name, text, wanted, got):
    return (name in ("table.move", "table.remove")
            and re.search(r"\d\.[59]", text) is not None)


def _is_impossible_time(name, text, wanted, got):
    large = r"e100|e300|2\^63|1e1[56]|/0|100000000000\.125|2\^53|1e14"
    if name == "os.difftime":
        return re.search(large + r"|2\^3", text) is not None
    return (name == "os.date" and got == "error"
            and re.search(large, text) is not None)


def _is_unusual_text(name, text, wanted, got):
    """A text that only one of the two reads as a number."""
    if re.search(r'"(-?inf|nan|0b11)"', text):
        return name != "tonumber" and got == "error"
    # Two numbers, concatenated, can look like a number with a long exponent.
    return (name == "expression" and wanted == "error"
            and re.search(r"e-?\d|\^| / |\* ", text) is not None
            and " .. " in text)


def _is_subnormal(name, text, wanted, got):
    return (name == "string.format" and "5e-324" in text
            and re.search("%[^%]*[aA]", text.replace("\\037", "%"))
            is not None)


def _is_address(name, text, wanted, got):
    return ("ADDRESS" in wanted and wanted.split() == got.split())


def _is_nil_for_optional(name, text, wanted, got):
    return (wanted.startswith("error") and got.startswith("ok")
            and name != "expression"
            and re.search(r", nil(, |\)$)", text) is not None)


def _is_table_with_holes(name, text, wanted, got):
    return (name.startswith(("table.", "unpack"))
            and re.search(r"T\{\[|nil", text) is not None
            or name == "hook" and "table.concat({" in text)


def _is_order_of_next(name, text, wanted, got):
    return name in ("next", "table.foreach") and text.count("=") > 1


def _is_comparison(name, text, wanted, got):
    return (name == "expression" and wanted == "error"
            and "M(" in text and "<" in text)


# The row in conf/compat.md, and whether it explains a difference.
DIFFERENCES = [
    ("the texts of errors", _is_text_of_error),
    ("zeros with a sign", _is_zero_with_sign),
    ("large integers in hooks", _is_large_integer),
    ("remainders", _is_remainder),
    ("a fraction as a position in table.move", _is_fraction_as_position),
    ("impossible times", _is_impossible_time),
    ("results of collectgarbage", lambda name, *_: name == "collectgarbage"),
    ("unusual texts as numbers", _is_unusual_text),
    ("%a of subnormal numbers", _is_subnormal),
    ("addresses", _is_address),
    ("math.floor and math.ceil without an argument", lambda name, text, *_:
     text in ("math.floor()", "math.ceil()")),
    ("loadfile and dofile without a name", lambda name, text, *_:
     text in ("loadfile()", "dofile()", "loadfile(nil)", "dofile(nil)")),
    ("nil for an optional argument", _is_nil_for_optional),
    ("string.dump", lambda name, *_: name == "string.dump"),
    ("the length of a table with holes", _is_table_with_holes),
    ("the order of next", _is_order_of_next),
    ("metamethods of comparisons", _is_comparison),
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
