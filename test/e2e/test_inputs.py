# SPDX-License-Identifier: Apache-2.0
"""The syslog input in its four modes: what a sender can rely on, and what
survives a crash, a reload or the end."""
import errno
import signal
import socket

import pytest

from harness.config import section
from harness.faults import Faults, empty_disk, fill_disk
from harness.inputs import (LINE_BYTES, config, connected, fill_journal,
                            is_cut, long_line, network_input,
                            numbered, unix_input)
from harness.namespace import free_port
from harness.sender import Sender
from harness.wait import SAN, wait_until

SO_PASSRIGHTS = 83


def test_all_modes_work_at_the_same_time(room, out, start):
    tcp, udp = free_port(), free_port(socket.SOCK_DGRAM)
    second = room.path / "second.sock"
    daemon = start(config(
        room,
        section("INPUT", "Name syslog", "Tag a", f"Path {room.socket}",
                "Parser all"),
        section("INPUT", "Name syslog", "Mode unix_tcp", "Tag b",
                f"Path {second}", "Parser all", "Alias second"),
        network_input("udp", udp), network_input("tcp", tcp)))
    with Sender(room.socket) as sender:
        sender.send(b"by unix_udp")
    with connected(second) as s:
        s.sendall(b"by unix_tcp\nand again\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"by udp", ("127.0.0.1", udp))
    with connected(("127.0.0.1", tcp)) as s:
        s.sendall(b"by tcp\n")
    counts = daemon.wait_for_messages(5)
    # The kernel counts dropped datagrams for UDP only.
    dropped = [line for line in daemon.get("/metrics").body.splitlines()
               if line.startswith(b"sluiced_input_kernel_dropped_total{")]
    assert dropped == [
        b'sluiced_input_kernel_dropped_total{input="syslog.2"} 0']
    assert sorted(out.lines()) == [b"and again", b"by tcp", b"by udp",
                                   b"by unix_tcp", b"by unix_udp"]
    assert counts.labels("sluiced_input_connections_total", "input") == [
        "second", "syslog.0", "syslog.2", "syslog.3"]
    for name, what in (("connections_total", 2), ("datagrams_total", 2),
                       ("stream_messages_total", 3)):
        assert counts.sum(f"sluiced_input_{name}") == what, name
    wait_until(lambda: daemon.metrics().sum("sluiced_input_connections") == 0,
               "the connections to be closed")


def has_passrights():
    """Linux 6.16 and later can refuse descriptors."""
    with socket.socket(socket.AF_UNIX) as s:
        try:
            return s.getsockopt(socket.SOL_SOCKET, SO_PASSRIGHTS) == 1
        except OSError:
            return False


@pytest.mark.skipif(not has_passrights(), reason="needs Linux 6.16")
@pytest.mark.parametrize("mode", ["unix_udp", "unix_tcp"])
def test_nobody_can_pass_descriptors_to_sluiced(room, out, start, mode):
    """Closing them could take as long as the sender likes: a TCP socket with
    SO_LINGER waits until its data is sent."""
    daemon = start(config(room, unix_input(room).replace("unix_tcp", mode)))
    kind = socket.SOCK_DGRAM if mode == "unix_udp" else socket.SOCK_STREAM
    for attached in ([0], [0, 1, 2]):
        with socket.socket(socket.AF_UNIX, kind) as s:
            s.connect(str(room.socket))
            with pytest.raises(PermissionError):
                socket.send_fds(s, [b"refused\n"], attached)
            s.sendall(b"good\n")
    daemon.wait_for_messages(2)
    assert out.lines() == 2 * [b"good"]


def test_lines_of_different_connections_do_not_mix(room, out, start):
    daemon = start(config(room, unix_input(room)))
    senders = [connected(room.socket) for _ in range(50)]
    text = [b"".join(b"%d %d\n" % (n, i) for i in range(40))
            for n in range(len(senders))]
    # The pieces end anywhere in a line.
    for at in range(0, max(map(len, text)), 37):
        for s, t in zip(senders, text):
            s.sendall(t[at:at + 37])
    for s in senders:
        s.close()
    daemon.wait_for_messages(40 * len(senders))
    lines = [tuple(map(int, line.split())) for line in out.lines()]
    assert sorted(lines) == [(n, i) for n in range(len(senders))
                             for i in range(40)]
    for n in range(len(senders)):
        assert [i for m, i in lines if m == n] == list(range(40))


def test_a_full_journal_makes_a_stream_wait(room, out, small_disk, start):
    """Unlike datagrams, no line of a stream is dropped."""
    daemon = start(config(room, unix_input(room),
                          lines=["storage.max_size 1M"]))
    filler = room.out / "filler"
    with open(filler, "wb") as f:
        f.write(b"x" * small_disk.free_bytes())
    with connected(room.socket) as s:
        s.setblocking(False)
        sent = 0
        line = b"%08d " + b"x" * 500 + b"\n"
        pending = b""

        def is_stuck():
            """Send as much as possible; true when nobody receives more."""
            nonlocal sent, pending
            try:
                while True:
                    if not pending:
                        pending = line % sent
                        sent += 1
                    pending = pending[s.send(pending):]
            except BlockingIOError:
                m = daemon.metrics()
                return (m.sum("sluiced_pipeline_blocked") == 1
                        and m.received < sent - 50
                        and m.sum("sluiced_journal_pending_bytes") > 500_000)
        wait_until(is_stuck, "the sender to be blocked")
        filler.unlink()
        s.setblocking(True)
        s.sendall(pending)
    counts = daemon.wait_for_messages(sent)
    assert counts.received == counts.written == sent
    assert [int(line[:8]) for line in out.lines()] == list(range(sent))


def test_a_dead_worker_loses_its_connections_only(room, out, start):
    """The listening sockets stay, and the lines that the worker received are
    written once."""
    port = free_port()
    daemon = start(config(room, unix_input(room), network_input("tcp", port)))
    places = (room.socket, ("127.0.0.1", port))
    total = 0
    for turn in range(3):
        senders = [connected(place) for place in places]
        for s in senders:
            s.sendall(numbered(total, total + 10))
            total += 10
        daemon.wait_for_messages(total)
        before = daemon.ready_count()
        daemon.kill_worker()
        assert all(map(is_cut, senders))
        # The next connections are queued at once, before a worker is ready.
        senders = [connected(place) for place in places]
        daemon.wait_for_worker(before)
        for s in senders:
            s.sendall(numbered(total, total + 10))
            total += 10
            s.close()
        daemon.wait_for_messages(total)
    assert out.lines() == numbered(0, total).splitlines()


def test_a_reload_can_open_and_close_ports(room, out, start):
    one, two = free_port(), free_port()
    daemon = start(config(room, network_input("tcp", one)))
    room.write("sluiced.conf", config(room, network_input("tcp", two)))
    before = daemon.ready_count()
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_worker(before)
    with connected(("127.0.0.1", two)) as s:
        s.sendall(b"one\n")
    daemon.wait_for_messages(1)
    with pytest.raises(ConnectionRefusedError):
        connected(("127.0.0.1", one))
    assert out.lines() == [b"one"]


def test_a_reload_fails_if_a_port_is_in_use_and_changes_nothing(
        room, out, start):
    port = free_port()
    daemon = start(config(room, network_input("tcp", port)))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        room.write("sluiced.conf", config(room, network_input(
            "tcp", taken.getsockname()[1])))
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: "reload=failed" in daemon.log(),
                   "the reload to fail")
    assert "Address already in use" in daemon.log()
    with connected(("127.0.0.1", port)) as s:
        s.sendall(b"one\n")
    daemon.wait_for_messages(1)
    assert out.lines() == [b"one"]


