# SPDX-License-Identifier: Apache-2.0
"""Under a pod's CPU limit: the pipeline holds back, by the limit that the
kernel keeps, and all lines are there."""
import os
import time
from pathlib import Path
from signal import SIGUSR1

import pytest

from harness.config import (json_filter, lua_filter, service, syslog_input,
                            template)
from harness.sender import Sender, datagram
from harness.wait import wait_until

GROUPS = Path("/sys/fs/cgroup")
LIMITS = {  # file, what it holds for 150m
    GROUPS / "cpu": {"cpu.cfs_period_us": 100000, "cpu.cfs_quota_us": 15000},
    GROUPS: {"cpu.max": "15000 100000"},
}


@pytest.fixture
def group():
    """A control group of 150m, of version 1 or 2."""
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
        yield path
        wait_until(lambda: not (path / "cgroup.procs").read_text(), "its end")
        path.rmdir()
        return
    pytest.skip("needs a control group of its own, as root")


def test_the_pipeline_holds_back_so_that_receiving_never_stops(
        group, room, out, start):
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
    (group / "cgroup.procs").write_text(str(daemon.worker()))
    with Sender(room.socket) as sender:
        for n in range(500):
            sender.send(datagram({"n": n}))
    counts = daemon.settled(500, timeout_s=60)
    assert counts.sum("sluiced_cpu_limit_cores") == 0.15
    assert counts.sum("sluiced_pipeline_throttled_seconds_total") > 0
    assert counts.written == 500 and counts.dropped() == 0
    assert out.lines() == [f"{n} 2001000".encode() for n in range(500)]
    daemon.stop()


def test_only_the_time_that_it_rested_counts(group, room, start):
    """An order ends a rest, and all others of that batch."""
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
    (group / "cgroup.procs").write_text(str(daemon.worker()))
    began_s = time.monotonic()
    with Sender(room.socket) as sender:
        for n in range(300):
            sender.send(datagram({"n": n}))
    time.sleep(1)
    daemon.signal(SIGUSR1)
    counts = daemon.settled(300, timeout_s=60)
    throttled_s = counts.sum("sluiced_pipeline_throttled_seconds_total")
    assert 0 < throttled_s <= time.monotonic() - began_s
    daemon.stop()
