# SPDX-License-Identifier: Apache-2.0
"""The container stands still for longer than a deadline, because it is frozen
(docker pause) or because its machine moves to another host.  The clock does not
stand still.  The supervisor kills no worker that had no time to act, and the
worker does not give up a write that had no time to end.

The clock of these tests jumps by 100 seconds."""
import os
import re
import signal
import time

import pytest

from harness.config import lua_filter
from harness.daemon import suspend
from harness.faults import Faults
from harness.gate import Gate
from harness.grace import pass_grace
from harness.reload import wait_for_reload
from harness.sender import Sender, datagram
from harness.stream import numbered
from harness.wait import wait_until

STALL_MS = 100_000
HOOK = "function hook(t, ts, r) return 0, ts, r end"


class Clock:
    def __init__(self, faults):
        self.faults = faults
        self.ms = time.monotonic_ns() // 1000000
        faults.order(clock_ms=self.ms)

    def jump(self, daemon):
        """Wait until the supervisor has noticed.  It would then kill the worker
        before it reads another signal."""
        self.faults.order(clock_ms=self.ms + STALL_MS)
        wait_until(lambda: "stalled_ms=" in daemon.log()
                   or "kill" in daemon.log(), "the supervisor to notice")
        for _ in range(2):
            daemon.signal(signal.SIGCHLD)
            wait_until(lambda: not is_pending(daemon, signal.SIGCHLD),
                       "the signal to be read")
        assert "kill" not in daemon.log(), daemon.log()


def is_pending(daemon, number):
    with open(f"/proc/{daemon.process.pid}/status") as status:
        pending = int(re.search(r"ShdPnd:\t(\w+)", status.read())[1], 16)
    return pending >> (number - 1) & 1


@pytest.fixture
def faults(room):
    return Faults(room, room.out)


def test_a_stalled_stop_kills_no_worker(room, out, start, faults):
    daemon = start(numbered(room, template="{n}", flush="3600", grace="1"),
                   env=faults.env)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    wait_until(lambda: daemon.metrics().received == 10, "the messages")
    clock = Clock(faults)
    worker = daemon.worker()
    suspend(worker)
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: "action=stopping" in daemon.log(), "the signal")
    clock.jump(daemon)
    os.kill(worker, signal.SIGCONT)
    daemon.check_end()
    assert out.lines() == [b"%d" % n for n in range(10)]


def test_a_stall_does_not_count_for_reload_timeout(room, start, faults):
    daemon = start(numbered(room) + lua_filter(room, HOOK), env=faults.env)
    gate = Gate(room)
    (room.path / "hook.lua").write_text(f"{gate.lua}\n{HOOK}")
    clock = Clock(faults)
    daemon.signal(signal.SIGHUP)
    gate.wait()
    clock.jump(daemon)
    gate.open()
    wait_for_reload(daemon, "done", 1)


def test_a_stall_kills_no_worker_that_leaves(room, start, faults):
    daemon = start(numbered(room), env=faults.env)
    clock = Clock(faults)
    old = daemon.worker()
    suspend(old)
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.log().count("state=started") == 2,
               "the next worker")
    clock.jump(daemon)
    os.kill(old, signal.SIGCONT)
    wait_for_reload(daemon, "done", 1)
    assert daemon.metrics().sum("sluiced_worker_deaths_total") == 0


def test_a_stalled_write_does_not_miss_the_deadline(room, start, faults):
    """The write ends at once when the processes run again."""
    daemon = start(numbered(room, template="{n}", grace="0"), env=faults.env)
    faults.order(hold=True)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
    wait_until(lambda: daemon.metrics().received == 1, "the message")
    wait_until(lambda: faults.held, "a write")
    stopped_ms = pass_grace(daemon, faults, hold=True)
    later = dict(clock_ms=stopped_ms + STALL_MS)
    faults.order(hold=True, **later)
    wait_until(lambda: "stalled_ms=" in daemon.log()
               or daemon.process.poll() is not None, "the stall")
    for _ in range(2):  # the worker's loop has run its timers in between
        daemon.metrics()
    faults.order(**later)
    assert daemon.wait() == 0
    daemon.has_ended = True
    assert "the pipeline does not end" not in daemon.log()
