# SPDX-License-Identifier: Apache-2.0
"""Runs one collector: starts it, sends lines, checks them, and measures the
cost."""
import os
import re
import shutil
import stat
import tempfile
import time
from collections import namedtuple
from dataclasses import dataclass, replace
from pathlib import Path

from machine import Counters, Process, wait_until

Sent = namedtuple("Sent", "sent refused bytes us")
# us: CPU per line, of the whole cgroup; kernel: the share of it in the kernel;
# rate: lines offered per second; peak_kb: peak resident memory, without the
# pages of the journal; sending: the Counters of the time in which lines were
# sent; behind: lines that were not yet written when sending ended; wrong: ""
# or the errors found in the output.
Result = namedtuple("Result", "us kernel sent refused rate peak_kb journal_kb "
                              "sending behind wrong")


@dataclass(frozen=True)
class Load:
    """The lines to send, their rate, and the limits of the collector."""
    count: int
    rate: int = 0        # per second; 0: as fast as possible
    blocking: bool = True
    queue: int = 4096    # net.unix.max_dgram_qlen of its namespace
    sockets: int = 8
    size: int = 800
    fields: int = 22
    written: int = 12
    vhosts: int = 1
    days: int = 1
    warm: int = 0        # lines sent first, which are not measured
    cpu_millicores: int = 0
    memory_bytes: int = 0

    def but(self, **changes):
        return replace(self, **changes)


class Room:
    """The directories of a run.  As in a pod, the socket and the journal are on
    a tmpfs, and the output is on a disk."""

    def __init__(self, bench, collector, load):
        self.bench = bench
        self.queue = load.queue
        self.collector = collector
        self.load = load
        self.path = Path(tempfile.mkdtemp(prefix="sluiced-bench-",
                                          dir=bench.tmpfs))
        self.disk = Path(tempfile.mkdtemp(prefix="out-", dir=bench.disk))
        self.socket = self.path / "log.sock"
        self.out = self.disk / "out"
        self.out.mkdir()
        # The time of line 0 is now, so that the year, which the header lacks,
        # is this year.
        self.epoch = int(time.time())
        if not collector.makes_directories:
            for day in (0, 1):
                (self.out / time.strftime("%Y-%m%d", time.gmtime(
                    self.epoch + day * 86400))).mkdir()

    def written(self):
        return min(self.collector.written, self.load.written)

    def shape(self):
        load = self.load
        return ["-z", load.size, "-f", load.fields, "-w", self.written(),
                "-v", load.vhosts, "-d", load.days, "-t", self.epoch]

    def field_names(self):
        done = self.bench.run("send", "-N", "-f", self.load.fields)
        return done.stdout.split()[:self.load.written]

    def send(self, first=0):
        load = self.load
        return self._send("-o", first, "-l", self.path / "lost",
                          "-r", load.rate, "-g", max(5, load.queue // 8),
                          *["-b"] * load.blocking, self.socket, load.count)

    def warm_up(self):
        """Send lines that are not measured, so that all files are open.  Their
        numbers follow the measured ones.  Returns their bytes."""
        if not self.load.warm:
            return 0
        sent = self._send("-o", self.load.count, "-b", self.socket,
                          self.load.warm)
        self.wait_written(sent.bytes)
        return sent.bytes

    def _send(self, *argv):
        done = self.bench.run("send", *self.shape(), "-s", self.load.sockets,
                              *argv)
        assert done.returncode == 0, done.stderr
        return Sent(*map(int, re.match(
            r"sent (\d+) refused (\d+) bytes (\d+) us (\d+)",
            done.stdout).groups()))

    def written_bytes(self):
        return sum(entry.stat().st_size for entry in _files(self.out))

    def wait_written(self, expected, patience_s=5):
        """Wait until all bytes are written.  False if nothing was written for
        patience_s."""
        last, since = -1, time.monotonic()
        while (now := self.written_bytes()) < expected:
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > patience_s:
                return False
            time.sleep(0.02)
        return True

    def check(self, first=0):
        """Check that each line was written once, as expected.  Returns the
        errors, or "" if there are none."""
        done = self.bench.run(
            "check", *self.shape(), "-o", first, "-l", self.path / "lost",
            "-p", self.collector.files, self.out,
            self.load.count + self.load.warm)
        assert done.returncode in (0, 1), done.stderr
        if done.returncode == 0:
            return ""
        missing, twice, wrong = map(int, re.search(
            r"missing (\d+) twice (\d+) wrong (\d+)", done.stdout).groups())
        return f"{missing} missing, {twice} twice, {wrong} wrong" + (
            f" ({done.stderr.strip()[:300]})" if wrong else "")

    def empty(self):
        shutil.rmtree(self.out)
        self.out.mkdir()

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.rmtree(self.disk, ignore_errors=True)


def _files(path):
    for entry in os.scandir(path):
        if entry.is_dir():
            yield from _files(entry.path)
        else:
            yield entry


def is_bound(path):
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


class Running:
    """A running collector in its room, a context manager."""

    def __init__(self, bench, collector, load, prefix=()):
        self.room = Room(bench, collector, load)
        argv, env = collector.start_command(self.room)
        self.process = Process(
            [*prefix, *argv], load.queue, self.room.path / "log",
            cwd=self.room.path, env=env, cpu_millicores=load.cpu_millicores,
            memory_bytes=load.memory_bytes)
        self.cgroup = self.process.cgroup
        try:
            wait_until(lambda: self.process.check_alive()
                       and is_bound(self.room.socket),
                       f"{collector.name}'s socket", 30)
            # rsyslog binds its socket a moment before it reads.
            self._wait_idle()
        except BaseException:
            self.process.close()
            self.room.remove()
            raise

    def _wait_idle(self):
        last = -1
        for _ in range(40):
            now = self.cgroup.cpu_ns()
            if now - last < 1000000:
                return
            last = now
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.process.stop()
        finally:
            self.room.remove()


def measure(bench, collector, load):
    """Start the collector, send, wait and check.  Returns its Result."""
    with Running(bench, collector, load) as running:
        room, cgroup = running.room, running.cgroup
        warm_bytes = room.warm_up()
        before = cgroup.counters()
        sent = room.send()
        sending = Counters(*(now - then for now, then in
                             zip(cgroup.counters(), before)))
        behind = warm_bytes + sent.bytes - room.written_bytes()
        room.wait_written(warm_bytes + sent.bytes)
        cpu_us = (cgroup.cpu_ns() - before.cpu_ns) / 1000
        kernel = cgroup.kernel_share()
        journal_kb = running.process.resident_kb()[1]
        peak_kb = running.process.peak_kb() - journal_kb
        running.process.stop()
        return Result(cpu_us / max(1, sent.sent), kernel, sent.sent,
                      sent.refused, load.count * 1000000 // max(1, sent.us),
                      peak_kb, journal_kb, sending,
                      behind * sent.sent // max(1, sent.bytes), room.check())
