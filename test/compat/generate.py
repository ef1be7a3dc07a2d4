#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs random configurations and datagrams with sluiced and with Fluent Bit.

    SLUICED=... FLUENT_BIT=... generate.py --seed 1 --count 2000

Case N of a seed is always the same: `--only N` runs it again.  If the results
of a case differ, generate.py removes parts of the case as long as they still
differ.  Then it prints the case with the results of both programs."""
import argparse
import os
import random
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))
from case import Case  # noqa: E402
from expect import last_messages, without_order  # noqa: E402
from model import Model  # noqa: E402
from program import (FluentBit, Run, Sluiced, Stuck,  # noqa: E402
                     moved_clock)


NOW = re.compile(rb"17952192\d\d\.\d+")


class Pair:
    """Both programs, run with the same case."""

    def __init__(self, sluiced, fluent_bit):
        self.programs = sluiced, fluent_bit
        self.runs = 0

    def outcomes(self, model):
        raw = {"name": "generated", **model.case()}
        case = Case(Path("generated.yaml"), raw)
        self.runs += 1
        return [outcome(program, case) for program in self.programs]

    def differ(self, model):
        """The results of both programs if they differ, else None."""
        ours, theirs = self.outcomes(model)
        if comparable(ours, model) == comparable(theirs, model):
            return None
        return ours, theirs


def outcome(program, case):
    try:
        return Run(program, case).result()
    except (Stuck, OSError) as e:
        return str(e)


def comparable(result, model):
    """The result without the differences that do not matter: the order of a
    hook's table, and the reason why a program did not start."""
    if isinstance(result, str):
        return result
    if result.exit != 0:
        return "refused" if result.exit > 0 else f"died of {-result.exit}"
    # Ignore files without a line, and times of arrival, which always differ.
    return {name: lines_of(NOW.sub(b"now", data), model)
            for name, data in result.files.items() if data}


def lines_of(data, model):
    """The lines of a file.  sluiced writes a tab as \\t, except as a
    separator."""
    data = data.replace(b"\\t", b"\t")
    if model.has_quotes():
        data = re.sub(rb'[\t\\"]', b"", data)
    lines = data.splitlines(True)
    if model.has_hook and model.has_quotes():
        lines = [bytes(sorted(line)) for line in lines]
    elif model.has_hook:
        lines = [line if line[1] else ("".join(sorted(line[0])),)
                 for line in without_order(data)]
    return sorted(lines) if model.has_several_writers() else lines


def ending(differing, model):
    """How each program ended.  A smaller case must end in the same way;
    otherwise it shows another difference."""
    return [result if isinstance(result, str) else ""
            for result in (comparable(one, model) for one in differing)]


def smallest(pair, model, differing, most_runs=80):
    """Remove one part after the other as long as the results still differ."""
    runs = 0
    found = True
    while found and runs < most_runs:
        found = False
        for other in model.smaller():
            runs += 1
            now = pair.differ(other)
            if now and ending(now, other) == ending(differing, model):
                model, differing, found = other, now, True
                break
            if runs >= most_runs:
                break
    return model, differing


def shown(result):
    if isinstance(result, str):
        return result
    return {"exit": result.exit,
            "files": {name: data.decode(errors="backslashreplace")
                      for name, data in result.files.items()},
            **({"stderr": last_messages(result.stderr)} if result.exit else {})}


def as_yaml(number, model, differing):
    ours, theirs = differing
    case = {"name": f"generated {number}", **model.case(),
            "fluent_bit": shown(theirs), "sluiced": shown(ours)}
    return yaml.dump([case], Dumper=Literal, sort_keys=False, width=1000,
                     allow_unicode=True)


class Literal(yaml.SafeDumper):
    """Writes a text of several lines as a YAML block."""


Literal.add_representer(str, lambda dumper, text: dumper.represent_scalar(
    "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))


def try_one(pair, seed, number, is_small):
    model = Model(random.Random(f"{seed}:{number}"))
    differing = pair.differ(model)
    if not differing:
        return None
    # A second run confirms the difference: the first result may have been
    # incomplete when it was read.
    differing = pair.differ(model)
    if not differing:
        return None
    if is_small:
        model, differing = smallest(pair, model, differing)
    return as_yaml(number, model, differing)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--whole", action="store_true",
                        help="print differing cases as they were generated")
    parser.add_argument("-j", "--jobs", type=int, default=16)
    args = parser.parse_args()
    pair = Pair(Sluiced(os.environ["SLUICED"]),
                FluentBit(os.environ["FLUENT_BIT"]))
    moved_clock()
    numbers = ([args.only] if args.only is not None else
               range(args.first, args.first + args.count))
    start, differed = time.monotonic(), 0
    with ThreadPoolExecutor(args.jobs) as pool:
        for found in pool.map(lambda number: try_one(
                pair, args.seed, number, not args.whole), numbers):
            if found:
                differed += 1
                print(found, flush=True)
    print(f"seed {args.seed}: {len(numbers)} cases with "
          f"{pair.programs[1].name}, {differed} differed, {pair.runs} runs, "
          f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    return 1 if differed else 0


if __name__ == "__main__":
    sys.exit(main())
