# SPDX-License-Identifier: Apache-2.0
"""A worker that is dead, but does not end because a thread of it waits for a
disk, is replaced.  The next worker receives at once, and writes when the dead
one has ended."""
import os
import signal

import pytest

from harness.config import lua_filter
from harness.daemon import is_alive, run, stopped
from harness.faults import Faults, hang_on_second
from harness.log_file import Filed
from harness.reload import reload_until, wait_for_reload
from harness.sender import Sender, datagram
from harness.stream import numbered
from harness.unreaped import Unreaped
from harness.wait import SAN, wait_until

# A sanitizer catches SIGSEGV.
DIES = [signal.SIGKILL, signal.SIGABRT] + [signal.SIGSEGV] * (not SAN)


@pytest.fixture
def faults(room):
    faults = Faults(room, room.out)
    yield faults
    faults.end()


@pytest.fixture
def hold():
    """Let the thread of that name of a worker not end."""
    held = []

    def make(worker, name="pipeline"):
        held.append(Unreaped(worker, name))
        return held[-1]
    yield make
    for thread in held:
        thread.end()


def receive(daemon, sender, numbers):
    sender.send(*(datagram({"n": n}) for n in numbers))
    wait_until(lambda: daemon.metrics().received == numbers[-1] + 1,
               "the messages")


def check_nothing_written(daemon, out):
    metrics = daemon.metrics()
    assert metrics.written == 1
    assert metrics.sum("sluiced_pipeline_blocked") == 1
    metrics.check_accounting_equation()
    assert out.lines() == [b"0"]


@pytest.mark.parametrize("number", DIES)
def test_the_next_worker_receives_and_writes_later(
        room, out, start, faults, hold, number):
    daemon = start(numbered(room, "Health_Check On", template="{n}"),
                   env=faults.env)
    with Sender(room.socket) as sender:
        hang_on_second(daemon, sender, faults)
        dead = hold(daemon.worker())
        dead.kill(number)
        daemon.wait_for_worker(1)
        receive(daemon, sender, range(2, 100))
        faults.end()
        assert daemon.get("/api/v1/health").status == 500
        check_nothing_written(daemon, out)
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "done", 1)
        receive(daemon, sender, range(100, 200))
        check_nothing_written(daemon, out)
    dead.end()
    metrics = daemon.wait_for_messages(200)
    assert metrics.sum("sluiced_worker_deaths_total") == 1
    assert metrics.sum("sluiced_pipeline_blocked") == 0
    assert daemon.get("/api/v1/health").status == 200
    assert out.lines() == [b"%d" % n for n in range(200)]
    assert f'worker={dead.pid} err="the worker is dead, but its process does' \
        in daemon.log()


def test_a_second_death_meanwhile_changes_nothing(
        room, out, start, faults, hold):
    daemon = start(numbered(room, template="{n}"), env=faults.env)
    with Sender(room.socket) as sender:
        hang_on_second(daemon, sender, faults)
        first = hold(daemon.worker())
        first.kill(signal.SIGKILL)
        daemon.wait_for_worker(1)
        [worker] = set(daemon.workers()) - {first.pid}
        second = hold(worker)
        second.kill(signal.SIGKILL)
        daemon.wait_for_worker(2)
        receive(daemon, sender, range(2, 100))
        faults.end()
        second.end()
        wait_until(lambda: f"worker={second.pid} state=ended" in daemon.log(),
                   "the second one to be reaped")
        check_nothing_written(daemon, out)
    first.end()
    daemon.wait_for_messages(100)
    assert out.lines() == [b"%d" % n for n in range(100)]


def test_a_worker_that_the_watchdog_replaces(room, out, start, hold):
    gate = room.path / "gate"
    os.mkfifo(gate)
    daemon = start(numbered(room, "Hook_Timeout 1", template="{n}")
                   + lua_filter(room, f"""
        function hook(tag, timestamp, record)
            if record["n"] == 1 then io.open('{gate}') end
            return 0, timestamp, record
        end"""))
    dead = hold(daemon.worker())
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}))
        wait_until(lambda: daemon.metrics().written == 1, "the first line")
        sender.send(datagram({"n": 1}))
        dead.wait()
        daemon.wait_for_worker(1)
        receive(daemon, sender, range(2, 100))
        check_nothing_written(daemon, out)
    dead.end()
    metrics = daemon.wait_for_messages(100)
    assert metrics.dropped("killed_worker") == 1
    assert out.lines() == [b"%d" % n for n in range(100) if n != 1]