@pytest.mark.parametrize("mode", ["unix_tcp", "tcp"])
def test_shutdown_receives_all_sent_data(room, out, start, mode):
    """It also receives an unfinished line."""
    port = free_port()
    if mode == "tcp":
        daemon = start(config(room, network_input("tcp", port), grace="0"))
        s = connected(("127.0.0.1", port))
    else:
        daemon = start(config(room, unix_input(room), grace="0"))
        s = connected(room.socket)
    s.sendall(numbered(0, 5000) + b"and half a")
    daemon.signal(signal.SIGTERM)
    daemon.check_end()
    assert is_cut(s)
    s.close()
    assert daemon.final_counts()[0] == 5001
    assert out.lines() == numbered(0, 5000).splitlines() + [b"and half a"]


def test_shutdown_with_a_full_journal_logs_how_much_is_lost(room, out, start):
    """sluiced receives as much as there is room for, and the next process
    writes it."""
    fill_disk(room)
    text = config(room, unix_input(room), lines=["storage.max_size 1M"],
                  grace="0")
    daemon = start(text)
    with connected(room.socket) as s:
        sent = fill_journal(daemon, s)
        daemon.signal(signal.SIGTERM)
        daemon.wait()
        assert is_cut(s)
    queued = daemon.final_counts()[4]
    daemon.check_end(queued=queued)
    lost = sent - queued * LINE_BYTES
    assert lost > 0
    assert f"lost_bytes={lost} " in daemon.log()
    empty_disk(room)
    start(text).wait_for_messages(queued)
    assert [x + b"\n" for x in out.lines()] == [
        long_line(n) for n in range(queued)]


