# SPDX-License-Identifier: Apache-2.0
"""If a benchmark misses a goal, its report shows where the CPU time went."""
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

import bench as benches
import collectors
import machine
import points
import where
from harness.daemon import SLUICED
from run import Load, Result


def costs_that_meet_no_goal(_, runs):
    """Each run costs four times as much as the one before, and the kernel
    refuses one line."""
    return {name: [Result(
        us=4 ** n, kernel=0.5, sent=load.count, refused=1,
        rate=load.rate or 1, peak_kb=0, journal_kb=0, behind=0, wrong="",
        sending=machine.Counters(cpu_ns=1, waited_ns=1, periods=1,
                                 throttled=1))]
        for n, (name, (_, load)) in enumerate(runs.items())}


def test_each_missed_goal_names_the_run_that_shows_it(monkeypatch):
    monkeypatch.setattr(points, "interleaved", costs_that_meet_no_goal)
    monkeypatch.setattr(points, "_start_once", lambda *_: 1000.0)
    sluiced = collectors.Sluiced(SLUICED)
    bench = SimpleNamespace(
        is_quick=False, sluiced=SLUICED, title=str,
        collectors={"floor": collectors.Floor({"floor": "floor"}),
                    "sluiced": sluiced})
    rows = [row for n in (1, 2, 3, 5, 6) for row in points.ALL[n](bench)]
    assert all(isinstance(why.run[0], collectors.Sluiced)
               for row in rows for why in row.whys)
    assert [(row.point, [why.title for why in row.whys]) for row in rows
            if row.met is False] == [
        (1, ["saturation"]),
        (2, ["2,000 per second"]),
        (3, ["150m, 128Mi, 50,000 per second, queue 4096"]),
        (3, ["150m, 128Mi, 20,000 per second, queue 512"]),
        (3, ["150m, 128Mi, 4,000 per second, queue 10"]),
        (5, ["1,000 vhosts", "125 vhosts on 8 dates"]),
        (5, ["lines of 4096 bytes"]),
        (5, ["10 filters, 48 fields"]),
        (6, ["start"])]


@pytest.fixture
def bench(room, monkeypatch):
    try:
        machine.check_fitness()
    except machine.Unfit as unfit:
        pytest.skip(str(unfit))
    # Leave out the peers, which would have to be downloaded.
    monkeypatch.setattr(
        collectors, "all_of", lambda _, sluiced, *__: {
            "sluiced": collectors.Sluiced(sluiced)})
    monkeypatch.setenv("BENCH_DISK", str(room.disk))
    return benches.Bench(Path(SLUICED).parent, is_quick=True)


def test_the_memory_report_says_where_the_memory_is(bench):
    bench.long_lines = 4000
    rows = points.memory(bench)
    assert not bench.wrong
    for row in rows:
        assert re.fullmatch(r"(\S+ [\d,]+ kB(, )?){6}", row.whys[0].details)


def may_profile(path):
    return shutil.which("perf") and subprocess.run(
        ["perf", "record", "-q", "-e", "cpu-clock", "-o", path, "true"],
        capture_output=True).returncode == 0


def test_each_run_that_missed_a_goal_is_profiled_once(bench, room, capsys):
    if not may_profile(room.path / "perf.data"):
        pytest.skip("needs perf and the permission to use it")
    sluiced = bench.collectors["sluiced"]
    full, calm, start = (
        points.Why(title, run=(sluiced, load)) for title, load in
        (("full", Load(20000)), ("calm", Load(20)), ("start", None)))
    where.write(bench, [
        points.Row(1, "", "", False, [full]),
        points.Row(1, "", "", False, [full]),
        points.Row(2, "", "", True, [calm]),
        points.Row(3, "", "", None, [calm]),
        points.Row(4, "", "", False, [points.Why("memory", "heap 1 kB")]),
        points.Row(6, "", "", False, [start])])
    _, *parts = capsys.readouterr().out.split("Why ")
    assert [part.splitlines()[0] for part in parts] == [
        "point 1 missed its goal, full:", "point 4 missed its goal, memory:",
        "point 6 missed its goal, start:"]
    of_full, of_memory, of_start = parts
    assert of_memory.splitlines()[1:] == ["  heap 1 kB", ""]
    assert re.search(r"samples: .*pipeline \d+ %", of_full)
    assert re.search(r"the kernel \d+ %", of_full)
    assert re.search(r"samples: .*sluiced \d+ %", of_start)
    share = re.compile(r"^ +[\d.]+ %  \S+ +\S+", re.M)
    # The number of functions depends on the samples.
    assert 1 <= len(share.findall(of_full)) <= 16
    assert 1 <= len(share.findall(of_start)) <= 10
