# SPDX-License-Identifier: Apache-2.0
"""Two pods on one node can share a file.  Every line of both is written once
and whole, while one of them is killed again and again."""
import fcntl
import os
import re
import time

import pytest

from harness.config import json_filter, section, service, syslog_input
from harness.daemon import suspend
from harness.faults import Faults
from harness.room import Room
from harness.scale import at_random_moments, dice, scaled
from harness.sender import Sender, datagram
from harness.stream import Stream, check_numbers, numbered
from harness.wait import SAN, wait_until

RATE = 200 if SAN else 2000
KILLS = scaled("WRITER_KILLS", 60)
LINE = re.compile(rb"([ab]) (\d+) x{640} \2")


class Pod:
    """A room with a daemon of its own.  The output directory is shared."""

    def __init__(self, letter, out, start, **more):
        self.letter = letter
        self.room = Room()
        self.room.out = out
        self.start = start
        self.more = more
        self.begin()

    def begin(self):
        config = self.room.write("sluiced.conf", numbered(
            self.room, template=self.letter + " {n} {pad} {n}",
            flush="0.01"))
        self.daemon = self.start(config, cwd=self.room.path, **self.more)

    def send(self):
        """The sender waits until the kernel accepts a line, and continues
        while the daemon is dead."""
        self.lines = Stream(self.room, RATE, "-w", "-r")

    def remove(self):
        self.lines.kill()
        self.room.remove()


def lines_by_letter(data):
    assert data.endswith(b"\n")
    numbers = {"a": [], "b": []}
    for line in data.split(b"\n")[:-1]:
        match = LINE.fullmatch(line)
        assert match, f"this line is torn: {line[:60]} ... {line[-60:]}"
        numbers[match[1].decode()].append(int(match[2]))
    return numbers


@pytest.mark.parametrize("writes", ["whole", "short"])
def test_two_daemons_share_a_file_and_no_line_is_lost_by_kills(
        room, out, start, writes):
    """Daemon b has a slow disk, so that it is often killed while it has locked
    the file.  With short writes, b leaves torn lines, and daemon a waits until
    they are completed."""
    faults = Faults(room, room.out)
    room.out.mkdir()
    a = Pod("a", room.out, start)
    b = Pod("b", room.out, start, env=faults.env)
    try:
        a.send()
        b.send()
        wait_until(lambda: out.has(10), "lines")
        faults.order(short_every=3 * (writes == "short"), delay_ms=3)
        for _ in at_random_moments(KILLS, dice("writers", writes)):
            b.daemon.kill_tree()
            b.begin()
        faults.end()
        a.lines.stop()
        b.lines.stop()
        assert a.lines.refused == a.lines.gone == 0
        counts_a = a.daemon.wait_for_messages(a.lines.sent)
        counts_b = b.daemon.wait_for_messages(0)
        there = lines_by_letter(out.bytes())
        check_numbers(there["a"], a.lines.accepted())
        assert counts_a.written == a.lines.sent
        assert there["b"] == sorted(set(there["b"])), "doubled or not in order"
        assert set(b.lines.accepted()).issuperset(there["b"])
        assert len(there["b"]) == counts_b.received == counts_b.written
    finally:
        a.remove()
        b.remove()


