# SPDX-License-Identifier: Apache-2.0
"""Files that are moved or removed while sluiced writes to them: the next lines
go into a new file."""
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness.config import (json_filter, lua_filter, section, service,
                            syslog_input, template)
from harness.daemon import READY, SLUICED
from harness.gate import Gate
from harness.sender import Sender, datagram
from harness.wait import HANG_S, wait_until


class Counting:
    """Sends 0, 1, 2, ... and knows how many it has sent."""

    def __init__(self, room):
        self.sender = Sender(room.socket)
        self.sent = 0

    def send(self, count=1):
        for _ in range(count):
            self.sender.send(datagram({"n": self.sent}))
            self.sent += 1


@pytest.fixture
def counting(room, start):
    start.daemon = start(service(flush="0.02") + syslog_input(room)
                         + json_filter()
                         + template("{n}", room, file="day/lines.log"))
    counting = Counting(room)
    yield counting
    counting.sender.close()


def all_numbers(out):
    return sorted(int(line) for line in out.lines())


def exists_again(counting, path):
    """Send a line, and look whether there is a file again; for wait_until."""
    counting.send()
    return path.exists() and path.stat().st_size > 0


@pytest.mark.parametrize("asked", [True, False], ids=["SIGUSR1", "no signal"])
def test_no_line_is_lost_when_a_file_is_renamed(
        room, out, start, counting, asked):
    path = room.out / "day" / "lines.log"
    counting.send(10)
    start.daemon.wait_for_messages(10)
    inode = path.stat().st_ino
    path.rename(path.with_suffix(".old"))
    if asked:
        start.daemon.signal(signal.SIGUSR1)
    wait_until(lambda: exists_again(counting, path), "a new file")
    assert path.stat().st_ino != inode
    size = path.with_suffix(".old").stat().st_size
    counting.send(10)
    counts = start.daemon.wait_for_messages(counting.sent)
    assert path.with_suffix(".old").stat().st_size == size
    assert all_numbers(out) == list(range(counting.sent))
    assert counts.written == counting.sent


def test_a_removed_directory_is_created_again(room, out, start, counting):
    path = room.out / "day" / "lines.log"
    counting.send(10)
    start.daemon.wait_for_messages(10)
    shutil.rmtree(room.out)
    first = counting.sent
    wait_until(lambda: exists_again(counting, path), "a new directory")
    counting.send(10)
    start.daemon.wait_for_messages(counting.sent)
    assert all_numbers(out) == list(range(first, counting.sent))


def test_sigusr1_under_load_loses_no_line(room, out, start, counting):
    for _ in range(20):
        counting.send(50)
        start.daemon.signal(signal.SIGUSR1)
    start.daemon.wait_for_messages(1000)
    assert all_numbers(out) == list(range(1000))


def has_taken(pid, number):
    """Whether the process has taken the signal that was sent to it."""
    with open(f"/proc/{pid}/status") as status:
        pending = re.search(r"^ShdPnd:\s*(\w+)", status.read(), re.M)[1]
    return not int(pending, 16) & 1 << (number - 1)


@pytest.mark.parametrize("args", [[], ["--no-supervisor"]],
                         ids=["", "no supervisor"])
def test_sigusr1_does_not_end_a_worker_that_starts(room, args):
    """It comes while the worker reads its configuration."""
    gate = Gate(room)
    config = room.write("sluiced.conf", service() + syslog_input(room)
                        + lua_filter(room, f"{gate.lua}\n"
                                           "function hook() return 0 end")
                        + template("{message}", room))
    log = room.path / "sluiced.log"
    with open(log, "wb") as stderr:
        process = subprocess.Popen([SLUICED, "-c", config, *args],
                                   cwd=room.path, stderr=stderr)
    try:
        gate.wait()
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: process.poll() is not None
                   or has_taken(process.pid, signal.SIGUSR1), "the signal")
        gate.open()
        wait_until(lambda: process.poll() is not None
                   or READY in log.read_text(), "sluiced to be ready")
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG_S) == 0, log.read_text()
    finally:
        process.kill()


RETRIES = 40


def test_sigusr1_and_sighup_retry_at_once(room, out, start):
    """After six failures the back-off is 3.2 seconds, later 5.  Without the
    signals, as many failures as here would take more than two minutes."""
    daemon = start(service(flush="0.02") + syslog_input(room)
                   + template("{message}", room))
    (room.out / "lines.log").mkdir(parents=True)
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))

    def errors():
        return daemon.metrics().sum("sluiced_output_errors_total")
    wait_until(lambda: errors() >= 6, "six failures")
    began = time.monotonic()
    for _ in range(RETRIES):
        before = errors()
        daemon.signal(signal.SIGUSR1)
        wait_until(lambda: errors() > before, "the next failure")
    assert time.monotonic() - began < RETRIES * 3.2
    (room.out / "lines.log").rmdir()
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: out.has(1), "the line")
    daemon.wait_for_messages(1)


def test_a_file_that_cannot_be_opened_does_not_delay_the_others(
        room, out, start):
    """The path of one file is a directory."""
    daemon = start(service(flush="0.02") + syslog_input(room) + json_filter()
                   + section("FILTER", "Name rewrite_tag", "Match in",
                             "Rule $to ^(.*)$ $1.log false")
                   + section("OUTPUT", "Name file", "Match *",
                             f"Path {room.out}", "Format template",
                             "Template {n}"))
    (room.out / "bad.log").mkdir(parents=True)
    with Sender(room.socket) as sender:
        for n in range(50):
            sender.send(datagram({"to": "good" if n % 2 else "bad", "n": n}))
        wait_until(lambda: out.has(25, "good.log"), "the good file's lines")
        daemon.metrics().check_accounting_equation()
        os.rmdir(room.out / "bad.log")
        counts = daemon.wait_for_messages(50)
    assert counts.written == 50
    assert [int(n) for n in out.lines("bad.log")] == list(range(0, 50, 2))
    assert [int(n) for n in out.lines("good.log")] == list(range(1, 50, 2))
    assert counts.sum("sluiced_output_errors_total", output="file.0") > 0
