# SPDX-License-Identifier: Apache-2.0
"""Files that are moved or removed under it: lines go on, in a new file."""
import os
import shutil
import signal
import time

import pytest

from harness.config import (json_filter, section, service, syslog_input,
                            template)
from harness.sender import Sender, datagram
from harness.wait import wait_until


class Counting:
    """Sends 0, 1, 2 ... and knows how many."""

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


def goes_on(counting, path):
    """Send until there is a file again: a question for wait_until."""
    counting.send()
    return path.exists() and path.stat().st_size > 0


@pytest.mark.parametrize("asked", [True, False], ids=["SIGUSR1", "no signal"])
def test_a_renamed_file_gets_no_more_and_no_line_is_lost(
        room, out, start, counting, asked):
    path = room.out / "day" / "lines.log"
    counting.send(10)
    start.daemon.settled(10)
    inode = path.stat().st_ino
    path.rename(path.with_suffix(".old"))
    if asked:
        start.daemon.signal(signal.SIGUSR1)
    wait_until(lambda: goes_on(counting, path), "a new file")
    assert path.stat().st_ino != inode
    size = path.with_suffix(".old").stat().st_size
    counting.send(10)
    counts = start.daemon.settled(counting.sent)
    assert path.with_suffix(".old").stat().st_size == size
    assert all_numbers(out) == list(range(counting.sent))
    assert counts.written == counting.sent


def test_a_removed_directory_is_made_again(room, out, start, counting):
    path = room.out / "day" / "lines.log"
    counting.send(10)
    start.daemon.settled(10)
    shutil.rmtree(room.out)
    first = counting.sent
    wait_until(lambda: goes_on(counting, path), "a new directory")
    counting.send(10)
    start.daemon.settled(counting.sent)
    assert all_numbers(out) == list(range(first, counting.sent))


def test_sigusr1_under_load_loses_nothing(room, out, start, counting):
    for _ in range(20):
        counting.send(50)
        start.daemon.signal(signal.SIGUSR1)
    start.daemon.settled(1000)
    assert all_numbers(out) == list(range(1000))


def test_sighup_tries_at_once_what_waits_for_its_next_try(room, out, start):
    """The sixth failure is tried again after 3.2 seconds."""
    daemon = start(service(flush="0.02") + syslog_input(room)
                   + template("{message}", room))
    (room.out / "lines.log").mkdir(parents=True)
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))
    wait_until(lambda: daemon.metrics().sum("sluiced_output_errors_total") == 6,
               "six failures")
    failed = time.monotonic()
    (room.out / "lines.log").rmdir()
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: out.has(1), "the line")
    assert time.monotonic() - failed < 2.5
    daemon.settled(1)


def test_a_file_that_cannot_be_opened_costs_no_other_a_line(
        room, out, start):
    """A directory stands where one file should be."""
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
        daemon.metrics().check_laws()
        os.rmdir(room.out / "bad.log")
        counts = daemon.settled(50)
    assert counts.written == 50
    assert [int(n) for n in out.lines("bad.log")] == list(range(0, 50, 2))
    assert [int(n) for n in out.lines("good.log")] == list(range(1, 50, 2))
    assert counts.sum("sluiced_output_errors_total", output="file.0") > 0
