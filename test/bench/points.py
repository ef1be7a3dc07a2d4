# SPDX-License-Identifier: Apache-2.0
"""Measures the six goals for the cost of sluiced, called points.

Each function returns rows (point, goal, measured, met, whys).  met is None if
the run cannot decide it.  If a goal is missed, whys explain the reasons."""
import statistics
import subprocess
import threading
import time
from collections import namedtuple
from pathlib import Path
from signal import SIGUSR1, SIGKILL

from collectors import Sluiced
from run import Load, Room, Running, is_bound, measure

Row = namedtuple("Row", "point goal measured met whys", defaults=[()])
# details: a text; run: (collector, load), which is profiled.  If the load is
# None, the start of the collector is profiled.
Why = namedtuple("Why", "title details run", defaults=["", None])

MIB = 1024 * 1024
POD = {"cpu_millicores": 150, "memory_bytes": 128 * MIB}
# A run counts only if the sender reached this part of its rate.
PACE = 0.97
# The number of 800-byte lines that the 64 MB of sluiced's journal hold.
JOURNAL_LINES = 76000


def interleaved(bench, runs):
    """Run {name: (collector, load)}, each once per round.  Returns
    {name: [Result, ...]}."""
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
            bench.say(f"round {number + 1}: {name}: {result.us:.2f} us per line"
                      + (f", {result.refused} refused" * bool(result.refused)))
            results[name].append(result)
    return results


def median_us(results):
    return statistics.median(r.us for r in results) if results else None


def ratio(mine, theirs):
    """The median ratio of the runs of one round; None if there is no pair."""
    both = [a.us / b.us for a, b in zip(mine, theirs)]
    return statistics.median(both) if both else None


def _at_most(point, what, value, limit, why):
    goal = f"{what}: at most {limit:g} times"
    if value is None:
        return Row(point, goal, "not measured", None)
    return Row(point, goal, f"{value:.3g} times", value <= limit, [why])


def saturation(bench):
    """Point 1: CPU per line at saturation."""
    usual = Load(60000 if bench.is_quick else 200000)
    runs = {}
    for name, collector in bench.collectors.items():
        rate = collector.highest_rate
        runs[name] = (collector, usual if rate is None else
                      usual.but(rate=rate, count=rate * 3))
    bench.at_saturation = results = interleaved(bench, runs)
    why = Why("saturation", run=runs["sluiced"])
    limits = {"rsyslog": 0.1, "syslog-ng": 0.1, "Fluent Bit": 0.05, "floor": 3}
    return [_at_most(1, f"CPU at saturation, relative to {bench.title(name)}",
                     ratio(results["sluiced"], results.get(name, [])), limit,
                     why) for name, limit in limits.items()]


def steady(bench):
    """Point 2: CPU per line at 2,000 lines per second."""
    names = ["floor", "sluiced"] if bench.is_quick else list(bench.collectors)
    seconds = 3 if bench.is_quick else 5
    load = Load(2000 * seconds, rate=2000, queue=512, blocking=False)
    runs = {name: (bench.collectors[name], load) for name in names}
    bench.at_steady = results = interleaved(bench, runs)
    return [_at_most(2, "CPU at 2,000/s, queue 512, relative to the floor",
                     ratio(results["sluiced"], results["floor"]), 1,
                     Why("2,000 per second", run=runs["sluiced"]))]


def _pod(rate, queue, seconds=5):
    # With 32 sockets, the queue is the limit and not the send buffers.
    return Load(rate * seconds, rate=rate, queue=queue, blocking=False,
                sockets=32, **POD)


def under_limit(bench):
    """Point 3: refused lines under a pod's limits."""
    rows = []
    for rate, queue in ((50000, 4096), (20000, 512), (4000, 10)):
        load = _pod(rate, queue, 2 if bench.is_quick else 5)
        runs = {name: (bench.collectors[name], load)
                for name in ("floor", "sluiced")}
        results = interleaved(bench, runs)
        rows.append(_refused_row(runs["sluiced"], results["sluiced"],
                                 results["floor"]))
    return rows


def _what_was_short(load, mine, floor):
    """CPU and room in the journal in the worst round."""
    worst = max(mine, key=lambda r: r.refused)
    sending = worst.sending
    seconds = load.count / worst.rate
    allowed_ns = seconds * load.cpu_millicores * 1000000
    beside = f" (floor: {median_us(floor):.2f})" if floor else ""
    return (f"the worst round: {worst.refused:,} refused, "
            f"{sending.cpu_ns / allowed_ns:.0%} of the CPU limit used, "
            f"throttled in {sending.throttled} of {sending.periods} periods,\n"
            f"  waited {sending.waited_ns / 1e9:.2f} of {seconds:.2f} s for a "
            f"processor, {worst.behind:,} lines not yet written at the end\n"
            f"  (the journal has room for {JOURNAL_LINES:,}), "
            f"{worst.us:.2f} us per line{beside}")


def _refused_row(run, mine, floor):
    load = run[1]
    title = f"150m, 128Mi, {load.rate:,} per second, queue {load.queue}"
    goal = f"{title}: none refused"
    if not mine:
        return Row(3, goal, "not measured", None)
    refused = ", ".join(f"{r.refused:,}" for r in mine)
    beside = ", ".join(f"{r.refused:,}" for r in floor)
    measured = f"{refused} of {load.count:,} (floor: {beside})"
    if any(r.refused for r in mine):
        return Row(3, goal, measured, False,
                   [Why(title, _what_was_short(load, mine, floor), run)])
    # At a lower rate, a run without refused lines proves nothing.
    slowest = min(r.rate for r in mine)
    if slowest < load.rate * PACE:
        return Row(3, goal, f"{measured}, but the sender reached only "
                            f"{slowest:,} per second", None)
    return Row(3, goal, measured, True)


