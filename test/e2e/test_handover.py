# SPDX-License-Identifier: Apache-2.0
"""A connected sender does not notice a reload: its connection stays open, and
no line is lost, torn or written twice."""
import os
import signal
import socket
import threading

import pytest

from harness.daemon import is_alive, stopped, suspend
from harness.faults import empty_disk, fill_disk
from harness.inputs import (LINE_BYTES, config, connected, fill_journal,
                            is_cut, long_line, network_input,
                            numbered, unix_input)
from harness.namespace import free_port
from harness.reload import begin_to_stop
from harness.sender import Sender
from harness.stream import wait_for_lines
from harness.wait import wait_until

CONNECTIONS_MAX = 256
RELOADS = 5


def reload(daemon):
    before = daemon.ready_count()
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_worker(before)


def framed(framing, text):
    return (text + b"\n" if framing == "newline"
            else b"%d %s" % (len(text), text))


def place(room, mode, *lines):
    """An input of this mode, and its address."""
    if mode == "unix_tcp":
        return unix_input(room, *lines), room.socket
    port = free_port()
    return network_input(mode, port, *lines), ("127.0.0.1", port)


def bytes_received(daemon):
    return daemon.metrics().sum("sluiced_input_bytes_total")


def connections(daemon):
    return daemon.metrics().sum("sluiced_input_connections")


def begin_reload(daemon):
    """Ask for a reload while the old worker is stopped, and wait until the next
    one is ready.  The old worker learns of the reload when it continues.
    Returns the process ids of the old worker and the next."""
    old = daemon.worker()
    suspend(old)
    started = daemon.log().count("started")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.log().count("started") > started + 1,
               "the next worker to be ready")
    [new] = set(daemon.workers()) - {old}
    return old, new


@pytest.mark.parametrize("storage", ["filesystem", "memory"])
@pytest.mark.parametrize("framing", ["newline", "octet_counting"])
@pytest.mark.parametrize("mode", ["unix_tcp", "tcp"])
def test_a_reload_in_the_middle_of_a_message_loses_nothing(
        room, out, start, mode, framing, storage):
    """The old worker has received the first half already."""
    one, where = place(room, mode, f"Format {framing}")
    daemon = start(config(room, one, lines=[f"storage.type {storage}"]))
    texts = [b"line %d" % n for n in range(100 * RELOADS)]
    with connected(where) as s:
        sent = 0
        for turn in range(RELOADS):
            data = b"".join(framed(framing, text) for text in
                            texts[100 * turn:100 * turn + 100])
            half = len(data) - 3 - turn
            s.sendall(data[:half])
            wait_until(lambda: bytes_received(daemon) == sent + half,
                       "the first half to be received")
            reload(daemon)
            assert connections(daemon) == 1
            s.sendall(data[half:])
            sent = len(data) - half
        wait_for_lines(out, len(texts))
    assert out.lines() == texts


@pytest.mark.parametrize("framing", ["newline", "octet_counting"])
def test_reloads_while_a_sender_continues_lose_nothing(
        room, out, start, framing):
    """It sends pieces that end anywhere in a message, at any moment."""
    daemon = start(config(room, unix_input(room, f"Format {framing}")))
    is_over = threading.Event()
    sent = []

    def send(s):
        while not is_over.is_set():
            data = b""
            for _ in range(20):
                sent.append(b"%d %s" % (len(sent), b"x" * (len(sent) % 300)))
                data += framed(framing, sent[-1])
            for at in range(0, len(data), 997):
                s.sendall(data[at:at + 997])
    with connected(room.socket) as s:
        sender = threading.Thread(target=send, args=[s])
        sender.start()
        try:
            for _ in range(RELOADS):
                reload(daemon)
                before = bytes_received(daemon)
                wait_until(lambda: bytes_received(daemon) > before,
                           "more bytes")
        finally:
            is_over.set()
            sender.join()
        daemon.wait_for_messages(len(sent))
    assert out.lines() == sent


def test_reloads_while_the_journal_is_full_lose_nothing(room, out, start):
    """Only the third worker finds room for the bytes that the kernel and the
    first worker hold."""
    fill_disk(room)
    daemon = start(config(room, unix_input(room),
                          lines=["storage.max_size 1M"]))
    with connected(room.socket) as s:
        sent = fill_journal(daemon, s)
        received = daemon.metrics().received
        for _ in range(2):
            reload(daemon)
            assert connections(daemon) == 1
        assert daemon.metrics().received == received < sent // LINE_BYTES
        empty_disk(room)
        count = sent // LINE_BYTES + 1
        s.sendall(long_line(count - 1)[sent % LINE_BYTES:])
        daemon.wait_for_messages(count)
    assert [x + b"\n" for x in out.lines()] == [
        long_line(n) for n in range(count)]


