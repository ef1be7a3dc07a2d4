# SPDX-License-Identifier: Apache-2.0
"""The tables of differences in conf/compat.md, compared with the cases."""
from pathlib import Path

TABLE = Path(__file__).resolve().parents[2] / "conf/compat.md"
COLUMNS = ["what", "Fluent Bit 1.8.13", "5.1.1", "sluiced", "why",
           "key that restores Fluent Bit's behaviour"]


def rows():
    """The first column of each row of each table with those columns."""
    names, is_inside = [], False
    for line in TABLE.read_text().splitlines():
        cells = [cell.strip() for cell in
                 line.replace("\\|", "\0").split("|")[1:-1]]
        if cells == COLUMNS:
            is_inside = True
        elif not cells:
            is_inside = False
        elif is_inside and set(cells[0]) != {"-"}:
            if len(cells) != len(COLUMNS):
                raise ValueError(f"{len(cells)} columns: {line}")
            names.append(cells[0])
    return names


def problems(cases):
    """What is wrong: a row that no case names, or a case that names no row."""
    named = {case.row for case in cases if case.row}
    there = rows()
    found = [f"{case.name}: there is no row {case.row!r}"
             for case in cases if case.row and case.row not in there]
    found += [f"no case names the row {row!r}" for row in there
              if row not in named]
    found += [f"two rows are called {row!r}" for row in set(there)
              if there.count(row) > 1]
    return found
