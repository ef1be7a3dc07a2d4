# SPDX-License-Identifier: Apache-2.0
"""The supervisor starts workers, passes signals on to them, and works as
process 1 of a container."""
import ctypes
import os
import re
import resource
import signal
import subprocess
import sys
from datetime import datetime

import pytest

from harness.config import lua_filter
from harness.daemon import Daemon, is_alive, run, stopped, suspend
from harness.gate import Gate
from harness.namespace import AS_INIT, may_be_init
from harness.sender import Sender, datagram
from harness.stream import numbered
from harness.wait import HANG_S, SAN, wait_until


def short(room, *lines, **more):
    return numbered(room, *lines, template="{n}", **more)


def send_ten(daemon, sender):
    sender.send(*(datagram({"n": n}) for n in range(10)))
    wait_until(lambda: daemon.metrics().received == 10,
               "all lines to be received")


def test_a_dead_worker_is_replaced_and_the_counters_continue(room, out, start):
    daemon = start(short(room))
    socket, port = os.stat(room.socket).st_ino, daemon.address
    workers = [daemon.worker()]
    with Sender(room.socket) as sender:
        for turn in range(3):
            sender.send(*(datagram({"n": n})
                          for n in range(10 * turn, 10 * turn + 10)))
            daemon.wait_for_messages(10 * turn + 10)
            before = daemon.ready_count()
            daemon.kill_worker()
            daemon.wait_for_worker(before)
            workers.append(daemon.worker())
    counts = daemon.wait_for_messages(30)
    assert counts.received == counts.written == 30
    assert counts.sum("sluiced_output_lines_written_total") == 30
    assert counts.sum("sluiced_worker_deaths_total") == 3
    assert len(set(workers)) == 4
    assert (os.stat(room.socket).st_ino, daemon.address) == (socket, port)
    assert out.lines() == [b"%d" % n for n in range(30)]
    for worker in workers[:3]:
        died = f'worker={worker} err="the worker died" signal=9'
        assert died in daemon.log()
    for worker in workers:
        assert f"worker={worker} state=started" in daemon.log()


class Loading(Daemon):
    """It is not waited for."""

    def _is_ready(self):
        return True


@pytest.fixture
def loading(room, held_socket):
    """Start sluiced, whose first worker waits at the gate while it loads."""
    started = []

    def start_one(gate):
        hook = f"{gate.lua} function hook(t, ts, r) return 0, ts, r end"
        started.append(Loading(room, short(room) + lua_filter(room, hook),
                               listen=held_socket))
        gate.wait()
        return started[0]
    yield start_one
    for daemon in started:
        daemon.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_the_first_worker_is_replaced_if_a_signal_kills_it(
        room, out, loading, number):
    """Its socket may hold lines already."""
    gate = Gate(room)
    daemon = loading(gate)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    gate.renew()
    worker = daemon.kill_worker(number)
    gate.open()
    died = f'worker={worker} err="the worker died" signal={number:d}'
    wait_until(lambda: daemon.process.poll() is not None
               or died in daemon.log(), "the death to be logged")
    assert died in daemon.log()
    gate.wait()
    gate.open()
    wait_until(lambda: len(out.lines()) == 10, "the lines")
    daemon.signal(signal.SIGTERM)
    daemon.check_end()
    assert out.lines() == [b"%d" % n for n in range(10)]


def test_senders_do_not_notice_that_a_worker_is_dead(room, out, start):
    """The kernel queues lines that are sent while no worker lives."""
    daemon = start(short(room))
    with Sender(room.socket, blocking=False) as sender:
        daemon.kill_worker()
        sender.send(*(datagram({"n": n}) for n in range(10)))
        assert sender.refused == 0
    daemon.wait_for_messages(10)
    assert out.lines() == [b"%d" % n for n in range(10)]


PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10)


@pytest.mark.skipif(SAN != "", reason="long pauses; a sanitizer adds nothing")
def test_the_supervisor_waits_longer_after_each_death_and_then_exits(
        room, start):
    """The configuration becomes unusable, so every new worker ends.  The last
    log line says that the supervisor exits."""
    daemon = start(short(room))
    config = room.path / "sluiced.conf"
    config.write_text("nonsense\n")
    daemon.kill_worker()
    code = daemon.wait()
    daemon.has_ended = True
    assert code == 71
    log = daemon.log()
    last = log.splitlines()[-1]
    assert "mod=supervisor" in last and "exiting" in last
    assert not room.socket.exists()
    deaths = [datetime.fromisoformat(text) for text in re.findall(
        r'^(\S+)Z .*mod=supervisor worker=\d+ err="the worker died" '
        r'exit_code=', log, re.M)]
    pauses = [(b - a).total_seconds() for a, b in zip(deaths, deaths[1:])]
    # A slow machine can only make the pauses longer.  The log has milliseconds.
    # The worker that was killed may have lived too long for a quick death.
    assert len(PAUSES_S) - len(pauses) in (0, 1), pauses
    assert all(pause >= least - 0.002 for pause, least in
               zip(pauses, PAUSES_S)), pauses


