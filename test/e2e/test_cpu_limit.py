# SPDX-License-Identifier: Apache-2.0
"""Under a pod's CPU limit, the pipeline throttles itself before the kernel
stops the whole process, so that receiving always has CPU left."""
import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from signal import SIGUSR1

import pytest

from harness import cgroup
from harness.config import (json_filter, lua_filter, service, syslog_input,
                            template)
from harness.sender import Sender, datagram
from harness.wait import HANG_S, SAN, wait_until

GROUPS = Path("/sys/fs/cgroup")
LIMITS = {  # the directory, and its files with their values for 150m
    GROUPS / "cpu": {"cpu.cfs_period_us": 100000, "cpu.cfs_quota_us": 15000},
    GROUPS: {"cpu.max": "15000 100000"},
}
LINES = 400 if SAN else 2000
CLIENTS = 16
REQUESTS = 200 if SAN else 2000
THROTTLED_S = "sluiced_pipeline_throttled_seconds_total"


class Group:
    def __init__(self, path):
        self.path = path

    def take(self, pid):
        (self.path / "cgroup.procs").write_text(str(pid))

    def periods(self):
        """How many periods there were in which a process wanted to run, and
        in how many of them the kernel stopped all processes."""
        stat = dict(line.split() for line in
                    (self.path / "cpu.stat").read_text().splitlines())
        return int(stat["nr_periods"]), int(stat["nr_throttled"])


@pytest.fixture
def group():
    """A control group with a limit of 150m, of version 1 or 2."""
    for top, files in LIMITS.items():
        path = top / f"sluiced-test-{os.getpid()}"
        try:
            path.mkdir()
            for name, value in files.items():
                (path / name).write_text(str(value))
        except OSError:
            if path.exists():
                path.rmdir()
            continue
        yield Group(path)
        cgroup.remove(path)
        return
    pytest.skip("needs root to make a control group")


def test_the_kernel_hardly_ever_stops_a_pipeline_with_too_much_work(
        group, room, out, start):
    """The kernel counts the periods in which it stopped the process because
    the limit was used up; in such a period nothing is received.  The pipeline
    must pause itself earlier."""
    daemon = start(
        service(flush="1") + syslog_input(room) + json_filter()
        + lua_filter(room, """
            function hook(tag, timestamp, record)
                record["sum"] = 0
                for i = 1, 2000 do
                    record.sum = record.sum + i
                end
                return 1, timestamp, record
            end""")
        + template("{n} {sum}", room))
    assert daemon.metrics().sum("sluiced_cpu_limit_cores") == 0
    group.take(daemon.worker())
    with Sender(room.socket) as sender:
        for n in range(LINES):
            sender.send(datagram({"n": n}))
    counts = daemon.wait_for_messages(LINES)
    periods, stopped = group.periods()
    assert counts.sum("sluiced_cpu_limit_cores") == 0.15
    assert counts.sum(THROTTLED_S) > 0
    assert periods > 10 and stopped <= periods / 2, (
        f"stopped by the kernel in {stopped} of {periods} periods")
    assert counts.written == LINES and counts.dropped() == 0
    assert out.lines() == [f"{n} 2001000".encode() for n in range(LINES)]
    daemon.stop()


def test_only_the_time_that_the_pipeline_really_paused_counts(
        group, room, start):
    """SIGUSR1 ends the pipeline's pause and prevents further pauses in the
    same batch.  The pauses that the metric counts cannot be longer than the
    time that has passed."""
    daemon = start(
        service(flush="1") + syslog_input(room) + json_filter()
        + lua_filter(room, """
            function hook(tag, timestamp, record)
                local sum = 0
                for i = 1, 50000 do
                    sum = sum + i
                end
                return 0, timestamp, record
            end""")
        + template("{n}", room))
    group.take(daemon.worker())
    began_s = time.monotonic()
    with Sender(room.socket) as sender:
        for n in range(300):
            sender.send(datagram({"n": n}))
    wait_until(lambda: daemon.metrics().sum(THROTTLED_S) > 0, "the first pause")
    daemon.signal(SIGUSR1)
    counts = daemon.wait_for_messages(300)
    assert counts.sum(THROTTLED_S) <= time.monotonic() - began_s
    daemon.stop()


def test_a_hook_reaches_its_limit_of_cpu_time_before_hook_timeout(
        group, room, out, start):
    """Its second of CPU takes almost seven seconds here.  The time in which it
    waits for a CPU does not count for Hook_Timeout, which would cost two
    workers and the line."""
    daemon = start(
        service(flush="0.1") + syslog_input(room) + json_filter()
        + lua_filter(room, """
            function hook(tag, timestamp, record)
                while record.n == 1 do end
                return 0, timestamp, record
            end""")
        + template("{n}", room))
    group.take(daemon.worker())
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}), datagram({"n": 2}))
    counts = daemon.wait_for_messages(2)
    assert counts.failures("time_limit", filter="lua.1") == 1
    assert counts.sum("sluiced_worker_deaths_total") == 0
    assert out.lines() == [b"1", b"2"]
    daemon.stop()


def test_a_flood_of_requests_leaves_cpu_to_receiving(group, room, start):
    """HTTP gets only a part of the limit, so the kernel hardly ever stops the
    process."""
    daemon = start(service(flush="1") + syslog_input(room) + json_filter()
                   + template("{n}", room))
    group.take(daemon.worker())
    request = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
    with ExitStack() as stack:
        clients = [stack.enter_context(
            socket.create_connection(daemon.address, timeout=HANG_S))
            for _ in range(CLIENTS)]
        for _ in range(REQUESTS // CLIENTS):
            for client in clients:
                client.sendall(request)
            for client in clients:
                while b"sluiced_build_info{" not in client.recv(1 << 18):
                    pass
    periods, stopped = group.periods()
    assert periods > 5 and stopped <= periods / 2, (
        f"stopped by the kernel in {stopped} of {periods} periods")
    daemon.stop()