def test_a_reload_keeps_the_maximum_number_of_connections(room, out, start):
    """Each is in the middle of a message, one of them with more bytes than one
    packet between the workers holds."""
    daemon = start(config(room, unix_input(room)))
    senders = [connected(room.socket) for _ in range(CONNECTIONS_MAX)]
    firsts = [b"%d " % n for n in range(CONNECTIONS_MAX)]
    firsts[7] += b"y" * 200_000
    for s, first in zip(senders, firsts):
        s.sendall(first)
    wait_until(lambda: bytes_received(daemon) == sum(map(len, firsts)),
               "all bytes to be received")
    reload(daemon)
    assert connections(daemon) == CONNECTIONS_MAX
    for s in senders:
        s.sendall(b"z\n")
    daemon.wait_for_messages(CONNECTIONS_MAX)
    assert sorted(out.lines()) == sorted(first + b"z" for first in firsts)
    for s in senders:
        s.close()


def test_a_truncated_message_stays_truncated(room, out, start):
    """The bytes that are skipped arrive before and after a reload."""
    tcp = free_port()
    daemon = start(config(
        room, unix_input(room, "Buffer_Max_Size 1000"),
        network_input("tcp", tcp, "Format octet_counting",
                      "Buffer_Max_Size 1000")))
    with connected(room.socket) as lines, \
            connected(("127.0.0.1", tcp)) as octets:
        long = b"x" * 600_000
        lines.sendall(long)
        octets.sendall(b"1200000 " + long)
        daemon.wait_for_messages(2)
        wait_until(lambda: bytes_received(daemon) == 1_200_008,
                   "all bytes to be received")
        reload(daemon)
        lines.sendall(long + b"\nby lines\n")
        octets.sendall(long + b"9 by octets")
        daemon.wait_for_messages(4)
    got = out.lines()
    assert sorted(x for x in got if x.startswith(b"by")) == [
        b"by lines", b"by octets"]
    assert len(got) == 4


def test_a_reload_keeps_the_peer_address(room, out, start):
    tcp = free_port()
    daemon = start(config(
        room, network_input("tcp", tcp, "Source_Address_Key from"),
        text="{message} {from}"))
    with connected(("127.0.0.1", tcp)) as s:
        s.sendall(b"one\ntw")
        daemon.wait_for_messages(1)
        reload(daemon)
        s.sendall(b"o\n")
        daemon.wait_for_messages(2)
        name = b" tcp://127.0.0.1:%d" % s.getsockname()[1]
    assert out.lines() == [b"one" + name, b"two" + name]


def test_a_reload_that_removes_an_input_receives_the_data_sent_to_it(
        room, out, start):
    """It also receives the unfinished line.  The connections of the other
    input stay, although that input has another number now."""
    one, two = free_port(), free_port()
    inputs = [network_input("tcp", port) for port in (one, two)]
    daemon = start(config(room, *inputs))
    with connected(("127.0.0.1", one)) as goes, \
            connected(("127.0.0.1", two)) as stays:
        goes.sendall(numbered(0, 500) + b"half a line")
        stays.sendall(b"another")
        room.write("sluiced.conf", config(room, inputs[1]))
        reload(daemon)
        assert is_cut(goes)
        stays.sendall(b" one\n")
        daemon.wait_for_messages(502)
    lines = out.lines()
    assert [x for x in lines if x != b"another one"] == (
        numbered(0, 500).splitlines() + [b"half a line"])
    assert lines.count(b"another one") == 1


@pytest.mark.parametrize("mode", ["unix_udp", "udp", "tcp"])
def test_the_last_messages_to_a_removed_input_are_received(
        room, out, start, mode):
    """They arrive when the worker has already received the order to leave."""
    here = room.path / "goes.sock"
    if mode == "unix_udp":
        goes = unix_input(room).replace(str(room.socket), str(here)).replace(
            "unix_tcp", mode)
    else:
        kind = socket.SOCK_STREAM if mode == "tcp" else socket.SOCK_DGRAM
        here = ("127.0.0.1", free_port(kind))
        goes = network_input(mode, here[1])
    daemon = start(config(room, unix_input(room), goes))
    texts = [b"line %d" % n for n in range(10)]
    room.write("sluiced.conf", config(room, unix_input(room)))
    before = daemon.ready_count()
    if mode == "tcp":
        old, _ = begin_reload(daemon)
        with connected(here) as s:
            s.sendall(b"\n".join(texts))
    else:
        family = socket.AF_INET if mode == "udp" else socket.AF_UNIX
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.connect(here if mode == "udp" else str(here))
            old, _ = begin_reload(daemon)
            for text in texts:
                s.send(text)
    os.kill(old, signal.SIGCONT)
    daemon.wait_for_worker(before)
    daemon.wait_for_messages(len(texts))
    assert out.lines() == texts


