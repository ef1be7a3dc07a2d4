# SPDX-License-Identifier: Apache-2.0
"""Prints the results as tables for README.md."""
import os
import platform
import statistics
from pathlib import Path

POD_US = 150000  # of CPU per second


def _table(head, rows):
    cells = [head, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width
                               in zip(row, widths)) + " |" for row in cells]
    rules = ["-" * (width + 2) for width in widths]
    lines.insert(1, "|" + "|".join(rules) + "|")
    print("\n".join(lines) + "\n")


def _median(results, field):
    return statistics.median(getattr(r, field) for r in results)


def _us(results):
    return f"{_median(results, 'us'):.2f} us" if results else "-"


def _cost_row(bench, name):
    """The table row of a collector, which may lack one of the measurements."""
    full, calm = bench.at_saturation.get(name), bench.at_steady.get(name)
    rate = bench.collectors[name].highest_rate
    note = f" (at {rate:,} per second)" if rate else ""
    row = [bench.title(name), _us(full) + note]
    if full:
        mine = bench.at_saturation["sluiced"]
        share = statistics.median(
            a.us / b.us for a, b in zip(mine, full)) if mine else None
        row += [f"{_median(full, 'kernel') * 100:.0f} %",
                f"{share:.3f}" if share else "-",
                f"{POD_US / _median(full, 'us'):,.0f}",
                f"{_median(full, 'peak_kb') / 1024:.1f} MB"]
    else:
        row += ["-"] * 4
    return [*row, _us(calm)]


def costs(bench):
    print("CPU per line, user and kernel, of the whole cgroup; lines of 800 "
          "bytes and 22 fields.\n")
    _table(["collector", "at saturation", "in the kernel",
            "sluiced / collector", "lines/s with 150m", "resident, peak",
            "at 2,000/s"],
           [_cost_row(bench, name) for name in bench.collectors])


def limited(bench, results):
    print("Lines refused in 5 s at 1,000 / 2,000 / 4,000 lines per second, "
          "under 150m and 128Mi.\nErrors in the written lines are in "
          "brackets.\n")
    rows = []
    for name in bench.collectors:
        row = [bench.title(name)]
        for queue in (10, 512):
            cells = [_refused(results.get((name, queue, rate)))
                     for rate in (1000, 2000, 4000)]
            row.append(" / ".join(cells))
        rows.append(row)
    _table(["collector", "queue 10", "queue 512"], rows)


def _refused(result):
    if result is None:
        return "-"
    lost = f" [{result.wrong}]" if result.wrong else ""
    return f"{result.refused:,}{lost}"


def write(bench, rows):
    print(f"\n{_processor()}, {os.cpu_count()} CPUs, Linux "
          f"{platform.release()}, load {os.getloadavg()[0]:.1f} at the end, "
          f"{bench.rounds} rounds, medians.\n")
    if bench.at_saturation or bench.at_steady:
        costs(bench)
    if bench.limited:
        limited(bench, bench.limited)
    met = {True: "met", False: "NOT MET", None: "undecided"}
    _table(["", "goal", "measured", ""],
           [(row.point, row.goal, row.measured, met[row.met])
            for row in rows])
    missed = sum(row.met is False for row in rows)
    print(f"{sum(row.met is True for row in rows)} met, {missed} not met, "
          f"{sum(row.met is None for row in rows)} undecided")


def _processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
