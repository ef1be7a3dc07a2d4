# SPDX-License-Identifier: Apache-2.0
"""Slow, idle or too many clients take connections only from each other."""
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from harness import namespace
from harness.config import syslog_input
from harness.daemon import stopped, suspend
from harness.inputs import (config, connected, is_cut, network_input,
                            numbered, unix_input)
from harness.namespace import AS_INIT, free_port, may_be_init
from harness.sender import Sender, datagram
from harness.strace import Strace, why_not
from harness.wait import HANG_S, SAN, wait_until

CONNECTIONS_MAX = 256
HTTP_MAX = 128
NOBODY = 65534


def client(daemon, host, stack, request=b"GET / HTTP/1.1\r\nx: "):
    s = socket.create_connection(daemon.address, timeout=HANG_S,
                                 source_address=(host, 0))
    stack.enter_context(s)
    s.sendall(request)
    s.setblocking(False)
    return s


def has_ended(s):
    """Send one more byte of the header.  Returns whether the daemon has closed
    the connection."""
    try:
        s.send(b"x")
        return s.recv(1) == b""
    except BlockingIOError:
        return False
    except (ConnectionResetError, BrokenPipeError):
        return True


def test_slow_http_clients_do_not_shut_out_a_probe(room, start):
    """The clients come from few addresses or from many.  Each sends a byte now
    and then."""
    daemon = start(config(room, unix_input(room)))
    for hosts in (2, HTTP_MAX + 20):
        with ExitStack() as stack:
            slow = [client(daemon, f"127.0.1.{2 + n % hosts}", stack)
                    for n in range(HTTP_MAX + 20)]
            probe = client(daemon, "127.0.0.9", stack,
                           b"GET / HTTP/1.0\r\n\r\n")

            def is_answered():
                for s in slow:
                    has_ended(s)
                try:
                    return probe.recv(100).startswith(b"HTTP/1.1 200")
                except BlockingIOError:
                    return False
            wait_until(is_answered, "the answer to the probe")


def test_an_http_request_that_takes_too_long_is_cut(room, start):
    """Each byte comes in time, but the request does not."""
    daemon = start(config(room, unix_input(room)))
    with ExitStack() as stack:
        s = client(daemon, "127.0.0.2", stack)
        wait_until(lambda: has_ended(s), "the slow request to be cut")


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_many_http_requests_do_not_delay_datagrams(room, start):
    """The requests wait together.  Before each answer, the waiting datagrams
    are received; otherwise a short queue would be full."""
    daemon = start(config(room, syslog_input(room)))
    worker = daemon.worker()
    strace = Strace(room, worker, "trace=recvmmsg,sendto,sendmsg,writev")
    with ExitStack() as stack:
        os.kill(worker, signal.SIGSTOP)
        wait_until(strace.sees_stop, "the worker to stop")
        clients = [client(daemon, "127.0.0.1", stack,
                          b"GET / HTTP/1.0\r\n\r\n") for _ in range(20)]
        os.kill(worker, signal.SIGCONT)
        for s in clients:
            s.setblocking(True)
            while s.recv(1000):
                pass
    strace.end()
    calls = [call for call, _ in strace.numbered_calls()]
    answers = [n for n, call in enumerate(calls) if call != "recvmmsg"]
    assert len(answers) >= 20
    assert all(calls[n - 1] == "recvmmsg" for n in answers[1:]), calls


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_many_streams_do_not_delay_datagrams(room, start):
    """Data of many connections waits.  Datagrams are received between them.
    The clients of HTTP do not count."""
    port = free_port()
    daemon = start(config(room, network_input("tcp", port),
                          syslog_input(room, tag="other")))
    worker = daemon.worker()
    with ExitStack() as stack:
        senders = [stack.enter_context(connected(("127.0.0.1", port)))
                   for _ in range(20)]
        wait_until(lambda: daemon.metrics().sum("sluiced_input_connections")
                   == 20, "the connections")
        strace = Strace(room, worker, "trace=recvmmsg,recvfrom")
        os.kill(worker, signal.SIGSTOP)
        wait_until(strace.sees_stop, "the worker to stop")
        for s in senders:
            s.sendall(b"a\n")
        os.kill(worker, signal.SIGCONT)
        daemon.wait_for_messages(20)
    strace.end()
    places = [(place[0], call) for call in strace.calls()
              if (place := re.match(r"\w+\(\d+", call))]
    streams = {place for place, call in places if '"a\\n"' in call}
    assert len(streams) == 20
    places = [place for place, _ in places
              if place in streams or "recvmmsg" in place]
    assert not [(a, b) for a, b in zip(places, places[1:])
                if a != b and "recvfrom" in a and "recvfrom" in b], places


