# SPDX-License-Identifier: Apache-2.0
"""Lines and dead letters that wait in memory for a file that cannot be written:
the journal is in memory, or they cannot be spilled.  Their messages have left
the journal, so nobody but their worker can write them."""
import os
import re
import signal

import pytest

from harness.daemon import is_alive
from harness.faults import fill_disk
from harness.reload import wait_for_reload
from harness.sender import Sender, datagram
from harness.wait import wait_until

from test_dead_letter import read, with_parser

COUNT = 50


class Waiting:
    """Half of the messages wait for a path that is a directory.  The other half
    can be written."""

    def __init__(self, room, out, kind):
        self.room, self.out = room, out
        self.letters = room.path / "kept" / "letters.jsonl"
        self.bad = self.letters if kind == "letters" else (
            room.out / "lines.log")
        self.bad.mkdir(parents=True)
        self.output = "dead_letter" if kind == "letters" else "file.0"
        self.sent = 0

    def config(self, *lines, grace="60"):
        text = with_parser(self.room, f"Dead_Letter {self.letters}", *lines)
        return text.replace("Grace 60", f"Grace {grace}")

    def send(self, daemon):
        """Returns when all these messages have left the journal."""
        numbers = range(self.sent, self.sent + COUNT)
        with Sender(self.room.socket) as sender:
            for n in numbers:
                sender.send(datagram({"n": n}), b"junk %d" % n)
        self.sent += COUNT
        wait_until(lambda: (m := daemon.metrics()).received == 2 * self.sent
                   and m.written + m.dead_lettered + m.dropped() >= self.sent
                   and m.sum("sluiced_journal_pending_bytes") == 0,
                   lambda: f"an empty journal:\n{daemon.log()[-2000:]}")

    def wait_until_reload_waits(self, daemon):
        wait_until(lambda: re.search(
            rf"reload=waiting queued={self.sent} lines_in_memory={self.sent} ",
            daemon.log()), lambda: f"the reload to wait:\n{daemon.log()}")

    def end(self):
        self.bad.rmdir()

    def check_all_written(self):
        numbers = range(self.sent)
        wait_until(lambda: self.out.has(self.sent), "the lines")
        assert self.out.lines() == [b"%d" % n for n in numbers]
        wait_until(lambda: [letter["bytes"] for letter in read(self.letters)]
                   == [b"junk %d" % n for n in numbers], "the dead letters")

    def check_lost(self, daemon):
        assert re.search(rf"level=error .*\b(output={self.output} .*)?"
                         rf"lost={self.sent} ", daemon.log()), daemon.log()


@pytest.fixture(params=["lines", "letters"])
def waiting(request, room, out):
    return Waiting(room, out, request.param)


@pytest.mark.parametrize("after", ["memory", "filesystem"])
def test_a_reload_waits_for_lines_in_memory(room, start, waiting, after):
    """The worker receives meanwhile, and writes the other file."""
    daemon = start(waiting.config("storage.type memory"))
    worker = daemon.worker()
    waiting.send(daemon)
    room.write("sluiced.conf", waiting.config(f"storage.type {after}"))
    daemon.signal(signal.SIGHUP)
    waiting.wait_until_reload_waits(daemon)
    waiting.send(daemon)
    assert worker in daemon.workers()
    waiting.end()
    daemon.signal(signal.SIGUSR1)
    wait_for_reload(daemon, "done", 1)
    assert daemon.worker() != worker
    waiting.check_all_written()
    assert "lost=" not in daemon.log()


def test_the_old_worker_keeps_lines_in_memory_if_the_next_one_dies(
        start, waiting):
    daemon = start(waiting.config("storage.type memory"))
    worker = daemon.worker()
    waiting.send(daemon)
    daemon.signal(signal.SIGHUP)
    waiting.wait_until_reload_waits(daemon)
    [following] = set(daemon.workers()) - {worker}
    os.kill(following, signal.SIGKILL)
    wait_for_reload(daemon, "failed", 1)
    waiting.end()
    counts = daemon.wait_for_messages(2 * COUNT)
    assert (counts.written, counts.dead_lettered) == (COUNT, COUNT)
    assert daemon.worker() == worker
    waiting.check_all_written()


def test_a_stop_retries_lines_in_memory_until_grace_is_over(start, waiting):
    daemon = start(waiting.config("storage.type memory"))
    waiting.send(daemon)
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: f"lines_in_memory={COUNT} " in daemon.log(),
               "sluiced to report that it retries")
    waiting.end()
    daemon.check_end()
    assert daemon.final_counts() == (2 * COUNT, COUNT, 0, COUNT, 0)
    waiting.check_all_written()


