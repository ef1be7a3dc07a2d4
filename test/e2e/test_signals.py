# SPDX-License-Identifier: Apache-2.0
"""A signal means the same, whichever of the two processes gets it.  `kill
$(pidof -s sluiced)` picks the worker.  A worker that stops on its own would
shut down the sockets that the next worker needs."""
import ctypes
import errno
import os
import signal
import socket
import subprocess
from contextlib import suppress

import pytest

from harness.config import lua_filter
from harness.daemon import SLUICED, is_alive, suspend
from harness.gate import Gate
from harness.inputs import config, connected, network_input, unix_input
from harness.namespace import AS_INIT, free_port, may_be_init
from harness.sender import Sender, datagram
from harness.stream import numbered, wait_for_lines
from harness.wait import HANG_S, SAN, wait_until

HOOK = "function hook(t, ts, r) return 0, ts, r end"
NUMBERS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
STOPS = pytest.mark.parametrize("number", NUMBERS)


def short(room, *lines, **more):
    return numbered(room, *lines, template="{n}", **more)


def hook_that_waits(room):
    """The next worker waits at the gate while it loads its hook."""
    gate = Gate(room)
    (room.path / "hook.lua").write_text(f"{gate.lua}\n{HOOK}")
    return gate


def wait_for_draining(daemon):
    """Fails if a next worker starts instead."""
    wait_until(lambda: "state=draining" in daemon.log(), "draining")
    assert "action=stopping" in daemon.log()


def check_that_it_stopped_once(daemon):
    log = daemon.log()
    assert log.count("mod=supervisor signal=") == 1, log
    assert log.count("state=draining") == 1, log
    assert daemon.ready_count() == 1


# --- stopping

