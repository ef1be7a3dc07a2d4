# SPDX-License-Identifier: Apache-2.0
"""Where a line's time goes, user and kernel: perf's samples of sluiced at
saturation, by the clock, which every machine has."""
import re
import shutil
import subprocess
import time
from collections import Counter

from run import Load, Running

# A line of perf report, fields apart by "|".
SAMPLE = re.compile(r"^\s*([\d.]+)%\s*\|\s*(.*?)\s*\|\s*(.*?)\s*\|"
                    r"\s*\[(.)\]\s+([^\s|]+)")


def samples(bench, count):
    """{(thread, function or library): per cent}; {} without perf."""
    data = bench.disk / "perf.data"
    if not shutil.which("perf"):
        return {}
    with Running(bench, bench.collectors["sluiced"], Load(count)) as running:
        perf = subprocess.Popen(
            ["perf", "record", "-q", "-e", "cpu-clock", "-F", "5000",
             "-o", data, "-p", ",".join(map(str, running.cgroup.pids()))],
            stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        sent = running.room.send()
        running.room.wait_written(sent.bytes)
        perf.terminate()
        perf.wait()
    told = subprocess.run(
        ["perf", "report", "-i", data, "--stdio", "-t", "|",
         "--sort", "comm,dso,symbol"], capture_output=True, text=True).stdout
    data.unlink(missing_ok=True)
    found = Counter()
    for line in told.splitlines():
        if sample := SAMPLE.match(line):
            share, thread, library, ring, name = sample.groups()
            # Without symbols, as code made at run time: the library's name.
            if name.startswith("0x"):
                name = re.sub(r" tid.*|\.so.*", "", library)
            found[thread, name + " (kernel)" * (ring == "k")] += float(share)
    return found


def write(bench):
    found = Counter(samples(bench, 100000 if bench.is_quick else 300000))
    if not found:
        return
    threads = Counter()
    for (thread, _), share in found.items():
        threads[thread] += share
    kernel = sum(share for (_, name), share in found.items()
                 if name.endswith("(kernel)"))
    print("\nWhere sluiced's time goes at saturation: " + ", ".join(
        f"{thread} {share:.0f} %" for thread, share in threads.most_common(3))
        + f"; the kernel {kernel:.0f} % of all.\n")
    for (thread, name), share in found.most_common(16):
        print(f"  {share:5.1f} %  {thread:16} {name}")
