#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures sluiced and its peers; see test/bench/README.md.

bench.py [--quick] [--points 1,3] BUILD_DIRECTORY

FLUENT_BIT  the Fluent Bit to measure, too
BENCH_DISK  the directory for the output (the build directory)
ROUNDS      how often each collector is measured (3)
LONG_LINES  the number of lines for point 4 (10000000)
"""
import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import collectors
import instructions
import points
import report
import where
from machine import Unfit, check_fitness

HERE = Path(__file__).resolve().parent
PROGRAMS = ("send", "floor", "check")


class Bench:
    """The programs, the directories and the number of rounds, which all
    measurements share."""

    def __init__(self, build, is_quick):
        self.is_quick = is_quick
        self.disk = Path(os.environ.get("BENCH_DISK", build)) / "bench"
        self.disk = self.disk.resolve()
        self.disk.mkdir(parents=True, exist_ok=True)
        self.tmpfs = "/dev/shm" if os.path.ismount("/dev/shm") else "/tmp"
        self.programs = {name: self._compile(name) for name in PROGRAMS}
        self.sluiced = (Path(build) / "sluiced").resolve()
        self.rounds = int(os.environ.get("ROUNDS", 1 if is_quick else 3))
        self.long_lines = int(os.environ.get(
            "LONG_LINES", 400000 if is_quick else 10000000))
        self.wrong = []
        self.at_saturation, self.at_steady, self.limited = {}, {}, {}
        self.collectors = collectors.all_of(
            self.programs, self.sluiced, self.disk,
            os.environ.get("FLUENT_BIT"))
        self.peers = set(self.collectors) - {"sluiced"}

    def _compile(self, name):
        program = self.disk / name
        subprocess.run(
            [os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-O2",
             "-o", program, HERE / f"{name}.c"], check=True)
        return program

    def run(self, name, *args):
        return subprocess.run([self.programs[name], *map(str, args)],
                              capture_output=True, text=True, check=False)

    def say(self, text):
        """Print progress to standard error.  The results go to standard output
        at the end."""
        print(f"  {text}", file=sys.stderr, flush=True)

    def title(self, name):
        """The name for the tables, with the version if it is installed."""
        found = self.collectors.get(name)
        return found.name if found else name

    def note_wrong(self, name, what):
        """Discard the measurement of a collector.  If it is sluiced, the
        benchmark fails."""
        self.say(f"{name}: discarded: {what}")
        self.wrong.append((name, what))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", help="where sluiced was built")
    parser.add_argument("--quick", action="store_true",
                        help="fewer lines, one round, fewer peers")
    parser.add_argument("--points", default="1,2,3,4,5,6,7",
                        help="comma-separated; 0: the instructions per line, "
                             "7: the peers under a pod's limits")
    parser.add_argument("--record", action="store_true",
                        help="record the instructions in BASELINE")
    return parser.parse_args()


def main():
    args = arguments()
    # Run the cleanup, which ends the programs that were started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))
    try:
        check_fitness()
    except Unfit as unfit:
        sys.exit(f"bench: {unfit}")
    bench = Bench(args.build, args.quick)
    if args.record:
        tool, count = instructions.per_line(bench)
        if tool is None:
            sys.exit(f"bench: {count}")
        instructions.record(tool, count)
        print(f"{count} instructions per line by {tool}: recorded")
        return
    wanted = [int(n) for n in args.points.split(",") if n != "0"]
    if args.quick:
        wanted = [n for n in wanted if n != 7]
    rows = [row for n in wanted for row in points.ALL[n](bench)]
    sentence, is_good = "not measured", True
    if args.quick or "0" in args.points.split(","):
        sentence, is_good = instructions.compare(bench)
    report.write(bench, rows)
    where.write(bench, rows)
    print(f"\nInstructions per line, worker, user space: {sentence}")
    if not is_good:
        print("FAILED: more than 10 % above test/bench/BASELINE")
    wrong = [what for name, what in bench.wrong if name not in bench.peers]
    if wrong:
        print("FAILED: sluiced's output differs from the sent lines: "
              f"{wrong[0]}")
    sys.exit(not is_good or bool(wrong))


if __name__ == "__main__":
    main()