def place_of(room, mode):
    """The place to connect to, and the input there."""
    if mode == "unix_tcp":
        return room.socket, unix_input
    port = free_port()
    return ("127.0.0.1", port), lambda _, *lines: network_input(
        "tcp", port, *lines)


@pytest.mark.parametrize("mode", ["unix_tcp", "tcp"])
def test_idle_connections_do_not_shut_out_another_sender(
        room, out, start, mode):
    """The connection that was silent for longest is ended, and all data that
    it had sent is received."""
    place, make_input = place_of(room, mode)
    daemon = start(config(room, make_input(room)))
    with ExitStack() as stack:
        senders = []
        for n in range(CONNECTIONS_MAX + 10):
            senders.append(stack.enter_context(connected(place)))
            senders[n].sendall(b"line %d\n" % n)
        daemon.wait_for_messages(len(senders))
        assert is_cut(senders[0])
        senders[-1].sendall(b"again\n")
        counts = daemon.wait_for_messages(len(senders) + 1)
        assert counts.sum("sluiced_input_connections_ended_total") == 10
    assert sorted(out.lines()) == sorted(
        numbered(0, len(senders)).splitlines() + [b"again"])
    assert 'err="too many connections"' in daemon.log()


@pytest.mark.parametrize("own", ["127.0.0.1", "10.9.0.1"])
def test_this_machine_is_shut_out_last(own_network, room, out, start, own):
    """Each connection is the only one of its host.  That of this machine was
    silent for longest."""
    namespace.add_network(9)
    port = namespace.free_port()
    daemon = start(config(room, network_input("tcp", port).replace(
        "Listen 127.0.0.1", "Listen 0.0.0.0")))
    with ExitStack() as stack:
        def sender(host, to):
            return stack.enter_context(socket.create_connection(
                (to, port), timeout=HANG_S, source_address=(host, 0)))
        first = sender(own, own)
        others = [sender(f"10.9.1.{n}", "10.9.0.1")
                  for n in range(1, CONNECTIONS_MAX - 1)]
        others += [sender(f"10.9.2.{n}", "10.9.0.1") for n in range(1, 12)]
        # The first ten of the others, and so not that of this machine.
        assert all(is_cut(s) for s in others[:10])
        first.sendall(b"line\n")
        daemon.wait_for_messages(1)
        counts = daemon.metrics()
        assert counts.sum("sluiced_input_connections_ended_total") == 10
    assert out.lines() == [b"line"]