@pytest.mark.parametrize("is_reloading", [False, True])
def test_lines_in_memory_that_a_stop_loses_are_logged_and_counted(
        start, waiting, is_reloading):
    daemon = start(waiting.config("storage.type memory", grace="1"))
    waiting.send(daemon)
    if is_reloading:
        daemon.signal(signal.SIGHUP)
        waiting.wait_until_reload_waits(daemon)
    daemon.signal(signal.SIGTERM)
    daemon.check_end()
    waiting.check_lost(daemon)
    received, _, dropped, _, queued = daemon.final_counts()
    assert (received, dropped, queued) == (2 * COUNT, COUNT, 0)


def test_lines_in_memory_that_are_lost_without_a_supervisor_are_logged(
        start, waiting):
    daemon = start(waiting.config("storage.type memory", grace="1"))
    worker = daemon.worker()
    waiting.send(daemon)
    daemon.process.kill()
    daemon.wait()
    daemon.has_ended = True
    wait_until(lambda: not is_alive(worker), "the end of the worker")
    waiting.check_lost(daemon)
    received, _, dropped, _, queued = daemon.final_counts()
    assert (received, dropped, queued) == (2 * COUNT, COUNT, 0)


def test_lines_of_a_full_disk_that_are_lost_without_a_supervisor_are_logged(
        room, start):
    """Their messages are still in the journal, which is in memory."""
    fill_disk(room)
    daemon = start(with_parser(room, "storage.type memory").replace(
        "Grace 60", "Grace 1"))
    worker = daemon.worker()
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(COUNT)))
    wait_until(lambda: (m := daemon.metrics()).received == COUNT
               and m.sum("sluiced_pipeline_blocked"), "a full disk")
    daemon.process.kill()
    daemon.wait()
    daemon.has_ended = True
    wait_until(lambda: not is_alive(worker), "the end of the worker")
    lost = re.findall(r"level=error .* output=file.0 lost=(\d+) ",
                      daemon.log())
    assert sum(map(int, lost)) == COUNT
    received, _, dropped, _, queued = daemon.final_counts()
    assert (received, dropped, queued) == (COUNT, COUNT, 0)


# --- the journal has a file, but there can be no spill

def wait_in_memory(daemon, waiting):
    """After ten attempts to spill the lines, other files are written."""
    with Sender(waiting.room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(COUNT)))
    waiting.sent += COUNT

    def is_in_memory():
        daemon.signal(signal.SIGUSR1)  # ends the back-off
        return "action=\"keeping them in memory" in daemon.log()
    wait_until(is_in_memory, lambda: f"it:\n{daemon.log()[-3000:]}")
    wait_until(lambda: daemon.metrics().sum("sluiced_journal_pending_bytes")
               == 0, "an empty journal")


@pytest.fixture
def unspilled(room, out):
    (room.path / ".sluiced.journal.spill").touch()
    return Waiting(room, out, "lines")


def test_a_reload_waits_for_lines_that_cannot_be_spilled(
        out, start, unspilled):
    daemon = start(unspilled.config())
    wait_in_memory(daemon, unspilled)
    daemon.signal(signal.SIGHUP)
    unspilled.wait_until_reload_waits(daemon)
    unspilled.end()
    daemon.signal(signal.SIGUSR1)
    wait_for_reload(daemon, "done", 1)
    counts = daemon.wait_for_messages(COUNT)
    assert (counts.written, counts.dropped()) == (COUNT, 0)
    assert out.lines() == [b"%d" % n for n in range(COUNT)]


def test_lines_that_could_not_be_spilled_before_a_kill_are_logged_and_counted(
        start, unspilled):
    daemon = start(unspilled.config())
    wait_in_memory(daemon, unspilled)
    ready = daemon.ready_count()
    daemon.kill_worker()
    daemon.wait_for_worker(ready)
    counts = daemon.wait_for_messages(COUNT)
    assert counts.dropped("write_failed") == COUNT
    unspilled.check_lost(daemon)


def test_lines_that_could_not_be_spilled_are_logged_without_a_supervisor(
        start, unspilled):
    """The next start counts them."""
    config = unspilled.config(grace="1")
    daemon = start(config)
    worker = daemon.worker()
    wait_in_memory(daemon, unspilled)
    daemon.process.kill()
    daemon.wait()
    daemon.has_ended = True
    wait_until(lambda: not is_alive(worker), "the end of the worker")
    unspilled.check_lost(daemon)
    counts = start(config).wait_for_messages(COUNT)
    assert counts.dropped("write_failed") == COUNT


def test_lines_that_could_not_be_spilled_are_written_without_a_supervisor(
        out, start, unspilled):
    daemon = start(unspilled.config())
    worker = daemon.worker()
    wait_in_memory(daemon, unspilled)
    daemon.process.kill()
    daemon.wait()
    daemon.has_ended = True
    wait_until(lambda: f"lines_in_memory={COUNT} " in daemon.log(),
               "the worker to report that it retries")
    unspilled.end()
    wait_until(lambda: not is_alive(worker), "the end of the worker")
    assert out.lines() == [b"%d" % n for n in range(COUNT)]
