# SPDX-License-Identifier: Apache-2.0
"""Bursts: every line that the kernel accepts is written, and a sender meets a
queue as long as the configuration says."""
import os
from signal import SIGCONT, SIGSTOP

import pytest

from harness import namespace
from harness.config import (file_output, json_filter, lua_filter, service,
                            syslog_input, template)
from harness.faults import empty_disk, fill_disk
from harness.sender import Sender, datagram
from harness.stream import Stream
from harness.wait import SAN, wait_until

LINES = 6000 if SAN else 60000


def test_every_line_that_the_kernel_accepts_in_a_burst_is_written(
        own_network, room, out, start):
    """The sender does not wait, as nginx does not.  How many lines the kernel
    refuses depends on the machine; the benchmark measures it."""
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
    burst = Stream(room, LINES // 3, count=LINES).wait()
    counts = daemon.wait_for_messages(burst.sent)
    assert burst.sent > 0
    assert counts.written == counts.received == burst.sent
    assert counts.dropped() == counts.failures() == 0
    numbers = [int(line.split(b" ")[0]) for line in out.lines()]
    assert numbers == burst.accepted()


def test_sluiced_warns_about_a_queue_of_ten_and_explains_it(
        own_network, room, start):
    daemon = start(service() + syslog_input(room, "Queue_Length 0")
                   + file_output(room))
    assert namespace.queue_length() == 10
    assert daemon.metrics().sum("sluiced_input_queue_length") == 10
    log = daemon.log()
    assert "level=warn mod=socket" in log
    assert "max_dgram_qlen" in log and "11 datagrams" in log


def test_sluiced_raises_the_queue_length_as_configured(
        own_network, room, start):
    if not namespace.may_set_queue_length():
        pytest.skip("needs a writable /proc/sys/net/unix/max_dgram_qlen")
    daemon = start(service() + syslog_input(room) + file_output(room))
    assert namespace.queue_length() == 4096
    assert "level=warn mod=socket" not in daemon.log()
    worker = daemon.worker()
    os.kill(worker, SIGSTOP)
    wait_until(lambda: "State:\tT" in open(
        f"/proc/{worker}/status").read(), "the worker to stop")
    # A single sender would fill its own send buffer first.
    senders = [Sender(room.socket, blocking=False) for _ in range(8)]
    for number in range(50):
        for sender in senders:
            sender.send(datagram(f"{number}"))
    os.kill(worker, SIGCONT)
    assert sum(sender.refused for sender in senders) == 0
    daemon.wait_for_messages(400)
    for sender in senders:
        sender.close()


def test_a_slow_hook_makes_a_blocking_sender_wait_and_drops_nothing(
        room, out, start):
    """The journal has room for 16 of these lines, and the kernel's queue holds
    some more."""
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
    counts = daemon.wait_for_messages(40)
    assert counts.written == 40 and counts.dropped() == 0
    assert [int(line) for line in out.lines()] == list(range(40))


def test_a_full_disk_costs_only_the_lines_that_the_journal_cannot_hold(
        room, out, start):
    """The newest lines are dropped and counted.  The others are written, in
    order, when the disk has room again."""
    fill_disk(room)
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
                        "all lines to be received")
    counts.check_accounting_equation()
    dropped = counts.dropped("journal_full")
    assert counts.dropped() == dropped >= 20
    assert (counts.written, counts.queued) == (0, 40 - dropped)
    assert "level=error mod=journal" in daemon.log()
    empty_disk(room)
    counts = daemon.wait_for_messages(40)
    assert counts.written == 40 - dropped == counts.received - counts.dropped()
    assert [int(line) for line in out.lines()] == list(range(40 - int(dropped)))