def test_a_worker_that_leaves_interrupts_a_row_of_quick_deaths(room, start):
    """After ten quick deaths in a row, the supervisor would exit.  A worker
    that is killed while it loads its configuration has died quickly.  The old
    worker of a reload leaves although the next one is dead, because the new
    configuration has closed its socket."""
    hook = "function hook(t, ts, r) return 0, ts, r end"
    text = short(room) + lua_filter(room, hook)
    daemon = start(text)
    gate = Gate(room)
    script = room.path / "hook.lua"
    paths = [room.socket, room.path / "other.sock"]

    def move_socket(turn, kill_first):
        """Reload, but kill the next worker before it takes over.  Kill those
        that follow while they load, then let one load."""
        room.write("sluiced.conf", text.replace(f"Path {room.socket}",
                                                f"Path {paths[turn % 2]}"))
        old = daemon.worker()
        ready = daemon.ready_count()
        suspend(old)
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: paths[turn % 2].exists() and
                   not paths[1 - turn % 2].exists(), "the other socket")
        [new] = set(daemon.workers()) - {old}
        script.write_text(f"{gate.lua}\n{hook}")
        os.kill(new, signal.SIGKILL)
        wait_until(lambda: daemon.log().count("reload=failed") == turn,
                   "the failed reload")
        os.kill(old, signal.SIGCONT)
        for _ in range(kill_first):
            gate.wait()
            gate.renew()
            daemon.kill_worker()
            gate.open()
        gate.wait()
        gate.renew()  # this worker keeps the old one open
        script.write_text(hook)
        gate.open()
        daemon.wait_for_worker(ready)
    move_socket(1, 9)
    move_socket(2, 1)
    assert daemon.metrics().sum("sluiced_worker_deaths_total") == 10