@STOPS
def test_a_signal_to_the_worker_stops_sluiced(room, out, start, number):
    daemon = start(short(room, flush="3600", grace="600"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
        os.kill(daemon.worker(), number)
        wait_until(lambda: "mod=worker state=draining" in daemon.log(),
                   "draining")
        assert f"mod=supervisor signal={number:d} action=stopping" in (
            daemon.log())
        sender.send(*(datagram({"n": n}) for n in range(10, 20)))
    daemon.check_end()
    assert out.lines() == [b"%d" % n for n in range(20)]
    check_that_it_stopped_once(daemon)
    assert not room.socket.exists()


@pytest.mark.parametrize("mode", ["unix_tcp", "tcp"])
def test_a_signal_to_the_worker_of_a_stream_stops_sluiced(
        room, out, start, mode):
    port = free_port()
    where = room.socket if mode == "unix_tcp" else ("127.0.0.1", port)
    daemon = start(config(
        room, unix_input(room) if mode == "unix_tcp"
        else network_input(mode, port), flush="3600", grace="600"))
    with connected(where) as s:
        s.sendall(b"1\n")
        wait_until(lambda: daemon.metrics().received == 1, "the line")
        os.kill(daemon.worker(), signal.SIGTERM)
        wait_for_draining(daemon)
        with connected(where) as late:
            late.sendall(b"2\n")
        s.sendall(b"3\n")
    daemon.check_end()
    assert sorted(out.lines()) == [b"1", b"2", b"3"]
    check_that_it_stopped_once(daemon)


@STOPS
def test_without_a_supervisor_a_signal_stops_sluiced(room, out, start, number):
    daemon = start(short(room, flush="3600", grace="600"),
                   args=["--no-supervisor"])
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        daemon.signal(number)
        wait_for_draining(daemon)
        sender.send(datagram({"n": 2}))
    daemon.check_end()
    assert out.lines() == [b"1", b"2"]


@pytest.mark.skipif(SAN == "thread", reason="TSan needs the machine's /proc")
@STOPS
def test_a_signal_stops_process_1(room, out, start, number):
    """The kernel does not apply the default action of a signal to process 1 of
    a container.  A pod may have the stop signal of nginx's image, SIGQUIT."""
    if not may_be_init():
        pytest.skip("needs root to make a process namespace")
    daemon = start(short(room, flush="3600", grace="600"), wrapper=AS_INIT)
    [init] = daemon.workers()  # unshare's only child
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        os.kill(init, number)
        wait_for_draining(daemon)
        sender.send(datagram({"n": 2}))
    daemon.check_end()
    assert out.lines() == [b"1", b"2"]


@STOPS
def test_a_signal_to_both_processes_stops_once(room, out, start, number):
    """Ctrl-C sends SIGINT to the group.  Repeated signals change nothing."""
    daemon = start(short(room, flush="3600", grace="600"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
        os.killpg(daemon.process.pid, number)
        wait_for_draining(daemon)
        os.killpg(daemon.process.pid, number)
        sender.send(*(datagram({"n": n}) for n in range(10, 20)))
    daemon.check_end()
    assert out.lines() == [b"%d" % n for n in range(20)]
    check_that_it_stopped_once(daemon)


def test_a_signal_to_both_while_the_first_worker_loads_is_no_second_signal(
        room, out):
    """A second signal would end sluiced at once.  The line that the first one
    must not lose is sent when the worker drains."""
    room.write("sluiced.conf", short(room, flush="3600", grace="600")
               + lua_filter(room, HOOK))
    gate = hook_that_waits(room)
    log = room.new_file("sluiced", ".log")
    with open(log, "wb") as to:
        process = subprocess.Popen(
            [SLUICED, "-c", "sluiced.conf"], cwd=room.path, stderr=to,
            stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        gate.wait()
        os.killpg(process.pid, signal.SIGINT)
        gate.open()
        assert process.wait(HANG_S) == 0, log.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    text = log.read_text()
    assert text.count("action=stopping") == text.count("state=draining") == 1
    assert "mod=worker state=stopped" in text


def test_a_signal_to_a_worker_that_loads_stops_sluiced(room, out, start):
    daemon = start(short(room, grace="600") + lua_filter(room, HOOK))
    gate = hook_that_waits(room)
    with Sender(room.socket) as sender:
        daemon.kill_worker()
        sender.send(datagram({"n": 1}))
        gate.wait()
        os.kill(daemon.worker(), signal.SIGTERM)
        gate.open()
        wait_for_draining(daemon)
        sender.send(datagram({"n": 2}))
    daemon.check_end()
    assert out.lines() == [b"1", b"2"]


def begin_reload(daemon):
    """Ask for a reload while the old worker is stopped, and wait until the next
    one is ready.  Returns both."""
    old = daemon.worker()
    suspend(old)
    started = daemon.log().count("state=started")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.log().count("state=started") > started,
               "the next worker to be ready")
    [new] = set(daemon.workers()) - {old}
    return old, new


def test_a_signal_to_a_worker_that_leaves_stops_sluiced(room, out, start):
    """The worker learns of the reload and of the signal at the same time."""
    daemon = start(short(room, grace="600"))
    with Sender(room.socket) as sender:
        old, _ = begin_reload(daemon)
        sender.send(datagram({"n": 1}))
        os.kill(old, signal.SIGTERM)
        os.kill(old, signal.SIGCONT)
        wait_for_draining(daemon)
        sender.send(datagram({"n": 2}))
    daemon.check_end()
    assert out.lines() == [b"1", b"2"]


def test_a_worker_without_its_supervisor_obeys(room, out, start):
    text = short(room)
    daemon = start(text)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
    daemon.wait_for_messages(1)
    worker = daemon.worker()
    suspend(worker)
    daemon.process.kill()
    daemon.wait()
    daemon.has_ended = True
    os.kill(worker, signal.SIGTERM)
    os.kill(worker, signal.SIGHUP)
    os.kill(worker, signal.SIGCONT)
    wait_until(lambda: not is_alive(worker), "the worker to end")
    daemon = start(text)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 2}))
    daemon.wait_for_messages(2)
    assert out.lines() == [b"1", b"2"]


# --- other signals

def test_sighup_before_the_first_worker_works_reloads_then(room):
    """The worker may have read the files before they were changed."""
    conf = room.write("sluiced.conf", short(room) + lua_filter(room, HOOK))
    gate = hook_that_waits(room)
    log = room.path / "early.txt"
    with log.open("wb") as stderr, subprocess.Popen(
            [SLUICED, "-c", conf], stderr=stderr) as process:
        gate.wait()
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload=held " in log.read_text(), "the signal")
        (room.path / "hook.lua").write_text(HOOK)
        gate.open()
        wait_until(lambda: "reload=done " in log.read_text(), "the reload")
        process.terminate()
        assert process.wait(HANG_S) == 0


def test_sighup_to_the_worker_reloads(room, out, start):
    daemon = start(short(room))
    old = daemon.worker()
    room.write("sluiced.conf", numbered(room, template="new {n}"))
    with Sender(room.socket) as sender:
        os.kill(old, signal.SIGHUP)
        daemon.wait_for_worker(1)
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
    assert out.lines() == [b"new 1"]
    assert daemon.worker() != old
    assert daemon.metrics().sum("sluiced_worker_deaths_total") == 0
    assert "reload=done" in daemon.log()


def test_sigusr1_to_the_worker_reopens_files(room, out, start):
    daemon = start(short(room))
    worker = daemon.worker()
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
        (room.out / "lines.log").rename(room.out / "old.log")
        os.kill(worker, signal.SIGUSR1)
        wait_until(lambda: "reopening files" in daemon.log(), "the signal")
        sender.send(datagram({"n": 2}))
        daemon.wait_for_messages(2)
    assert (room.out / "lines.log").read_bytes() == b"2\n"
    assert daemon.worker() == worker


# --- a worker that ends on its own

PIDFD_GETFD = 438  # pidfd_getfd(2), the same number on all machines


def sockets_of(pid):
    """The descriptors of the process that are sockets.  It may close others
    meanwhile."""
    links = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):
            links[os.readlink(f"/proc/{pid}/fd/{fd}")] = int(fd)
    return {link: fd for link, fd in links.items() if "socket:" in link}