def connect_by_another_process(s, path):
    """The process has another user, and ends once it has connected."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.chdir(path.parent)
            os.setuid(NOBODY)
            s.connect(path.name)
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("mode", ["unix_tcp", "tcp"])
def test_a_sender_with_many_names_takes_places_from_itself(
        room, out, start, mode):
    """Each of its connections has another process or address.  The victim has
    the most connections of one process and address."""
    if mode == "unix_tcp" and os.geteuid() != 0:
        pytest.skip("needs root to act as another user")
    place, make_input = place_of(room, mode)
    daemon = start(config(room, make_input(room)))
    room.path.chmod(0o755)
    lines = []
    with ExitStack() as stack:
        def send(s, line):
            s.sendall(line + b"\n")
            lines.append(line)

        def crowd(count):
            for n in range(count):
                if mode == "tcp":
                    s = socket.create_connection(
                        place, timeout=HANG_S,
                        source_address=(f"127.0.1.{1 + len(lines) % 250}", 0))
                else:
                    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                    connect_by_another_process(s, place)
                send(stack.enter_context(s), b"crowd")
            daemon.wait_for_messages(len(lines))

        victims = [stack.enter_context(connected(place)) for _ in range(3)]

        def victims_send():
            for s in victims:
                send(s, b"victim")
            daemon.wait_for_messages(len(lines))

        victims_send()
        crowd(CONNECTIONS_MAX - len(victims))
        victims_send()
        crowd(10)
        victims_send()
        for s in victims:
            s.setblocking(False)
        assert not any(has_news(s) for s in victims)
        counts = daemon.metrics()
        assert counts.sum("sluiced_input_connections_ended_total") == 10
    assert sorted(out.lines()) == sorted(lines)


# Connects again and again, sends a line each time, and ends with its stdin.
CROWD = """
import socket, sys
path, count = sys.argv[1], int(sys.argv[2])
crowd = []
for n in range(count):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(path)
    s.sendall(b"crowd\\n")
    crowd.append(s)