@pytest.mark.parametrize("number", [
    signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_the_supervisor_passes_on_signals_to_end(room, out, start, number):
    daemon = start(short(room, flush="3600", grace="30"))
    with Sender(room.socket) as sender:
        send_ten(daemon, sender)
    daemon.stop(number)
    assert out.lines() == [b"%d" % n for n in range(10)]
    assert not room.socket.exists()


def test_a_worker_that_dies_while_it_drains_is_replaced(room, out, start):
    daemon = start(short(room, flush="3600", grace="60"))
    with Sender(room.socket) as sender:
        send_ten(daemon, sender)
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in daemon.log(), "draining")
        sender.send(datagram({"n": 10}))
        daemon.kill_worker()
    daemon.check_end()
    assert out.lines() == [b"%d" % n for n in range(11)]


RENAME_EXCHANGE = 2


def exchange(a, b):
    """Exchange two files.  Otherwise a worker could start when the path of the
    journal is free, and would make a new one."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = -100  # AT_FDCWD
    assert libc.renameat2(here, bytes(a), here, bytes(b),
                          RENAME_EXCHANGE) == 0, (
        os.strerror(ctypes.get_errno()))


def test_a_worker_that_cannot_start_while_sluiced_stops_is_not_the_last(
        room, out, start):
    """A directory stands at the path of the journal for a while."""
    daemon = start(short(room, flush="3600", grace="600"))
    journal = room.path / ".sluiced.journal"
    kept = room.path / "kept"
    with Sender(room.socket) as sender:
        send_ten(daemon, sender)
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in daemon.log(), "draining")
        kept.mkdir()
        exchange(journal, kept)
        daemon.kill_worker()
        wait_until(lambda: "exit_code=71" in daemon.log(), "the failure")
        exchange(journal, kept)
        wait_until(lambda: daemon.ready_count() == 2, "the next worker")
        sender.send(datagram({"n": 10}))
    daemon.check_end()
    assert out.lines() == [b"%d" % n for n in range(11)]


def test_a_worker_ends_when_its_supervisor_is_killed(room, out, start):
    config = short(room)
    daemon = start(config)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    daemon.wait_for_messages(10)
    worker = daemon.worker()
    daemon.process.kill()
    daemon.wait()
    daemon.has_ended = True
    wait_until(lambda: not is_alive(worker), "the worker to end")
    daemon = start(config)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 10}))
    counts = daemon.wait_for_messages(11)
    assert counts.received == counts.written == 11
    assert out.lines() == [b"%d" % n for n in range(11)]


def test_sluiced_ends_with_the_exit_code_of_its_first_worker(room):
    config = room.write("bad.conf", "[SERVICE]\n    Flsh 1\n")
    done = run("-c", config)
    assert done.code == 78
    assert "bad.conf:2" in done.err and "Flush" in done.err
    assert done.err.count("\n") <= 3, done.err


def test_without_a_supervisor_there_is_only_one_process(room, out, start):
    daemon = start(short(room), args=["--no-supervisor"])
    pid = daemon.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        assert children.read() == ""
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    daemon.wait_for_messages(10)
    daemon.stop()
    assert out.lines() == [b"%d" % n for n in range(10)]
    assert not room.socket.exists()


# --- systemd's socket

@pytest.mark.parametrize("args", [[], ["--no-supervisor"]],
                         ids=["", "no supervisor"])
def test_a_socket_that_systemd_holds_is_used_and_left(
        room, out, start, held_socket, args):
    inode = os.stat(room.socket).st_ino
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}))  # before any process listens
        daemon = start(short(room), listen=held_socket, args=args)
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(2)
        daemon.stop()
        assert os.stat(room.socket).st_ino == inode
        sender.send(datagram({"n": 2}))
    start(short(room), listen=held_socket, args=args).wait_for_messages(3)
    assert out.lines() == [b"0", b"1", b"2"]


def test_a_socket_for_another_process_is_ignored(room, out, start):
    """LISTEN_PID names another process, see sd_listen_fds(3)."""
    daemon = start(short(room), env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}))
    daemon.wait_for_messages(1)
    assert out.lines() == [b"0"]


# --- PID 1

@pytest.mark.skipif(SAN == "thread", reason="TSan needs the machine's /proc")
def test_as_process_1_the_supervisor_reaps_orphans(room, out, start):
    """In a container sluiced is process 1, and orphans become its children."""
    if not may_be_init():
        pytest.skip("needs root to make a process namespace")
    daemon = start(short(room), wrapper=AS_INIT)
    [init] = daemon.workers()  # unshare's only child
    assert "NSpid:\t%d\t1\n" % init in open(f"/proc/{init}/status").read()

    def children():
        with open(f"/proc/{init}/task/{init}/children") as file:
            return file.read().split()
    [worker] = children()
    # Both shells end at once, and leave `cat` to process 1.  `cat` ends when
    # the test closes the pipe.
    pipe = room.path / "pipe"
    os.mkfifo(pipe)
    subprocess.run(["nsenter", "-t", str(init), "-p", "-m", "sh", "-c",
                    f"(cat {pipe} >/dev/null 2>&1 &); exit 0"], check=True,
                   stdin=subprocess.DEVNULL, timeout=HANG_S)
    with open(pipe, "w"):
        wait_until(lambda: len(children()) == 2, "an orphan")
    wait_until(lambda: children() == [worker],
               lambda: f"the orphan to be reaped: {children()}")
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}))
        daemon.wait_for_messages(1)
        os.kill(int(worker), signal.SIGKILL)
        wait_until(lambda: len(c := children()) == 1 and c != [worker],
                   "a new worker")
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(2)
    os.kill(init, signal.SIGTERM)
    daemon.check_end()
    assert out.lines() == [b"0", b"1"]
    assert re.search("mod=worker state=stopped", daemon.log())


HOSTILE_PARENT = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("args", [[], ["--no-supervisor"]],
                         ids=["supervisor", "no supervisor"])
def test_blocked_and_ignored_signals_of_the_parent_do_no_harm(
        room, out, start, args):
    """A process inherits both.  Without SIGCHLD, the supervisor would not
    learn that the old worker has left."""
    daemon = start(numbered(room, template="{n}"), args=args,
                   wrapper=[sys.executable, "-c", HOSTILE_PARENT])
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
        daemon.wait_for_messages(1)
        if not args:
            before = daemon.ready_count()
            daemon.signal(signal.SIGHUP)
            daemon.wait_for_worker(before)
            daemon.kill_worker()
            daemon.wait_for_worker(before + 1)
        sender.send(datagram({"n": 2}))
        daemon.wait_for_messages(2)
    assert out.lines() == [b"1", b"2"]
    daemon.stop()


@pytest.mark.skipif("address" in SAN, reason="the leak checker needs "
                    "descriptors")
def test_a_worker_without_room_for_its_endpoints_says_so(room, out, start):
    """It may have no more descriptors than it has when they arrive."""
    daemon = start(short(room))
    old = daemon.worker()
    with stopped(old):
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: daemon.log().count("state=started") == 2,
                   "the next worker")
        [worker] = set(daemon.workers()) - {old}
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, 3))
    wait_until(lambda: "exit_code=71" in daemon.log(), "the failure")
    assert "the sockets did not arrive" in daemon.log()
    daemon.wait_for_worker(1)
    with Sender(room.socket) as sender:
        send_ten(daemon, sender)
    daemon.wait_for_messages(10)