def test_a_reader_of_a_log_file_cannot_stop_it(room, out, start):
    """Everybody may open it for reading, and lock it then."""
    daemon = start(numbered(room, template="{n}"))
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        wait_until(lambda: out.has(1), "a line")
        with open(room.out / "lines.log") as reader:
            fcntl.flock(reader, fcntl.LOCK_EX)
            sender.send(datagram({"n": 2}))
            wait_until(lambda: out.has(2), "a line while the file is locked")
    daemon.wait_for_messages(2)
    assert out.files() == ["lines.log"]
    lock = room.out / ".sluiced/lock"
    assert lock.stat().st_mode & 0o777 == 0o600
    assert lock.parent.stat().st_mode & 0o777 == 0o700
    daemon.stop()
    assert not lock.parent.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_another_user_who_replaces_the_lock_file_stops_nothing(
        room, out, start):
    """A member of the output's group may write in its directory."""
    nobody = 65534
    lock = room.out / ".sluiced/lock"
    lock.parent.mkdir(parents=True)
    lock.touch(0o600)  # sluiced's own, moved here
    os.chown(lock.parent, nobody, nobody)
    with lock.open("r+") as planted:
        fcntl.lockf(planted, fcntl.LOCK_EX)
        daemon = start(service() + syslog_input(room) + json_filter()
                       + section("FILTER", "Name rewrite_tag", "Match in",
                                 "Rule $file ^(.*)$ $1 false")
                       + section("OUTPUT", "Name file", "Match *",
                                 f"Path {room.out}", "Format plain"))
        with Sender(room.socket) as sender:
            for n in range(100):
                sender.send(datagram({"file": f"{n}.log"}))
        daemon.wait_for_messages(100)
        assert len(out.files()) == 100
        daemon.stop()
    assert re.search(r'path="[^"]*/\.sluiced/lock" owner_uid=65534 '
                     'err="cannot lock: another user owns its directory" '
                     'action="writing without a lock', daemon.log())
    assert lock.exists()


def test_a_lock_that_is_held_for_long_is_reported_with_its_holder(
        room, out, start):
    """The disk of the other daemon hangs while it holds the lock."""
    faults = Faults(room, room.out)
    room.out.mkdir()
    a = Pod("a", room.out, start)
    b = Pod("b", room.out, start, env=faults.env)
    try:
        faults.order(hold=True)
        with Sender(b.room.socket) as sender:
            sender.send(datagram({"n": 1, "pad": ""}))
        wait_until(lambda: faults.held, "a write to hang")
        with Sender(a.room.socket) as sender:
            sender.send(datagram({"n": 1, "pad": ""}))
        line = re.compile(f"level=warn .* lock_holder_pid={b.daemon.worker()} "
                          'err="another process has held the lock for several seconds')
        wait_until(lambda: line.search(a.daemon.log()), "the warning")
        faults.end()
        wait_until(lambda: out.has(2), "the lines")
        a.daemon.wait_for_messages(1)
        b.daemon.wait_for_messages(1)
    finally:
        a.room.remove()
        b.room.remove()


@pytest.mark.parametrize("is_spilled", [False, True], ids=["", "spilled"])
def test_the_same_lines_of_another_process_do_not_count(
        room, small_disk, start, is_spilled):
    """sluiced could not write a line, and before it is restarted, another
    process writes the same line to the same place."""
    other = room.path / "other"
    config = numbered(room, grace="0") + is_spilled * section(
        "OUTPUT", "Name file", "Match *", f"Path {other}")
    daemon = start(config)
    small_disk.fill(0)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1, "pad": "x" * 640}))
    attempts = 2 if is_spilled else 1
    wait_until(lambda: daemon.metrics().sum("sluiced_output_errors_total")
               >= attempts, "a full disk")
    suspend(daemon.worker())
    small_disk.empty()
    line = b"1 " + b"x" * 640 + b" 1\n"
    with open(small_disk.path / "lines.log", "ab") as file:
        file.write(line)
    daemon.kill_tree()
    daemon = start(config)
    daemon.wait_for_messages(0)
    wait_until(lambda: daemon.metrics().sum(
        "sluiced_output_lines_spilled") == 0, "an empty spill")
    assert (small_disk.path / "lines.log").read_bytes() == line * 2


@pytest.mark.skipif(SAN != "", reason="a long wait; a sanitizer adds nothing")
def test_a_torn_line_is_closed_when_its_writer_does_not_come_back(
        room, out, start, stream):
    """sluiced waits for ten seconds, closes the line, and logs a warning."""
    room.out.mkdir()
    (room.out / "lines.log").write_bytes(b"a 0 xxx")
    began = time.monotonic()
    daemon = start(numbered(room))
    lines = stream(100, "-w", count=100).wait()
    wait_until(lambda: out.bytes() != b"a 0 xxx", "the line to be closed")
    assert time.monotonic() - began >= 10
    daemon.wait_for_messages(100)
    torn, *rest = out.lines()
    assert torn == b"a 0 xxx"
    assert [int(line.split()[0]) for line in rest] == lines.accepted()
    assert "level=warn" in daemon.log()
