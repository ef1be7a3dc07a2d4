# SPDX-License-Identifier: Apache-2.0
"""The six things that are promised of sluiced's cost, each measured.

Each function returns rows (point, goal, measured, met); met is None where
the run cannot tell."""
import statistics
import subprocess
import threading
import time
from collections import namedtuple
from signal import SIGUSR1, SIGKILL

from collectors import Sluiced
from run import Load, Room, Running, is_bound, measure

Row = namedtuple("Row", "point goal measured met")

MIB = 1024 * 1024
POD = {"cpu_millicores": 150, "memory_bytes": 128 * MIB}
# What a sender has to reach of its rate for a run to count.
PACE = 0.97


def interleaved(bench, runs):
    """{name: (collector, load)}, all once a round; {name: [Result, ...]}."""
    results = {name: [] for name in runs}
    for number in range(bench.rounds):
        for name, (collector, load) in runs.items():
            try:
                result = measure(bench, collector, load)
            except AssertionError as failure:
                bench.note_wrong(name, str(failure))
                continue
            if result.wrong:
                bench.note_wrong(name, result.wrong)
                continue
            bench.say(f"round {number + 1}: {name}: {result.us:.2f} us a line"
                      + (f", {result.refused} refused" * bool(result.refused)))
            results[name].append(result)
    return results


def median_us(results):
    return statistics.median(r.us for r in results) if results else None


def ratio(mine, theirs):
    """Of runs of the same round; None when one of them never counted."""
    both = [a.us / b.us for a, b in zip(mine, theirs)]
    return statistics.median(both) if both else None


def _at_most(point, what, value, limit, unit=""):
    goal = f"{what}: at most {limit:g}{unit}"
    if value is None:
        return Row(point, goal, "not measured", None)
    return Row(point, goal, f"{value:.3g}{unit}", value <= limit)


def saturation(bench):
    """1: as much as it takes."""
    usual = Load(60000 if bench.is_quick else 200000)
    runs = {}
    for name, collector in bench.collectors.items():
        rate = collector.highest_rate
        runs[name] = (collector, usual if rate is None else
                      usual.but(rate=rate, count=rate * 3))
    bench.at_saturation = results = interleaved(bench, runs)
    limits = {"rsyslog": 0.1, "syslog-ng": 0.1, "Fluent Bit": 0.05, "floor": 3}
    return [_at_most(1, f"at saturation, of {bench.title(name)}'s CPU",
                     ratio(results["sluiced"], results.get(name, [])), limit,
                     " times") for name, limit in limits.items()]


def steady(bench):
    """2: 2,000 lines a second."""
    names = ["floor", "sluiced"] if bench.is_quick else list(bench.collectors)
    seconds = 3 if bench.is_quick else 5
    load = Load(2000 * seconds, rate=2000, queue=512, blocking=False)
    bench.at_steady = results = interleaved(
        bench, {name: (bench.collectors[name], load) for name in names})
    return [_at_most(2, "at 2,000 a second, queue 512, of the floor's CPU",
                     ratio(results["sluiced"], results["floor"]), 1,
                     " times")]


def _pod(rate, queue, seconds=5):
    # So many sockets that the queue is the limit, not their send buffers.
    return Load(rate * seconds, rate=rate, queue=queue, blocking=False,
                sockets=32, **POD)


def under_limit(bench):
    """3: in a pod's limits, refused lines."""
    rows = []
    for rate, queue in ((50000, 4096), (20000, 512), (4000, 10)):
        load = _pod(rate, queue, 2 if bench.is_quick else 5)
        results = interleaved(bench, {
            name: (bench.collectors[name], load)
            for name in ("floor", "sluiced")})
        rows.append(_refused_row(load, results["sluiced"], results["floor"]))
    return rows


def _refused_row(load, mine, floor):
    goal = (f"150m, 128Mi, {load.rate:,} a second, queue {load.queue}: "
            "none refused")
    if not mine:
        return Row(3, goal, "not measured", None)
    refused = ", ".join(f"{r.refused:,}" for r in mine)
    beside = ", ".join(f"{r.refused:,}" for r in floor)
    told = f"{refused} of {load.count:,} (floor: {beside})"
    if any(r.refused for r in mine):
        return Row(3, goal, told, False)
    # None of too few shows nothing; some of too few would.
    slowest = min(r.rate for r in mine)
    if slowest < load.rate * PACE:
        return Row(3, goal, f"{told}, but the sender reached only "
                            f"{slowest:,} a second", None)
    return Row(3, goal, told, True)


def peers_under_limit(bench):
    """Not a promise of ours: what the others refuse, for the table."""
    table = bench.limited
    for queue in (10, 512):
        for rate in (1000, 2000, 4000):
            for name in bench.collectors:
                try:
                    result = measure(bench, bench.collectors[name],
                                     _pod(rate, queue))
                except AssertionError as failure:
                    bench.say(f"{name}: {failure}")
                    continue
                bench.say(f"{name}, queue {queue}, {rate}/s: "
                          f"{result.refused} refused; "
                          f"{result.wrong or 'good'}")
                table[name, queue, rate] = result
    return []