@pytest.mark.parametrize("size", ["64M", "2M"])
def test_sluiced_stops_although_a_dead_worker_does_not_end(
        room, out, start, faults, hold, size):
    """The dead worker's lock holds even if the next one shall have a journal of
    another size."""
    text = numbered(room, "storage.max_size 64M", template="{n}", grace="1")
    daemon = start(text, env=faults.env)
    with Sender(room.socket) as sender:
        hang_on_second(daemon, sender, faults)
        dead = hold(daemon.worker())
        text = text.replace("64M", size)
        room.write("sluiced.conf", text)
        dead.kill(signal.SIGKILL)
        daemon.wait_for_worker(1)
        receive(daemon, sender, range(2, 100))
    daemon.signal(signal.SIGTERM)
    daemon.check_end(queued=99)
    assert "action=\"leaving the messages in the journal\"" in daemon.log()
    assert out.lines() == [b"0"]
    faults.end()
    code, _, err = run("-c", room.write("next.conf", text))
    assert code == 71 and "in use by another sluiced" in err
    assert out.lines() == [b"0"]
    dead.end()
    daemon = start(text)
    daemon.wait_for_messages(100)
    assert out.lines() == [b"%d" % n for n in range(100)]


def test_a_worker_that_dies_while_sluiced_stops(
        room, out, start, faults, hold):
    daemon = start(numbered(room, template="{n}", grace="600"),
                   env=faults.env)
    with Sender(room.socket) as sender:
        hang_on_second(daemon, sender, faults)
        dead = hold(daemon.worker())
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: "state=draining" in daemon.log(), "it to drain")
        dead.kill(signal.SIGKILL)
        daemon.wait_for_worker(1)
        receive(daemon, sender, range(2, 100))
    faults.end()
    assert out.lines() == [b"0"]
    dead.end()
    daemon.check_end()
    assert out.lines() == [b"%d" % n for n in range(100)]


def hold_loading(hold, worker):
    """False if the worker was killed before it could be held."""
    def has_name():
        with open(f"/proc/{worker}/comm") as comm:
            return comm.read() == "sluiced-worker\n"
    try:
        wait_until(lambda: has_name() or not is_alive(worker), "its name")
        hold(worker, "sluiced-worker")
        return True
    except OSError:
        return False


def test_a_worker_that_hangs_while_loading_blocks_no_later_reload(
        room, start, hold):
    gate = room.path / "gate"
    os.mkfifo(gate)
    daemon = start(numbered(room, "Reload_Timeout 1")
                   + lua_filter(room, "function hook() return 0 end"))
    old = daemon.worker()
    script = room.path / "hook.lua"
    good = script.read_text()
    script.write_text(f"io.open('{gate}')")
    attempts = 0
    is_held = False
    while not is_held:
        attempts += 1
        daemon.signal(signal.SIGHUP)
        # On a slow machine, Reload_Timeout may be over at any moment.
        wait_until(lambda: len(daemon.workers()) == 2 or daemon.log().count(
            "reload=failed") == attempts, "a worker")
        with stopped(daemon.process.pid):
            new = set(daemon.workers()) - {old}
            is_held = new != set() and hold_loading(hold, new.pop())
        wait_for_reload(daemon, "failed", attempts)
    script.write_text(good)
    reload_until(daemon, 1, "reload=done")


@pytest.mark.skipif(SAN == "thread", reason="TSan allows no thread in a "
                    "process that a process with threads has forked")
def test_a_log_file_that_hangs_delays_no_line(room, out, hold):
    """Only a thread that writes lines delays those of the next worker."""
    daemon = Filed(room, room.path / "own.log")
    try:
        dead = hold(daemon.worker(), "sluiced-log")
        dead.kill(signal.SIGKILL)
        daemon.wait_for_worker(1)
        with Sender(room.socket) as sender:
            sender.send(*(datagram({"n": n}) for n in range(100)))
        daemon.wait_for_messages(100)
        assert out.lines() == [b"%d" % n for n in range(100)]
        dead.end()
        daemon.stop()
    finally:
        daemon.kill()
