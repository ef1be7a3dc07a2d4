# SPDX-License-Identifier: Apache-2.0
"""Profiles the runs that missed a goal.

perf samples sluiced by the clock, which every machine has, in user space and in
the kernel.  Code that runs with interrupts off is attributed to the function
that enables them again: finish_task_switch, _raw_spin_unlock_irqrestore."""
import os
import re
import shutil
import subprocess
from collections import Counter, namedtuple
from contextlib import contextmanager

from run import Load, Running

Sample = namedtuple("Sample", "thread function caller")

# The system call or fault for which the kernel runs.
CALLER = r"^((__(x64|arm64|do|se)_|k)sys|asm_exc)_"
# A line of perf report.
FOUND = re.compile(r"\s*(\d+)\s*\|\s*(.*?)\s*\|\s*(.*?)\s*\|"
                   r"\s*\[(.)\]\s+([^\s|]+)\s*\|\s*([^\s|]+)")


@contextmanager
def _recording(record):
    """perf, which records when this returns.  perf would end if the pipes were
    closed."""
    control, ack = os.pipe(), os.pipe()
    perf = subprocess.Popen(
        [*record, "-D", "-1", "--control", f"fd:{control[0]},{ack[1]}"],
        pass_fds=(control[0], ack[1]), stderr=subprocess.DEVNULL)
    os.close(control[0])
    os.close(ack[1])
    os.write(control[1], b"enable\n")
    os.read(ack[0], 5)  # "ack\n", or nothing if perf has ended
    try:
        yield
    finally:
        perf.terminate()
        perf.wait()
        os.close(control[1])
        os.close(ack[0])


def _record(bench, collector, load, data):
    record = ["perf", "record", "-q", "-e", "cpu-clock", "-g",
              "--kernel-callchains", "-o", data, "-F"]
    if load is None:
        with Running(bench, collector, Load(0), [*record, "20000"]):
            return
    with Running(bench, collector, load) as running:
        warm_bytes = running.room.warm_up()
        pids = ",".join(map(str, running.cgroup.pids()))
        with _recording([*record, "5000", "-p", pids]):
            sent = running.room.send()
            running.room.wait_written(warm_bytes + sent.bytes)


def samples(bench, collector, load):
    """A Counter of Samples; the caller is "" in user space.  Without a load,
    samples the start of the collector."""
    assert shutil.which("perf"), "perf is not installed"
    data = bench.disk / "perf.data"
    _record(bench, collector, load, data)
    listing = subprocess.run(
        ["perf", "report", "-i", data, "--stdio", "-t", "|", "-g", "none",
         "--no-children", "-F", "sample,comm,dso,symbol,parent",
         "-p", CALLER], capture_output=True, text=True).stdout
    data.unlink(missing_ok=True)
    found = Counter()
    for match in filter(None, map(FOUND.match, listing.splitlines())):
        count, thread, library, ring, name, caller = match.groups()
        # For code without symbols, use the name of the library.
        if name.startswith("0x"):
            name = re.sub(r" tid.*|\.so.*", "", library)
        caller = re.sub(CALLER, "", caller).strip("[]") * (ring == "k")
        found[Sample(thread, name, caller)] += int(count)
    assert found, "perf recorded nothing"
    return found


def _shares(found, key):
    """[(key, percentage of all samples), ...], the largest first."""
    shares = Counter()
    for sample, count in found.items():
        shares[key(sample)] += 100 * count / found.total()
    return shares.most_common()


def _listed(shares):
    return ", ".join(f"{name} {share:.0f} %" for name, share in shares[:9]
                     if name and share >= 0.5)


def _write_profile(found, most):
    threads = _shares(found, lambda sample: sample.thread)
    callers = _shares(found, lambda sample: sample.caller)
    kernel = sum(share for name, share in callers if name)
    functions = _shares(found, lambda sample: (
        sample.thread, sample.function + " (kernel)" * bool(sample.caller)))
    print(f"  {found.total():,} samples: {_listed(threads)}\n"
          f"  the kernel {kernel:.0f} %: {_listed(callers)}\n")
    for (thread, name), share in functions[:most]:
        print(f"  {share:5.1f} %  {thread:16} {name}")


def write(bench, rows):
    """Profile each run that missed a goal once, and print the profile."""
    shown = dict.fromkeys((row.point, why) for row in rows
                          if row.met is False for why in row.whys)
    for number, (point, why) in enumerate(shown):
        bench.say(f"profiling: {why.title}")
        print(f"\nWhy point {point} missed its goal, {why.title}:")
        if why.details:
            print(f"  {why.details}")
        try:
            if why.run:
                _write_profile(samples(bench, *why.run), 10 if number else 16)
        except AssertionError as failure:
            print(f"  (no profile: {failure})")