class _Watch(threading.Thread):
    """What a process has resident, every half second; the most."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process = process
        self.most = self.journal = 0
        self.is_over = threading.Event()
        self.start()

    def look(self):
        try:
            resident, journal = self.process.resident_kb()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        self.most = max(self.most, resident)
        self.journal = max(self.journal, journal)
        return resident

    def run(self):
        while not self.is_over.wait(0.5):
            self.look()

    def end(self):
        self.is_over.set()
        self.join()


def memory(bench):
    """4: resident memory, and that it does not grow."""
    total = bench.long_lines
    part = min(500000, total // 4)
    load = Load(part, size=500, fields=12)
    at_end = []
    with Running(bench, bench.collectors["sluiced"], load) as running:
        watch = _Watch(running.process)
        for first in range(0, total, part):
            sent = running.room.send(first)
            running.room.wait_written(sent.bytes)
            at_end.append(watch.look())
            wrong = running.room.check(first)
            if wrong:
                bench.note_wrong("sluiced", wrong)
            running.room.empty()
            running.process.popen.send_signal(SIGUSR1)
            bench.say(f"{first + part:,} lines: {at_end[-1]} kB resident")
        watch.end()
    # A buffer that has found its size is no leak: half against half.
    middle = len(at_end) // 2
    growth = max(at_end[middle:]) - max(at_end[:middle])
    return [
        Row(4, "resident, without the journal's pages: under 12 MB",
            f"{watch.most / 1024:.1f} MB (journal {watch.journal / 1024:.1f})",
            watch.most < 12 * 1024),
        Row(4, f"no growth over {total:,} lines (256 kB is none)",
            f"{growth:+} kB in its second half", growth <= 256)]


def _costs(bench, runs):
    return {name: median_us(results)
            for name, results in interleaved(bench, runs).items()}


def partitions(bench, count):
    by_vhost = Sluiced(bench.sluiced, files="vhost")
    kinds = {"one file": (1, 1), "1,000 vhosts": (1000, 1),
             "125 vhosts on 8 dates": (125, 8)}
    costs = _costs(bench, {
        name: (by_vhost, Load(count, vhosts=vhosts, days=days, warm=4000))
        for name, (vhosts, days) in kinds.items()})
    goal = "the same from 1 to 1,000 partitions and vhosts: within 10 %"
    if None in costs.values():
        return Row(5, goal, "not measured", None)
    least = costs["one file"]
    return Row(5, goal, "; ".join(f"{name}: {us:.2f} us" for name, us in
                                  costs.items()),
               max(costs.values()) <= least * 1.1)


def _fit(points):
    """Least squares; (at 0, slope)."""
    xs, ys = zip(*points)
    slope, at_0 = statistics.linear_regression(xs, ys)
    return at_0, slope


def sizes(bench, count):
    sluiced = bench.collectors["sluiced"]
    costs = _costs(bench, {
        size: (sluiced, Load(count, size=size, fields=4, written=4))
        for size in (200, 400, 800, 1600, 3200, 4096)})
    goal = "linear from 200 to 4,096 bytes: within 15 % of a straight line"
    if None in costs.values():
        return Row(5, goal, "not measured", None)
    at_0, slope = _fit(list(costs.items()))
    off = max(abs(us / (at_0 + slope * size) - 1)
              for size, us in costs.items())
    return Row(5, goal, f"{at_0:.2f} us + {slope * 1000:.2f} us a kB, "
                        f"{off * 100:.0f} % off at most", off <= 0.15)


def fields(bench, count):
    """As many bytes, in 12 fields or in 48; two of them are touched."""
    costs = _costs(bench, {
        (hooks, n): (Sluiced(bench.sluiced, hooks=hooks),
                     Load(count, size=2400, fields=n))
        for hooks in (1, 3, 10) for n in (12, 48)})
    more = (48 - 2) / (12 - 2)
    goal = (f"1, 3, 10 filters, {more:g} times the untouched fields: a filter "
            f"more costs at most {more / 2:g} times as much")
    if None in costs.values():
        return Row(5, goal, "not measured", None)
    each = {n: (costs[10, n] - costs[1, n]) / 9 for n in (12, 48)}
    told = ", ".join(f"{hooks}: {costs[hooks, 12]:.1f} and "
                     f"{costs[hooks, 48]:.1f} us" for hooks in (1, 3, 10))
    growth = each[48] / max(each[12], 0.001)
    return Row(5, goal, f"{told}; a filter {each[12]:.2f} and {each[48]:.2f} "
                        f"us, {growth:.1f} times", growth <= more / 2)


def shape(bench):
    """5: what the cost depends on."""
    count = 40000 if bench.is_quick else 100000
    return [partitions(bench, count), sizes(bench, count),
            fields(bench, count // 2)]


def _start_once(bench, collector):
    room = Room(bench, collector, Load(1))
    argv, _ = collector.start_command(room)
    with open(room.path / "log", "wb") as log:
        start = time.monotonic()
        process = subprocess.Popen(
            [str(arg) for arg in argv], cwd=room.path, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, start_new_session=True)
        while not is_bound(room.socket) and process.poll() is None:
            time.sleep(0.0002)
        took = time.monotonic() - start
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.send_signal(SIGKILL)
        process.wait()
    room.remove()
    return took * 1000


def start(bench):
    """6: from the start of the process to the bound socket."""
    took = [_start_once(bench, bench.collectors["sluiced"])
            for _ in range(5 if bench.is_quick else 11)]
    value = statistics.median(took)
    return [Row(6, "start to socket bound: under 20 ms",
                f"{value:.1f} ms (at most {max(took):.1f})", value < 20)]


ALL = {1: saturation, 2: steady, 3: under_limit, 4: memory, 5: shape, 6: start,
       7: peers_under_limit}