def test_messages_to_a_removed_input_are_counted_if_there_is_no_room(
        room, out, start):
    """The journal is full, and no other worker will receive them."""
    fill_disk(room)
    here = room.path / "goes.sock"
    goes = unix_input(room).replace(str(room.socket), str(here)).replace(
        "unix_tcp", "unix_udp")
    small = ["storage.max_size 1M"]
    daemon = start(config(room, unix_input(room), goes, lines=small))
    with connected(room.socket) as s:
        senders = [Sender(here) for _ in range(12)]
        fill_journal(daemon, s, reserve=251_000)  # for datagrams
        received = daemon.metrics().received
        room.write("sluiced.conf", config(room, unix_input(room), lines=small))
        before = daemon.ready_count()
        old, _ = begin_reload(daemon)
        for sender in senders:  # together more than there is room for
            sender.send(b"y" * 50_000)
            sender.close()
        os.kill(old, signal.SIGCONT)
        daemon.wait_for_worker(before)
        counts = daemon.metrics()
        assert counts.received == received + 12
        assert 0 < counts.dropped() < 12
        empty_disk(room)
        daemon.wait_for_messages(0)


@pytest.mark.parametrize("how", ["a reload", "the end"])
def test_connections_above_the_limit_are_received_in_the_end(
        room, out, start, how):
    """Some of them wait in the kernel; others were ended to make room."""
    daemon = start(config(room, unix_input(room), grace="0"))
    count = CONNECTIONS_MAX + 40
    senders = []
    for n in range(count):
        senders.append(connected(room.socket))
        senders[n].sendall(b"line %d\n" % n)
    if how == "a reload":
        room.write("sluiced.conf",
                   config(room, network_input("tcp", free_port())))
        reload(daemon)
        daemon.wait_for_messages(count)
    else:
        daemon.signal(signal.SIGTERM)
        daemon.check_end()
    for s in senders:
        s.close()
    assert sorted(out.lines()) == sorted(b"line %d" % n for n in range(count))


def test_a_worker_without_supervisor_receives_all_sent_data(room, out, start):
    """Then no other process holds the sockets."""
    second = room.path / "second.sock"
    conf = config(room, unix_input(room), unix_input(room).replace(
        str(room.socket), str(second)).replace("unix_tcp", "unix_udp"))
    daemon = start(conf)
    with connected(room.socket) as s, Sender(second) as sender:
        worker = daemon.worker()
        with stopped(worker):
            daemon.signal(signal.SIGKILL)
            daemon.wait()
            daemon.has_ended = True
            s.sendall(b"by stream\n")
            sender.send(b"by datagram")
        assert is_cut(s)
        wait_until(lambda: not is_alive(worker), "the worker to end")
        with pytest.raises(OSError):
            sender.send(b"refused")
    start(conf).wait_for_messages(2)
    assert sorted(out.lines()) == [b"by datagram", b"by stream"]


def test_connections_wait_for_the_worker_after_the_next(room, out, start):
    """The next worker is killed before it takes them over."""
    daemon = start(config(room, unix_input(room)))
    with connected(room.socket) as s:
        s.sendall(b"one\ntw")
        daemon.wait_for_messages(1)
        before = daemon.ready_count()
        old, new = begin_reload(daemon)
        suspend(new)
        os.kill(old, signal.SIGCONT)
        wait_until(lambda: "reload=done" in daemon.log(), "the old to leave")
        os.kill(new, signal.SIGKILL)
        daemon.wait_for_worker(before)
        assert daemon.worker() not in (old, new)
        s.sendall(b"o\n")
        daemon.wait_for_messages(2)
    assert out.lines() == [b"one", b"two"]


def test_connections_end_with_a_worker_killed_before_it_passes_them_on(
        room, out, start):
    """The same happens when a worker is killed at any other time."""
    daemon = start(config(room, unix_input(room)))
    with connected(room.socket) as s:
        s.sendall(b"one\n")
        daemon.wait_for_messages(1)
        before = daemon.ready_count()
        old, new = begin_reload(daemon)
        os.kill(old, signal.SIGKILL)
        daemon.wait_for_worker(before)
        assert daemon.worker() == new
        assert is_cut(s)
    with connected(room.socket) as s:
        s.sendall(b"two\n")
        daemon.wait_for_messages(2)
    assert out.lines() == [b"one", b"two"]


def test_sigterm_while_a_worker_leaves_loses_no_data(
        room, out, start):
    """The old worker has not begun to leave.  It receives the data from
    datagram sockets and from connections."""
    second = room.path / "second.sock"
    daemon = start(config(room, unix_input(room), unix_input(room).replace(
        str(room.socket), str(second)).replace("unix_tcp", "unix_udp")))
    with connected(room.socket) as s, Sender(second) as sender:
        old, _ = begin_reload(daemon)
        s.sendall(b"by stream\nand half a")
        sender.send(b"by datagram")
        begin_to_stop(daemon)
        os.kill(old, signal.SIGCONT)
    daemon.check_end()
    assert sorted(out.lines()) == [b"and half a", b"by datagram", b"by stream"]