@pytest.mark.parametrize("args", [(), ("--no-supervisor",)])
def test_a_listening_socket_of_systemd_is_used_and_left(
        room, out, start, args):
    """The socket exists before sluiced starts and after it ends."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        where = held.getsockname()
        with connected(where) as s:
            s.sendall(b"early\n")
            daemon = start(config(room, network_input("tcp", where[1])),
                           listen=held, args=args)
            daemon.wait_for_messages(1)
        daemon.stop()
        connected(where).close()
    assert out.lines() == [b"early"]


def test_http_uses_a_listening_socket_of_systemd(room, start):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        host, port = held.getsockname()
        text = config(room, unix_input(room)).replace(
            "HTTP_Port 0", f"HTTP_Port {port}")
        daemon = start(text, listen=held)
        daemon.address = (host, port)
        assert daemon.get("/").status == 200


def test_the_peer_address_survives_a_crash(room, out, start):
    """It is kept with each message, even if the message was not written
    yet."""
    faults = Faults(room, room.out)
    port = free_port(socket.SOCK_DGRAM)
    tcp = free_port()
    text = config(
        room, network_input("udp", port, "Source_Address_Key from"),
        network_input("tcp", tcp, "Source_Address_Key from"),
        text="{message} {from}")
    daemon = start(text, env=faults.env)
    faults.order(errno.ENOSPC)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u, \
            connected(("127.0.0.1", tcp)) as s:
        u.bind(("127.0.0.1", 0))
        for n in range(100):
            u.sendto(b"udp %d" % n, ("127.0.0.1", port))
        s.sendall(b"tcp 0\ntcp 1\n")
        wait_until(lambda: daemon.metrics().received == 102,
                   "all messages to be received")
        udp_from = b"udp://127.0.0.1:%d" % u.getsockname()[1]
        tcp_from = b"tcp://127.0.0.1:%d" % s.getsockname()[1]
        daemon.kill_tree()
    daemon = start(text)
    daemon.wait_for_messages(102)
    lines = out.lines()
    assert [x for x in lines if x.startswith(b"udp")] == [
        b"udp %d " % n + udp_from for n in range(100)]
    assert [x for x in lines if x.startswith(b"tcp")] == [
        b"tcp 0 " + tcp_from, b"tcp 1 " + tcp_from]


@pytest.mark.skipif(SAN != "", reason="a sanitizer uses more memory")
def test_an_endless_line_costs_bounded_memory(room, out, start):
    """The line is truncated, and the next line is whole."""
    daemon = start(config(room, unix_input(room)))
    with connected(room.socket) as s:
        for _ in range(640):
            s.sendall(b"x" * 100_000)
        s.sendall(b"\nnext\n")
        daemon.wait_for_messages(2)
        status = open(f"/proc/{daemon.worker()}/status").read()
    peak_kib = int(status.split("RssAnon:")[1].split()[0])
    assert peak_kib < 16 * 1024, status
    assert out.lines() == [b"x" * 212992, b"next"]
    assert daemon.metrics().sum("sluiced_input_truncated_total") == 1


RESTORED = 'err="somebody removed the socket" action="restored'
LOST = 'action="opening a new socket if possible; each nginx worker'


def test_a_removed_socket_is_restored_and_no_sender_notices(room, out, start):
    daemon = start(config(room, section(
        "INPUT", "Name syslog", "Tag a", f"Path {room.socket}", "Parser all")))
    with Sender(room.socket) as old:
        old.send(b"before")
        for turn in range(2):
            room.socket.unlink()
            wait_until(room.socket.exists, "the socket")
            with Sender(room.socket) as new:
                new.send(b"new")
            old.send(b"old")
        daemon.wait_for_messages(5)
    assert sorted(out.lines()) == [b"before", b"new", b"new", b"old", b"old"]
    wait_until(lambda: daemon.log().count(RESTORED) == 2, "two log lines")
    assert LOST not in daemon.log()
    daemon.stop()
    assert list(room.socket.parent.glob(".s.*")) == []


@pytest.mark.parametrize("mode, kind", [
    ("unix_udp", socket.SOCK_DGRAM), ("unix_tcp", socket.SOCK_STREAM)])
def test_a_socket_whose_directory_is_replaced_is_opened_again(
        room, out, start, mode, kind):
    """Messages that were sent to the old socket are not lost.  Its senders get
    an error, so that they connect again."""
    place = room.path / "run"
    place.mkdir()
    path = place / "access.sock"
    end = b"\n" if kind == socket.SOCK_STREAM else b""
    daemon = start(config(room, section(
        "INPUT", "Name syslog", "Tag a", f"Path {path}", f"Mode {mode}",
        "Parser all")))
    with socket.socket(socket.AF_UNIX, kind) as old:
        old.connect(str(path))
        old.send(b"old" + end)
        place.rename(room.path / "gone")
        place.mkdir()
        wait_until(path.exists, "the socket")
        with socket.socket(socket.AF_UNIX, kind) as new:
            new.connect(str(path))
            new.send(b"new" + end)
            daemon.wait_for_messages(2)
        # The sender of a stream may get its error only after a later send.
        wait_until(lambda: is_refused(old, b"late" + end), "the old socket")
    assert sorted(out.lines())[-2:] == [b"new", b"old"]
    assert LOST in daemon.log()


def is_refused(sender, message):
    try:
        sender.send(message)
    except OSError:
        return True
    return False
