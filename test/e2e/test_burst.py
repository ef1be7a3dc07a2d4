# SPDX-License-Identifier: Apache-2.0
"""A sender that does not wait, a queue as short as an operator may get it:
nothing refused, nothing lost."""
import os
import re
import subprocess
from signal import SIGCONT, SIGSTOP

import pytest

from harness import namespace
from harness.config import (file_output, json_filter, lua_filter, service,
                            syslog_input, template)
from harness.sender import Sender, datagram
from harness.wait import SAN, wait_until

RATE = 2000 if SAN else 20000
SECONDS = 3 if SAN else 10


def test_ten_seconds_of_twenty_thousand_lines_lose_none(
        own_network, room, out, start, burst_sender):
    """Never is a line lost that was accepted.  That none is refused is said
    of a machine that is otherwise idle: one of three attempts may prove it."""
    if not namespace.may_set_queue_length():
        pytest.skip("needs a writable /proc/sys/net/unix/max_dgram_qlen")
    daemon = start(
        service(flush="1")
        + syslog_input(room, "Queue_Length 512", "Parser syslog-rfc3164-local")
        + json_filter()
        + lua_filter(room, """
            function hook(tag, timestamp, record)
                record["day"] = os.date("%Y-%m%d", timestamp)
                return 1, timestamp, record
            end""")
        + template("{n} {day} {status}", room))
    assert daemon.metrics().sum("sluiced_input_queue_length") == 512
    total = RATE * SECONDS
    received = 0
    for attempt in range(3):
        done = subprocess.run(
            [burst_sender, room.socket, str(total), str(RATE)],
            capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        sent, refused = map(int, re.match(
            "sent ([0-9]+) refused ([0-9]+) ", done.stdout).groups())
        received += sent
        counts = daemon.settled(received)
        assert counts.written == counts.received == received
        assert counts.dropped() == counts.failures() == 0
        numbers = [int(line.split(b" ")[0]) for line in out.lines()][-sent:]
        assert numbers == sorted(set(numbers)) and len(numbers) == sent
        if refused == 0:
            return
    pytest.fail(f"refused each time, at last: {done.stdout}")


def test_a_queue_of_ten_is_told_with_what_it_means(own_network, room, start):
    daemon = start(service() + syslog_input(room, "Queue_Length 0")
                   + file_output(room))
    assert namespace.queue_length() == 10
    assert daemon.metrics().sum("sluiced_input_queue_length") == 10
    log = daemon.log()
    assert "level=warn mod=socket" in log
    assert "max_dgram_qlen" in log and "11 datagrams" in log


def test_the_queue_is_raised_for_the_socket_and_holds_so_many(
        own_network, room, start):
    if not namespace.may_set_queue_length():
        pytest.skip("needs a writable /proc/sys/net/unix/max_dgram_qlen")
    daemon = start(service() + syslog_input(room) + file_output(room))
    assert namespace.queue_length() == 4096
    assert "level=warn mod=socket" not in daemon.log()
    worker = daemon.worker()
    os.kill(worker, SIGSTOP)
    wait_until(lambda: "State:\tT" in open(
        f"/proc/{worker}/status").read(), "stopped")
    # One sender alone would first fill its own send buffer.
    senders = [Sender(room.socket, blocking=False) for _ in range(8)]
    for number in range(50):
        for sender in senders:
            sender.send(datagram(f"{number}"))
    os.kill(worker, SIGCONT)
    assert sum(sender.refused for sender in senders) == 0
    daemon.settled(400)
    for sender in senders:
        sender.close()


def test_a_sender_that_may_wait_waits_for_a_slow_hook(room, out, start):
    """The journal has room for 16 of these; the kernel's queue is one more
    buffer, and nothing is dropped."""
    daemon = start(
        service("storage.max_size 1M") + syslog_input(room) + json_filter()
        + lua_filter(room, """
            function hook(tag, timestamp, record)
                local start = os.clock()
                repeat until os.clock() - start > 0.02
                return 0, timestamp, record
            end""")
        + template("{n}", room))
    pad = "y" * 60000
    with Sender(room.socket) as sender:
        for n in range(40):
            sender.send(datagram({"n": n, "pad": pad}))
    counts = daemon.settled(40)
    assert counts.written == 40 and counts.dropped() == 0
    assert [int(line) for line in out.lines()] == list(range(40))


def test_a_full_disk_costs_only_what_the_journal_cannot_hold(
        room, out, start):
    """The newest are dropped, and counted; the rest is written, in order,
    when there is room on the disk again."""
    room.out.mkdir()
    file = room.out / "lines.log"
    file.symlink_to("/dev/full")
    daemon = start(service("storage.max_size 1M") + syslog_input(room)
                   + json_filter() + template("{n}", room))
    pad = "y" * 60000
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}))
        wait_until(lambda: daemon.metrics().sum("sluiced_pipeline_blocked"),
                   "the disk to be full")
        for n in range(1, 40):
            sender.send(datagram({"n": n, "pad": pad}))
    counts = wait_until(lambda: (m := daemon.metrics()).received == 40 and m,
                        "all to be received")
    counts.check_laws()
    dropped = counts.dropped("journal_full")
    assert counts.dropped() == dropped >= 20
    assert (counts.written, counts.queued) == (0, 40 - dropped)
    assert "level=error mod=journal" in daemon.log()
    file.unlink()
    counts = daemon.settled(40)
    assert counts.written == 40 - dropped == counts.received - counts.dropped()
    assert [int(line) for line in out.lines()] == list(range(40 - int(dropped)))
