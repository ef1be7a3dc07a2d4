# SPDX-License-Identifier: Apache-2.0
"""Counts the instructions of sluiced's worker per line.  Unlike time, they do
not depend on the load of the machine.

`perf stat` counts them if the machine supports it, otherwise valgrind's
callgrind.  BASELINE records the two separately, because they count differently.
To leave out start and end, sluiced runs once with few lines and once with many,
and the difference is divided by the difference of the lines."""
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from signal import SIGTERM

from run import Load, Running

BASELINE = Path(__file__).resolve().parent / "BASELINE"
FEW, MANY = 2000, 12000
TOLERANCE = 1.10


def _perf_counts():
    if not shutil.which("perf"):
        return False
    done = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u",
                           "true"], capture_output=True, text=True)
    return done.returncode == 0 and done.stderr[:1].isdigit()


class _Single:
    """sluiced without its supervisor, so that the process is the worker."""

    def __init__(self, collector):
        self.collector = collector

    def __getattr__(self, name):
        return getattr(self.collector, name)

    def start_command(self, room):
        argv, env = self.collector.start_command(room)
        return [*argv, "--no-supervisor"], env


def _end(process):
    """End the worker, but not perf, which would end before the worker."""
    pids = process.cgroup.pids()
    for pid in pids:
        if len(pids) == 1 or pid != process.popen.pid:
            os.kill(pid, SIGTERM)
    process.popen.wait(60)
    process.close()


def _run(bench, tool, lines):
    """The instructions of a whole run."""
    log = bench.disk / f"instructions.{tool}"
    prefix = {
        "callgrind": ["valgrind", "--tool=callgrind", "--quiet",
                      f"--callgrind-out-file={log}"],
        "perf": ["perf", "stat", "-x,", "-o", log, "-e", "instructions:u"],
    }[tool]
    # The sender is faster than sluiced, so the queue is always full.  Every
    # batch is then full, and all runs are alike.
    with Running(bench, _Single(bench.collectors["sluiced"]), Load(lines),
                 prefix) as running:
        sent = running.room.send()
        assert running.room.wait_written(sent.bytes, 60), "not all written"
        wrong = running.room.check()
        _end(running.process)
    if wrong:
        bench.note_wrong("sluiced", wrong)
    text = log.read_text()
    if tool == "perf":
        return int(re.search(r"^(\d+),,instructions", text, re.M)[1])
    return int(re.search(r"^(?:totals|summary): (\d+)", text, re.M)[1])


def per_line(bench):
    """(tool, instructions per line), or (None, reason)."""
    if _perf_counts():
        tool = "perf"
    elif shutil.which("valgrind"):
        tool = "callgrind"
    else:
        return None, "neither perf's counters nor valgrind can be used"
    started = time.monotonic()
    few, many = (_run(bench, tool, lines) for lines in (FEW, MANY))
    bench.say(f"{tool}: {time.monotonic() - started:.0f} s")
    return tool, round((many - few) / (MANY - FEW))


def recorded():
    """{tool: instructions per line}, from BASELINE."""
    found = {}
    for line in BASELINE.read_text().splitlines():
        if line and not line.startswith("#"):
            tool, count = line.split()
            found[tool] = int(count)
    return found


def record(tool, count):
    lines = [line for line in BASELINE.read_text().splitlines()
             if not line.startswith(f"{tool} ")]
    BASELINE.write_text("\n".join([*lines, f"{tool} {count}"]) + "\n")


def compare(bench):
    """Compare with BASELINE: (sentence, whether it is within the tolerance)."""
    tool, count = per_line(bench)
    if tool is None:
        return f"not counted: {count}", True
    before = recorded().get(tool)
    if before is None:
        return f"{count} by {tool}; BASELINE has no figure for it", True
    change = (count / before - 1) * 100
    return (f"{count} by {tool}, {change:+.1f} % compared with {before} in "
            "BASELINE"), count <= before * TOLERANCE