def close_channel(supervisor, worker):
    """Shut down the worker's end of the channel, so that the worker believes
    that the supervisor is gone.  The supervisor does not have this end."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(worker)
    shared = sockets_of(supervisor)
    is_closed = False
    for link, fd in sockets_of(worker).items():
        if link in shared:
            continue
        copy = libc.syscall(PIDFD_GETFD, pidfd, fd, 0)
        if copy < 0 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS):
            pytest.skip("the system forbids pidfd_getfd")
        if copy < 0:
            continue
        with socket.socket(fileno=copy) as s:
            if s.type == socket.SOCK_SEQPACKET:
                s.shutdown(socket.SHUT_RDWR)
                is_closed = True
                break  # the worker ends now
    os.close(pidfd)
    assert is_closed


@pytest.mark.parametrize("mode", ["unix_udp", "unix_tcp", "tcp"])
def test_the_next_worker_does_not_get_sockets_that_were_shut_down(
        room, out, start, mode):
    """A worker that loses its channel shuts its sockets down, and exits with
    0."""
    port = free_port()
    where = ("127.0.0.1", port) if mode == "tcp" else room.socket
    text = (short(room) if mode == "unix_udp" else config(room, unix_input(
        room) if mode == "unix_tcp" else network_input(mode, port)))
    daemon = start(text)

    def send(n):
        if mode == "unix_udp":
            with Sender(room.socket) as sender:
                sender.send(datagram({"n": n}))
        else:
            with connected(where) as s:
                s.sendall(b"%d\n" % n)
    send(1)
    daemon.wait_for_messages(1)
    old = daemon.worker()
    close_channel(daemon.process.pid, old)
    daemon.wait_for_worker(1)
    send(2)
    wait_for_lines(out, 2)
    assert out.lines() == [b"1", b"2"]
    log = daemon.log()
    assert f'worker={old} err="the worker died" exit_code=0' in log
    assert f'worker={old} err="the worker refused its senders before it died"' in log
    assert daemon.metrics().sum("sluiced_worker_deaths_total") == 1
