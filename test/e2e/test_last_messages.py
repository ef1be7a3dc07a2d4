# SPDX-License-Identifier: Apache-2.0
"""A worker dies, and the supervisor has not yet read its last messages."""
import errno
import fcntl
import os
import re
import signal
from contextlib import contextmanager

import pytest

from harness.config import lua_filter
from harness.daemon import is_alive, stopped
from harness.faults import empty_disk, fill_disk
from harness.gate import Gate
from harness.sender import Sender, datagram
from harness.strace import Strace, why_not
from harness.stream import numbered
from harness.wait import wait_until

needs_strace = pytest.mark.skipif(bool(why_not()), reason=why_not())


def config(room, *lines, **more):
    return numbered(room, *lines, template="{n}", grace="0", **more)


def send(room, numbers):
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in numbers))


def newest(daemon):
    """The worker that has last read its configuration."""
    return int(re.findall(r"worker=(\d+) state=started", daemon.log())[-1])


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), "the worker's death")


@contextmanager
def locked(path):
    """A worker that makes this journal waits meanwhile: it has this name until
    it is complete."""
    path = path.with_name(f"{path.name}.new")
    with path.open("x") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        path.unlink()


def test_a_signal_to_stop_counts_although_the_worker_that_got_it_dies(
        room, start):
    daemon = start(config(room))
    worker = daemon.worker()
    with stopped(daemon.process.pid):
        # Before the supervisor hears of the death, it reads only the first.
        for number in signal.SIGHUP, signal.SIGTERM:
            os.kill(worker, number)
            wait_until(lambda: f'signal={int(number)} action="passing it on'
                       in daemon.log(), "the signal")
        kill(worker)
    assert daemon.wait() == 0
    daemon.has_ended = True
    assert "signal=15 action=stopping" in daemon.log()


@needs_strace
def test_the_journal_of_a_worker_is_known_although_it_dies(room, out, start):
    """The new worker of a reload opens its journal, and dies, while the
    supervisor is busy with the end of the old one."""
    fill_disk(room)
    daemon = start(config(room, f"storage.path {room.path / 'one'}"))
    two = room.path / "two"
    room.write("sluiced.conf", config(room, f"storage.path {two}"))
    with locked(two):
        room.faults.order(error=errno.ENOSPC, hold_exit=True)
        daemon.signal(signal.SIGHUP)
        # The old worker has left, but does not end yet.
        wait_until(lambda: "reload=done" in daemon.log(), "the reload")
        strace = Strace(room, daemon.process.pid,
                        "inject=wait4:delay_enter=1000000000:when=1")
        room.faults.order(error=errno.ENOSPC)
        wait_until(lambda: any(call.startswith("wait4(-1, ")
                               for call in strace.calls()[-1:]),
                   "the old worker's end")
    wait_until(lambda: daemon.ready_count() == 2, "the new worker")
    send(room, range(6))
    wait_until(lambda: (m := daemon.metrics()).received == 6
               and m.sum("sluiced_pipeline_blocked"), "the lines")
    two.unlink()
    kill(newest(daemon))
    strace.end()
    daemon.wait_for_worker(2)
    empty_disk(room)
    assert daemon.wait_for_messages(6).received == 6
    assert out.lines() == [b"%d" % n for n in range(6)]


class Moved:
    """A worker has moved 50 messages to a new file of another size, because a
    reload changes it, and is stopped before it can say so."""

    def __init__(self, room, start):
        fill_disk(room)
        self.gate = Gate(room)
        self.daemon = start(config(room, "storage.max_size 2M"))
        self.path = room.path / ".sluiced.journal"
        send(room, range(50))
        wait_until(lambda: (m := self.daemon.metrics()).received == 50
                   and m.sum("sluiced_pipeline_blocked"), "the lines")
        room.write("sluiced.conf", config(room, "storage.max_size 4M")
                   + lua_filter(room, f"""
                   {self.gate.lua}
                   function hook() return 0 end"""))
        old = self.daemon.worker()
        self.daemon.signal(signal.SIGHUP)
        self.gate.wait()
        [self.worker] = set(self.daemon.workers()) - {old}
        self.strace = Strace(
            room, self.worker,
            "inject=rename,renameat,renameat2:signal=STOP:when=1")
        self.gate.renew()
        self.gate.open()
        wait_until(self.strace.sees_stop, "the new file")

    def kill(self):
        """The next worker waits at the gate."""
        kill(self.worker)
        self.strace.end()
        self.gate.wait()

    def check(self, out, lines):
        """The next worker has the messages."""
        self.gate.open()
        self.daemon.wait_for_worker(1)
        empty_disk(self.daemon.room)
        counts = self.daemon.wait_for_messages(lines)
        assert counts.received == lines
        assert out.lines() == [b"%d" % n for n in range(lines)]


@pytest.fixture
def moved(room, start):
    return Moved(room, start)


@needs_strace
def test_a_worker_dies_when_it_has_moved_the_journal(out, moved):
    moved.kill()
    moved.check(out, 50)
    assert "lost=" not in moved.daemon.log()


@needs_strace
def test_the_new_file_is_removed_before_the_supervisor_knows_it(out, moved):
    """The old file has the same messages."""
    moved.path.unlink()
    moved.kill()
    moved.check(out, 50)


@needs_strace
def test_the_new_file_is_removed_before_the_next_worker_opens_it(out, moved):
    moved.kill()
    moved.path.unlink()
    moved.check(out, 50)


@needs_strace
def test_the_new_file_is_replaced_before_the_supervisor_knows_it(out, moved):
    """The number of lost messages is logged."""
    moved.path.unlink()
    moved.path.write_text("another file")
    moved.kill()
    assert ' lost=50 ' in moved.daemon.log()
    moved.check(out, 0)
