#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes conf/mistakes.md: runs each mistake of cases/mistakes.yaml and shows
what Fluent Bit and sluiced report.

    SLUICED=build/sluiced test/compat/mistakes.py FLUENT_BIT... > conf/mistakes.md
"""
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import case as cases  # noqa: E402
from program import FluentBit, Run, Sluiced, Stuck  # noqa: E402

HERE = Path(__file__).resolve().parent
JOBS = 4
TRIES = 3
GOOD = {"out/x": b"line\n"}
# Lines of a normal start, and lines that only repeat an error.
USUAL = re.compile(
    r"\[ ?(info|help|debug)\]|level=info|Fluent Bit v|Copyright|CNCF|https?://"
    r"|^\* |^\s*$|__|caught signal|service will shutdown|backend failed"
    r"|[Ff]ailed initialize|initialization failed|yaml error"
    r"|contains errors, aborting|Grace is over|the journal is on a disk")
STAMP = re.compile(
    r"^\[\d{4}/\S+ [\d:.]+\] |^\S+Z |^sluiced: |\x1b\[[0-9;]*m")
SOURCE = re.compile(r"\[\S+:\d+ (errno=\d+)\]")
INTRO = """\
# Mistakes in the configuration, and how each program reports them

`test/compat/mistakes.py` writes this table. It runs each mistake of
`test/compat/cases/mistakes.yaml` with {programs}. The
first column shows the mistake and the lines that differ from the correct
configuration. With the correct one, each program writes `line` to a file. "-"
means that the program reports nothing. Fluent Bit 1.8.13 does not support YAML.
"""


def changed_lines(case, right):
    """The lines of the case that no correct configuration contains."""
    texts = [cases.joined(case.raw["conf"]),
             *case.raw.get("extra", {}).values()]
    return [line.strip() for text in texts for line in text.splitlines()
            if line not in right and line.strip()]


def reported(result, place):
    lines = []
    for line in result.stderr.splitlines():
        if not USUAL.search(line):
            line = STAMP.sub("", line).replace(f"{place}/", "")
            line = SOURCE.sub(r"\1", line)
            lines.append(re.sub(r"level=(\w+) mod=\w+ ", r"\1: ", line).strip())
    return lines


def ran(program, case):
    """The result, and the lines of the log.  Fluent Bit 1.8 sometimes loses its
    last lines, so a program that fails runs several times."""
    mine = cases.Case(case.path, case.as_for(program.name))
    best = None
    for _ in range(TRIES):
        run = Run(program, mine)
        result = run.result()
        lines = reported(result, run.dir)
        if best is None or len(lines) > len(best[1]):
            best = result, lines
        if result.exit == 0:
            break
    return best


def outcome(program, case):
    """One cell: how the program ended, what it did with the line, and what it
    reported."""
    try:
        result, lines = ran(program, case)
    except (Stuck, OSError):
        return "does not run"
    if result.exit < 0:
        what = "**crashes**"
    elif result.exit > 0:
        what = f"exit {result.exit}"
    elif result.files == GOOD or "send" not in case.raw:
        what = "works"
    elif not result.files:
        what = "**the line is lost**"
    else:
        wrong = b"".join(result.files.values()).decode(errors="replace")
        what = f"writes `{wrong.strip()}`"
        if set(result.files) != set(GOOD):
            what += " to " + ", ".join(f"`{name}`" for name in result.files)
    return "<br>".join([what, *(map(code, lines) if lines else "-")])


def code(text):
    """The text as code in a cell of a table."""
    text = text.replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def main():
    programs = [*map(FluentBit, sys.argv[1:]), Sluiced(
        os.environ.get("SLUICED", HERE.parent.parent / "build/sluiced"))]
    names = [f"Fluent Bit {p.name}" for p in programs[:-1]] + ["sluiced"]
    path = HERE / "cases/mistakes.yaml"
    some = [c for c in cases.load(HERE / "cases") if c.path == path]
    right = {line for text in cases.parts(path).values()
             for line in str(text).splitlines()}
    with ThreadPoolExecutor(JOBS) as pool:
        rows = [(case, [pool.submit(outcome, program, case)
                        for program in programs]) for case in some]
        print(INTRO.format(programs=", ".join(names[:-1]) + " and sluiced"))
        print("| mistake |", " | ".join(names), "|")
        print("|---" * (len(names) + 1) + "|")
        for case, cells in rows:
            lines = map(code, changed_lines(case, right)[:3])
            print("|", "<br>".join([case.title, *lines]), "|",
                  " | ".join(cell.result() for cell in cells), "|")


if __name__ == "__main__":
    main()