sys.stdin.read()
"""


def each_process_has_an_inode():
    """Without pidfs, which Linux has since 6.9, all pidfds have one inode."""
    pidfds = [os.pidfd_open(pid) for pid in (os.getpid(), os.getppid())]
    try:
        own, other = (os.fstat(pidfd).st_ino for pidfd in pidfds)
        return own != other
    finally:
        for pidfd in pidfds:
            os.close(pidfd)


@pytest.mark.skipif(SAN == "thread", reason="TSan needs the machine's /proc")
def test_a_container_takes_no_connections_from_another_one(
        room, out, start):
    """In a pod, sluiced knows no process id of the other containers: each is
    0."""
    if not may_be_init():
        pytest.skip("needs root to make a process namespace")
    if not each_process_has_an_inode():
        pytest.skip("needs Linux 6.9")
    daemon = start(config(room, unix_input(room)), wrapper=AS_INIT)
    [init] = daemon.workers()  # unshare's only child
    try:
        with connected(room.socket) as victim:
            victim.sendall(b"victim\n")
            daemon.wait_for_messages(1)
            crowd = subprocess.Popen(
                [sys.executable, "-c", CROWD, str(room.socket),
                 str(CONNECTIONS_MAX + 10)], stdin=subprocess.PIPE)
            try:
                daemon.wait_for_messages(CONNECTIONS_MAX + 11)
                victim.sendall(b"victim again\n")
                counts = daemon.wait_for_messages(CONNECTIONS_MAX + 12)
            finally:
                crowd.communicate()
            assert crowd.returncode == 0
            assert counts.sum("sluiced_input_connections_ended_total") == 11
    finally:
        os.kill(init, signal.SIGTERM)
        daemon.wait()
    assert "peer=unix://pid_0 " in daemon.log()
    assert sorted(out.lines()) == [b"crowd"] * (CONNECTIONS_MAX + 10) + [
        b"victim", b"victim again"]
    daemon.check_end()


@pytest.mark.parametrize("mode", ["unix_tcp", "tcp"])
def test_a_connection_that_is_ended_loses_nothing_that_it_sent(
        room, out, start, mode):
    """All senders send all the time, and connect again when they are
    disconnected."""
    place, make_input = place_of(room, mode)
    daemon = start(config(room, make_input(room)),
                   wrapper=("prlimit", "--nofile=100"))
    senders = [None] * 100
    sent = []
    try:
        for turn in range(5):
            for n, s in enumerate(senders):
                if s is None or has_news(s):
                    senders[n] = s = connected(place)
                line = b"%d %d" % (n, turn)
                try:
                    s.sendall(line + b"\n")
                    sent.append(line)
                except (BrokenPipeError, ConnectionResetError):
                    senders[n] = None
                # Over TCP, a sender may not have learnt yet that its
                # connection is closed, and would lose the next line.
                if mode == "tcp":
                    wait_until(
                        lambda: daemon.metrics().received == len(sent),
                        "the line to be received")
    finally:
        for s in senders:
            if s is not None:
                s.close()
    daemon.wait_for_messages(len(sent))
    assert sorted(out.lines()) == sorted(sent)
    assert daemon.metrics().sum("sluiced_input_connections_ended_total") > 0


def has_news(s):
    """Whether the other end has closed the connection; then close it, too, as
    a sender does that reads its socket."""
    try:
        s.recv(1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        pass
    s.close()
    return True


@pytest.mark.parametrize("mode", ["unix_tcp", "tcp"])
def test_an_idle_connection_is_ended_after_idle_timeout(
        room, out, start, mode):
    """The worker finds connection and data together, so that the data cannot
    come after Idle_Timeout."""
    place, make_input = place_of(room, mode)
    daemon = start(config(room, make_input(room, "Idle_Timeout 0.05")))
    worker = daemon.worker()
    sent = []
    for n in range(3):
        with stopped(worker):
            s = connected(place)
            s.sendall(b"line %d\nhalf %d" % (n, n))
        with s:
            assert is_cut(s)
        sent += [b"line %d" % n, b"half %d" % n]
    daemon.wait_for_messages(len(sent))
    assert out.lines() == sent
    assert daemon.metrics().sum("sluiced_input_connections_ended_total") == 3


def test_a_connection_may_be_idle_forever_by_default(room, out, start):
    """The idle input next to it is looked at several times meanwhile."""
    port = free_port()
    daemon = start(config(room, unix_input(room),
                          network_input("tcp", port, "Idle_Timeout 0.02")))
    with connected(room.socket) as quiet:
        for _ in range(3):
            with connected(("127.0.0.1", port)) as s:
                assert is_cut(s)
        quiet.sendall(b"still here\n")
        daemon.wait_for_messages(1)
    assert out.lines() == [b"still here"]


REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PIPELINED = 1500


def read_answers(client):
    """All bytes that the daemon has sent by now."""
    client.setblocking(False)
    got = b""
    try:
        while piece := client.recv(1 << 20):
            got += piece
    except BlockingIOError:
        pass
    client.settimeout(HANG_S)
    return got


def interrupt_answering(daemon, worker, requests):
    """Send the requests, and stop the worker while it answers them.  Returns
    the client and the answers so far.  A worker that has answered nearly all
    by then gets them again."""
    while True:
        client = socket.create_connection(daemon.address, timeout=HANG_S)
        suspend(worker)
        client.sendall(requests)
        os.kill(worker, signal.SIGCONT)
        got = client.recv(1)
        suspend(worker)
        got += read_answers(client)
        if got.count(b"HTTP/1.1 200") < PIPELINED - 100:
            return client, got
        os.kill(worker, signal.SIGCONT)
        client.close()


def test_pipelined_requests_do_not_shut_out_datagrams(room, start):
    """The worker is stopped while it answers, a datagram arrives, and the
    answer to the last request counts it."""
    daemon = start(config(room, syslog_input(room)))
    worker = daemon.worker()
    metrics = REQUEST.replace(b"/", b"/metrics", 1)
    try:
        client, got = interrupt_answering(daemon, worker,
                                          REQUEST * PIPELINED + metrics)
        with Sender(room.socket) as sender:
            sender.send(datagram({"n": 1}))
    finally:
        os.kill(worker, signal.SIGCONT)
    with client:
        while b"\nsluiced_build_info" not in got:
            got += client.recv(1 << 20)
    assert b"\nsluiced_messages_received_total 1\n" in got
