# SPDX-License-Identifier: Apache-2.0
"""The differences between LuaJIT's library and sluiced's.  Each has a row in
conf/compat.md, whose first column is its name here."""
import re

from .config import CONF

LARGE = 1e14  # LuaJIT prints such numbers with an exponent
NUMBER = re.compile(r"-?(?:\d+\.?\d*(?:e[+-]\d+)?|inf|nan)")


def _numbers(line):
    return [float(n) for n in NUMBER.findall(line)]


ZERO_WITH_SIGN = re.compile(r"(?<![\w.+-])-0(?![\w.])")


def _is_zero_with_sign(name, text, wanted, got):
    return ZERO_WITH_SIGN.sub("0", wanted) == ZERO_WITH_SIGN.sub("0", got)


def _is_large_integer(name, text, wanted, got):
    """The lines differ only in large numbers: sluiced prints more digits.  So
    keys can be in another order."""
    a, b = _numbers(wanted), _numbers(got)
    if "T{" in wanted:
        a, b = sorted(a), sorted(b)
    return (sorted(NUMBER.sub("", wanted)) == sorted(NUMBER.sub("", got))
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


def _calls(name, text, function):
    """Whether the case is about this function."""
    return name == function or name == "script" and function in text


def _is_fraction_as_position(name, text, wanted, got):
    return (any(_calls(name, text, f) for f in ("table.move", "table.remove"))
            and re.search(r"\d\.[59]", text) is not None)


def _is_impossible_time(name, text, wanted, got):
    large = r"e100|e300|2\^63|2\^3|e1[56]|/0|100000000000\.125|2\^53|1e14"
    return name == "os.difftime" and re.search(large, text) is not None


def _is_unusual_text(name, text, wanted, got):
    """A text that only one of the two reads as a number."""
    if re.search(r'"(-?inf|nan|0b11)"', text):
        return name != "tonumber" and got.startswith("error")
    # 1e300 .. 1234567 has a long exponent.  Its number is infinite or 0.
    if name == "hook":
        return (re.search(r"tonumber\(.* \.\. ", text) is not None
                and re.search(r"\de-\d", wanted) is not None)
    return (name == "expression" and wanted == "error"
            and re.search(r"(e-?\d+|\^63)\)* \.\. ", text) is not None
            and re.fullmatch(r"ok (-?inf|-?0|nan|true|false)", got) is not None)


def _is_subnormal(name, text, wanted, got):
    return (_calls(name, text, "string.format") and "5e-324" in text
            and re.search("%[^%]*[aA]", text.replace("\\037", "%"))
            is not None)


def _is_address(name, text, wanted, got):
    # The address in LuaJIT may seem to have more digits: "builtin#18" .. 5.
    pattern = re.compile(r"ADDRESS\d*")
    return ("ADDRESS" in wanted and pattern.sub("", wanted).split()
            == pattern.sub("", got).split())


def _is_nil_for_optional(name, text, wanted, got):
    return (wanted.startswith("error") and got.startswith("ok")
            and name != "expression"
            and re.search(r", nil(, |\)$)", text) is not None)


def _is_table_with_holes(name, text, wanted, got):
    return (name in ("unpack", "table.concat", "table.foreachi", "table.getn",
                     "table.insert", "table.remove", "table.sort")
            and re.search(r"T\{\[|nil", text) is not None)


def _is_of_collector(name, text, wanted, got):
    """Both return a number or a truth value."""
    result = re.compile(r"ok (true|false|[\d.]+)")
    return (name == "collectgarbage" and result.fullmatch(wanted) is not None
            and result.fullmatch(got) is not None)


def _is_bytecode(name, text, wanted, got):
    return (name == "string.dump" and wanted.startswith('ok "\\027LJ')
            and got.startswith(('ok "\\027Lua', "error")))


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
    ("a fraction as a position in table.move", _is_fraction_as_position),
    ("impossible times", _is_impossible_time),
    ("results of collectgarbage", _is_of_collector),
    ("unusual texts as numbers", _is_unusual_text),
    ("%a of subnormal numbers", _is_subnormal),
    ("addresses", _is_address),
    ("math.floor and math.ceil without an argument", lambda name, text, *_:
     text in ("math.floor()", "math.ceil()")),
    ("loadfile and dofile without a name", lambda name, text, *_:
     text in ("loadfile()", "dofile()", "loadfile(nil)", "dofile(nil)")),
    ("nil for an optional argument", _is_nil_for_optional),
    ("string.dump", _is_bytecode),
    ("the length of a table with holes", _is_table_with_holes),
    ("the order of next", _is_order_of_next),
    ("metamethods of comparisons", _is_comparison),
    ("the debug library", lambda name, *_: name in (
        "debug.getinfo", "debug.getlocal", "debug.getregistry",
        "debug.getupvalue", "debug.sethook", "debug.setmetatable",
        "debug.setupvalue")),
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
