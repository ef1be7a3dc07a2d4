#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that a table cell of a document holds at most 15 words, so that a
table stays a table.  Longer explanations belong below it.

Blanks and <br> separate words, and code in backquotes counts as one word.

document_rules.py prints the findings in the tree of the working directory.
"""
import pathlib
import re

WORDS = 15
DOCUMENTS = ("README.md", "conf/*.md", "src/README.md", "deploy/*.md")
BLOCK = re.compile(r"^ *(`{3,}).*?^ *\1 *$", re.S | re.M)
CODE = re.compile(r"(?<![\\`])(`+)(?!`).*?(?<!`)\1(?!`)")


def rows(text):
    """Yields (line number, cells) of each row of a table outside a block."""
    text = BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("|"):
            yield number, re.split(r"(?<!\\)\|", line)[1:]


def words(cell):
    return len(CODE.sub("code", cell).replace("<br>", " ").split())


def main():
    for path in sorted({path for pattern in DOCUMENTS
                        for path in pathlib.Path().glob(pattern)}):
        for number, cells in rows(path.read_text(encoding="utf-8")):
            for cell in cells:
                if words(cell) > WORDS:
                    print(f"{path}:{number}: a table cell of {words(cell)} "
                          f"words, at most {WORDS}: {cell.strip()}")


if __name__ == "__main__":
    main()
