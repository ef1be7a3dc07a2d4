# SPDX-License-Identifier: Apache-2.0
"""Bursts: every line that the kernel accepts is written, and a sender meets a
queue as long as the configuration says."""
import re

import pytest

from harness import namespace
from harness.config import (file_output, json_filter, lua_filter, service,
                            syslog_input, template)
from harness.daemon import stopped
from harness.faults import empty_disk, fill_disk
from harness.inputs import (LINE_BYTES, PARSER, connected, fill_journal,
                            long_line, network_input)
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
    assert re.search(r" datagrams_max=4097 datagrams_max_per_sender=\d+ ",
                     daemon.log())
    # A single sender would fill its own send buffer first.
    senders = [Sender(room.socket, blocking=False) for _ in range(8)]
    with stopped(daemon.worker()):
        for number in range(50):
            for sender in senders:
                sender.send(datagram(f"{number}"))
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
    assert re.search(r'level=warn mod=receiver err="journal full" '
                     r'action="leaving datagrams in the kernel', daemon.log())
    assert [int(line) for line in out.lines()] == list(range(40))


def test_a_full_file_system_of_the_journal_is_named(
        room, start, mount_disk):
    """The journal has far less than 64 MB, so its own file system is the reason
    why it is full."""
    disk = mount_disk(room.path / "journal", 4 << 20)
    fill_disk(room)
    daemon = start(service(f"storage.path {disk.path}") + syslog_input(room)
                   + file_output(room))
    disk.fill(0)
    with Sender(room.socket) as sender:
        for n in range(1000):
            sender.send(datagram({"n": n, "pad": "y" * 2000}))
        wait_until(lambda: daemon.metrics().dropped() > 0, "a full journal")
    assert re.search(
        r'level=error mod=journal err="the journal cannot grow: No space left '
        r'on device" usable_bytes=\d+ size_bytes=64000000 action="it is full '
        r'sooner until there is room on its file system"', daemon.log())
    disk.empty()
    empty_disk(room)
    daemon.wait_for_messages(0)


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


def test_a_stream_leaves_a_quarter_of_the_journal_to_datagrams(
        room, out, start):
    """The output is blocked.  The stream waits, and datagrams are received
    until the journal is full.  Only then are datagrams dropped."""
    fill_disk(room)
    port = namespace.free_port()
    daemon = start(
        service("storage.max_size 4M") + PARSER
        + syslog_input(room, "Parser all") + network_input("tcp", port)
        + template("{message}", room))
    datagrams = [b"datagram %d " % n + b"y" * 60000 for n in range(24)]
    fitting = datagrams[:14]  # 840 kB

    def receive_datagrams(sender, some):
        count = daemon.metrics().sum("sluiced_input_datagrams_total")
        sender.send(*some)
        return wait_until(
            lambda: (m := daemon.metrics()).sum("sluiced_input_datagrams_total")
            == count + len(some) and m, "the datagrams to be received")

    with connected(("127.0.0.1", port)) as s, Sender(room.socket) as sender:
        # A quarter of 4 MB that were rounded up to whole pages.
        sent = fill_journal(daemon, s, reserve=1_010_000)
        assert receive_datagrams(sender, fitting).dropped() == 0
        counts = receive_datagrams(sender, datagrams[len(fitting):])
        dropped = int(counts.dropped("journal_full"))
        assert 0 < dropped == counts.dropped()
        empty_disk(room)
        count = sent // LINE_BYTES + 1
        s.sendall(long_line(count - 1)[sent % LINE_BYTES:])
        daemon.wait_for_messages(count + len(datagrams))
    lines = out.lines()
    assert [x + b"\n" for x in lines if not x.startswith(b"datagram")] == [
        long_line(n) for n in range(count)]
    written = [x for x in lines if x.startswith(b"datagram")]
    assert written[:len(fitting)] == fitting
    assert len(set(written)) == len(written) == len(datagrams) - dropped
