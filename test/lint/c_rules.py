#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the rules for C sources that concern functions and declarations.

    lines        a file has at most 500 lines
    function     a function has at most 60 lines
    parameters   a function has at most 5 parameters
    columns      a line has at most 80 columns; a tab counts as 8
    tags         the tag of a struct, enum or union is defined once in src/
    uncommented  every function that a header declares has a comment above it,
                 or follows directly after a declaration that has one

test/lint/exceptions.txt lists the places that may exceed a limit, one per line:

    KIND PLACE NUMBER REASON

PLACE is a file, or FILE:FUNCTION for function and parameters, or the tag for
tags.  NUMBER is the limit in that place.  An exception that is no longer needed
is a finding, too.

c_rules.py prints the findings in the tree of the working directory.
c_rules.py --list prints everything over a limit as lines for exceptions.txt.
"""
import pathlib
import re
import sys

LIMITS = {"lines": 500, "function": 60, "parameters": 5, "columns": 80,
          "tags": 1, "uncommented": 0}
MESSAGES = {
    "lines": "{n} lines, at most {limit}",
    "function": "a function of {n} lines, at most {limit}",
    "parameters": "{n} parameters, at most {limit}",
    "columns": "{n} columns, at most {limit}",
    "tags": "a tag that is defined {n} times, at most {limit}",
    "uncommented": "{n} functions without a comment, at most {limit}",
}
EXCEPTIONS = pathlib.Path("test/lint/exceptions.txt")
NOT_CODE = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'
    | ^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*""",
    re.S | re.M | re.X)
TAG = re.compile(r"\b(struct|enum|union)\s+(\w+)\s*\{")


def blank(match):
    """Replace a comment by its newlines, and a string by an empty one, so that
    line numbers stay the same."""
    text = match[0]
    return ('""' if text[0] == '"' else "") + "\n" * text.count("\n")


def line_at(code, offset):
    return code.count("\n", 0, offset) + 1


def statements(code):
    """The declarations and definitions at file scope.

    Yields (first line, last line, text before the body, has a body)."""
    start = depth = 0
    head_end = None
    for match in re.finditer(r"[{};]", code):
        mark, at = match[0], match.start()
        if mark == "{":
            if depth == 0:
                head_end = at
            depth += 1
            continue
        if mark == "}":
            depth -= 1
            head = code[start:head_end] if head_end is not None else ""
            # The body of a struct or an initializer ends with the semicolon.
            if depth != 0 or not re.search(r"\)[\s\w()]*$", head):
                continue
        if depth != 0:
            continue
        text = code[start:head_end if head_end is not None else at]
        lead = len(text) - len(text.lstrip())
        if text.strip():
            yield (line_at(code, start + lead), line_at(code, at),
                   text.strip(), head_end is not None)
        start, head_end = match.end(), None


def declarator(text):
    """(name, number of parameters) of a function, or None."""
    if text.startswith("typedef") or "=" in text:
        return None
    text = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", text, flags=re.S)
    found = re.search(r"(\w+)\s*\(", text)
    if found is None or found[1] in ("static_assert", "_Static_assert"):
        return None
    depth = count = 0
    begin = found.end()
    for at in range(begin, len(text)):
        if text[at] == "(":
            depth += 1
        elif text[at] == ")":
            if depth == 0:
                inside = text[begin:at].strip()
                return found[1], 0 if inside in ("", "void") else count + 1
            depth -= 1
        elif text[at] == "," and depth == 0:
            count += 1
    return None


class Source:
    def __init__(self, path):
        self.path = path
        self.text = pathlib.Path(path).read_text(encoding="utf-8")
        self.lines = self.text.splitlines()
        self.code = NOT_CODE.sub(blank, self.text)

    def sizes(self):
        """Yields (kind, place, number, line) of everything with a limit."""
        yield "lines", self.path, len(self.lines), len(self.lines)
        widths = [len(line.expandtabs(8)) for line in self.lines]
        widest = max(widths, default=0)
        if widest > 0:
            yield "columns", self.path, widest, widths.index(widest) + 1
        for first, last, text, has_body in statements(self.code):
            function = declarator(text) if has_body else None
            if function is not None:
                place = f"{self.path}:{function[0]}"
                yield "function", place, last - first + 1, first
                yield "parameters", place, function[1], first
        if self.path.endswith(".h"):
            missing = list(self.uncommented())
            if missing:
                yield "uncommented", self.path, len(missing), missing[0]

    def uncommented(self):
        """Yield the lines of the function declarations without a comment."""
        explained = 0  # the last line of a declaration that has a comment
        for first, last, text, _ in statements(self.code):
            above = self.lines[first - 2].rstrip() if first > 1 else ""
            if above.endswith("*/") or explained == first - 1:
                explained = last
            elif re.match(r"[A-Z_]+\(X\)", text.strip()):
                continue  # an X-macro list
            elif declarator(text) is not None:
                yield first

    def tags(self):
        for match in TAG.finditer(self.code):
            yield match[2], line_at(self.code, match.start())


def all_sizes(sources):
    """Yields (kind, place, number, start of the finding)."""
    tags = {}
    for source in sources:
        for kind, place, number, line in source.sizes():
            yield kind, place, number, f"{place}:{line}"
        for tag, line in source.tags():
            tags.setdefault(tag, []).append(f"{source.path}:{line}")
    for tag, places in tags.items():
        yield "tags", tag, len(places), " ".join(places + [tag])


def read_exceptions():
    """{(kind, place): (line, number)}, and the findings in the file itself."""
    exceptions, findings = {}, []
    text = EXCEPTIONS.read_text() if EXCEPTIONS.exists() else ""
    for n, line in enumerate(text.splitlines(), 1):
        words = line.split(None, 3)
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 4 or words[0] not in LIMITS or not words[2].isdigit():
            findings.append(f"{EXCEPTIONS}:{n}: not KIND PLACE NUMBER REASON")
            continue
        exceptions[words[0], words[1]] = n, int(words[2])
    return exceptions, findings


def check(sources):
    exceptions, findings = read_exceptions()
    needed = set()
    for kind, place, number, where in all_sizes(sources):
        if number <= LIMITS[kind]:
            continue
        needed.add((kind, place))
        _, allowed = exceptions.get((kind, place), (0, LIMITS[kind]))
        if number > allowed:
            message = MESSAGES[kind].format(n=number, limit=allowed)
            findings.append(f"{where}: {message}")
    for key, (n, _) in exceptions.items():
        if key not in needed:
            findings.append(f"{EXCEPTIONS}:{n}: the exception for "
                            f"{' '.join(key)} is no longer needed")
    return findings


def main():
    sources = [Source(str(path))
               for path in sorted(pathlib.Path("src").rglob("*.[ch]"))]
    if sys.argv[1:] == ["--list"]:
        for kind, place, number, _ in all_sizes(sources):
            if number > LIMITS[kind]:
                print(kind, place, number, "REASON")
    else:
        for finding in check(sources):
            print(finding)


if __name__ == "__main__":
    main()
