# SPDX-License-Identifier: Apache-2.0
"""A signal to stop comes before the first worker works."""
import fcntl
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness.daemon import SLUICED, environment
from harness.faults import Faults
from harness.sender import Sender, datagram
from harness.stream import numbered
from harness.wait import HANG_S, wait_until


class HeldStop:
    def __init__(self, room):
        self.room = room
        self.faults = Faults(room, room.out)
        self.journal = room.path / "journal"
        self.log_path = room.path / "held.txt"

    def __enter__(self):
        self.begin_ms = time.monotonic_ns() // 1000000
        self.faults.order(clock_ms=self.begin_ms)
        self.lock = self.journal.open("x")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        conf = self.room.write("sluiced.conf", numbered(
            self.room, f"storage.path {self.journal}", template="{n}",
            grace="600"))
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [SLUICED, "-c", str(conf)], stderr=log,
                env=environment(self.faults.env))
        self.wait_for("in use by another sluiced")
        with Sender(self.room.socket) as sender:
            sender.send(datagram({"n": 7}))
        # When the supervisor reads a signal, it has obeyed the one before.
        for number in signal.SIGTERM, signal.SIGCHLD:
            self.process.send_signal(number)
            wait_until(lambda: not self.is_pending(number),
                       "the signal to be read")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def is_pending(self, number):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        pending = int(re.search(r"ShdPnd:\t(\w+)", status)[1], 16)
        return pending >> (number - 1) & 1

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for(self, text, count=1):
        wait_until(lambda: self.log().count(text) >= count, text)

    def release(self):
        self.journal.unlink()
        self.lock.close()
        assert self.process.wait(HANG_S) == 0


@pytest.fixture
def held_stop(room):
    """The first worker waits for its journal, and a signal to stop is held."""
    with HeldStop(room) as held:
        yield held


def test_grace_begins_with_a_signal_to_stop_that_is_held(out, held_stop):
    """Five seconds of the clock pass until the journal is free."""
    held_stop.faults.order(clock_ms=held_stop.begin_ms + 5000)
    held_stop.release()
    assert "state=draining grace_ms=595000 " in held_stop.log()
    assert out.lines() == [b"7"]


def test_deaths_do_not_delay_a_stop_that_is_held_for_long(out, held_stop):
    """The clock advances by a second after each death."""
    for death in range(1, 8):
        held_stop.wait_for("in use by another sluiced", death)
        worker = re.findall(r"worker=(\d+) state=started", held_stop.log())[-1]
        os.kill(int(worker), signal.SIGABRT)
        held_stop.wait_for("the worker died", death)
        held_stop.wait_for("restart_ms=", death - 1)
        held_stop.faults.order(
            clock_ms=held_stop.begin_ms + death * 1100)
    held_stop.wait_for("in use by another sluiced", 8)
    held_stop.faults.end()
    held_stop.release()
    delays = re.findall(r"restart_ms=(\d+)", held_stop.log())
    assert delays == ["100", "200", "400", "800", "1000", "1000"]
    assert out.lines() == [b"7"]