def peers_under_limit(bench):
    """Refused lines of the other collectors under a pod's limits, for the
    table; not a goal."""
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
    """Samples the resident memory of a process every half second, and keeps
    the maximum and its largest mappings."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process = process
        self.most = self.journal = 0
        self.largest = []
        self.is_over = threading.Event()
        self.start()

    def look(self):
        try:
            resident, journal = self.process.resident_kb()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        if resident > self.most:
            self.most = resident
            self.largest = self.process.maps_kb().most_common(6)
        self.journal = max(self.journal, journal)
        return resident

    def run(self):
        while not self.is_over.wait(0.5):
            self.look()

    def end(self):
        self.is_over.set()
        self.join()


def memory(bench):
    """Point 4: resident memory and its growth."""
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
    # Compare the second half with the first, because buffers grow to their
    # final size at the beginning.
    middle = len(at_end) // 2
    whys = [Why("resident memory", ", ".join(
        f"{Path(name).name} {kb:,} kB" for name, kb in watch.largest))]
    growth = max(at_end[middle:]) - max(at_end[:middle])
    return [
        Row(4, "resident, without the journal's pages: under 12 MB",
            f"{watch.most / 1024:.1f} MB (journal {watch.journal / 1024:.1f})",
            watch.most < 12 * 1024, whys),
        Row(4, f"growth over {total:,} lines: at most 256 kB",
            f"{growth:+} kB in its second half", growth <= 256, whys)]


def _costs(bench, runs):
    return {name: median_us(results)
            for name, results in interleaved(bench, runs).items()}


def partitions(bench, count):
    by_vhost = Sluiced(bench.sluiced, files="vhost")
    kinds = {"one file": (1, 1), "1,000 vhosts": (1000, 1),
             "125 vhosts on 8 dates": (125, 8)}
    runs = {name: (by_vhost, Load(count, vhosts=vhosts, days=days, warm=4000))
            for name, (vhosts, days) in kinds.items()}
    costs = _costs(bench, runs)
    goal = "the same CPU from 1 to 1,000 partitions and vhosts: within 10 %"
    if None in costs.values():
        return Row(5, goal, "not measured", None)
    dear = [name for name, us in costs.items() if us > costs["one file"] * 1.1]
    return Row(5, goal, "; ".join(f"{name}: {us:.2f} us" for name, us in
                                  costs.items()), not dear,
               [Why(name, run=runs[name]) for name in dear])


def _fit(points):
    """Fit a line by least squares; returns (value at 0, slope)."""
    xs, ys = zip(*points)
    slope, at_0 = statistics.linear_regression(xs, ys)
    return at_0, slope


def sizes(bench, count):
    sluiced = bench.collectors["sluiced"]
    runs = {size: (sluiced, Load(count, size=size, fields=4, written=4))
            for size in (200, 400, 800, 1600, 3200, 4096)}
    costs = _costs(bench, runs)
    goal = "CPU linear from 200 to 4,096 bytes: within 15 % of a line"
    if None in costs.values():
        return Row(5, goal, "not measured", None)
    at_0, slope = _fit(list(costs.items()))
    off = max(abs(us / (at_0 + slope * size) - 1)
              for size, us in costs.items())
    dearest = max(costs, key=costs.get)
    return Row(5, goal, f"{at_0:.2f} us + {slope * 1000:.2f} us per kB, "
                        f"{off * 100:.0f} % off at most", off <= 0.15,
               [Why(f"lines of {dearest} bytes", run=runs[dearest])])


def fields(bench, count):
    """Lines of equal size with 12 or 48 fields, two of which the hooks use."""
    runs = {(hooks, n): (Sluiced(bench.sluiced, hooks=hooks),
                         Load(count, size=2400, fields=n))
            for hooks in (1, 3, 10) for n in (12, 48)}
    costs = _costs(bench, runs)
    more = (48 - 2) / (12 - 2)
    goal = (f"1, 3, 10 filters: with {more:g} times the unused fields, a "
            f"filter costs at most {more / 2:g} times as much")
    if None in costs.values():
        return Row(5, goal, "not measured", None)
    each = {n: (costs[10, n] - costs[1, n]) / 9 for n in (12, 48)}
    measured = ", ".join(f"{hooks}: {costs[hooks, 12]:.1f} and "
                     f"{costs[hooks, 48]:.1f} us" for hooks in (1, 3, 10))
    growth = each[48] / max(each[12], 0.001)
    dearest = max(costs, key=costs.get)
    return Row(5, goal,
               f"{measured}; a filter {each[12]:.2f} and {each[48]:.2f} "
                        f"us, {growth:.1f} times", growth <= more / 2,
               [Why("%d filters, %d fields" % dearest, run=runs[dearest])])


def shape(bench):
    """Point 5: how the cost depends on files, sizes and fields."""
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
    """Point 6: the time from the start of the process to the bound socket."""
    sluiced = bench.collectors["sluiced"]
    took = [_start_once(bench, sluiced)
            for _ in range(5 if bench.is_quick else 11)]
    value = statistics.median(took)
    return [Row(6, "start to socket bound: under 20 ms",
                f"{value:.1f} ms (at most {max(took):.1f})", value < 20,
                [Why("start", run=(sluiced, None))])]


ALL = {1: saturation, 2: steady, 3: under_limit, 4: memory, 5: shape, 6: start,
       7: peers_under_limit}
