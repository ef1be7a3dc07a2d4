# SPDX-License-Identifier: Apache-2.0
"""The process that stays: it starts workers, passes signals on, and is a good
init."""
import os
import re
import signal
import shutil
import subprocess
import time

import pytest

from harness.daemon import run
from harness.sender import Sender, datagram
from harness.stream import numbered
from harness.wait import SAN, wait_until


def short(room, *lines, **more):
    return numbered(room, *lines, template="{n}", **more)


def test_a_dead_worker_is_replaced_and_the_counters_go_on(room, out, start):
    daemon = start(short(room))
    socket, port = os.stat(room.socket).st_ino, daemon.address
    workers = [daemon.worker()]
    with Sender(room.socket) as sender:
        for turn in range(3):
            sender.send(*(datagram({"n": n})
                          for n in range(10 * turn, 10 * turn + 10)))
            daemon.settled(10 * turn + 10)
            before = daemon.ready_count()
            daemon.kill_worker()
            daemon.wait_for_worker(before)
            workers.append(daemon.worker())
    counts = daemon.settled(30)
    assert counts.received == counts.written == 30
    assert counts.sum("sluiced_output_lines_written_total") == 30
    assert counts.sum("sluiced_worker_deaths_total") == 3
    assert len(set(workers)) == 4
    assert (os.stat(room.socket).st_ino, daemon.address) == (socket, port)
    assert out.lines() == [b"%d" % n for n in range(30)]
    for worker in workers[:3]:
        assert f"worker={worker} died signal=9" in daemon.log()
    for worker in workers:
        assert f"worker={worker} started" in daemon.log()


def test_a_worker_that_is_dead_is_missed_by_nobody(room, out, start):
    """What is sent while none lives waits in the kernel's queue."""
    daemon = start(short(room))
    with Sender(room.socket, blocking=False) as sender:
        daemon.kill_worker()
        sender.send(*(datagram({"n": n}) for n in range(10)))
        assert sender.refused == 0
    daemon.settled(10)
    assert out.lines() == [b"%d" % n for n in range(10)]


def test_workers_that_die_again_and_again_are_started_ever_later(room, start):
    daemon = start(short(room))
    killed, died = [], []
    while len(died) < 6:
        daemon.worker()
        killed.append(time.monotonic())
        daemon.kill_worker()
        died.append(time.monotonic())
    # From before a death until the next was seen: a busy machine only makes
    # it longer.
    between = [b - a for a, b in zip(killed, died[1:])]
    assert all(pause >= least for pause, least in
               zip(between, (0, 0, 0, 0.1, 0.2))), between
    assert daemon.metrics().sum("sluiced_worker_deaths_total") == len(died)


@pytest.mark.skipif(SAN != "", reason="its pauses are as long without")
def test_an_end_of_trying(room, start):
    """The configuration is made unusable, so that every worker ends; a clear
    last word tells it."""
    daemon = start(short(room))
    config = room.path / "sluiced.conf"
    config.write_text("nonsense\n")
    daemon.kill_worker()
    code = daemon.wait(timeout_s=60)
    daemon.has_ended = True
    assert code == 71
    last = daemon.log().splitlines()[-1]
    assert "mod=supervisor" in last and "giving up" in last
    assert not room.socket.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_to_end_are_passed_on(room, out, start, number):
    daemon = start(short(room, flush="3600", grace="30"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    wait_until(lambda: daemon.metrics().received == 10, "all received")
    daemon.stop(number)
    assert out.lines() == [b"%d" % n for n in range(10)]
    assert not room.socket.exists()


def test_a_worker_that_dies_while_it_drains_is_replaced_to_end_the_job(
        room, out, start):
    daemon = start(short(room, flush="3600", grace="60"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
        wait_until(lambda: daemon.metrics().received == 10, "all received")
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: "draining" in daemon.log(), "draining")
        sender.send(datagram({"n": 10}))
        daemon.kill_worker()
    daemon.check_end()
    assert out.lines() == [b"%d" % n for n in range(11)]


def test_a_worker_whose_supervisor_is_killed_makes_room_for_the_next(
        room, out, start):
    config = short(room)
    daemon = start(config)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    daemon.settled(10)
    worker = daemon.worker()
    daemon.process.kill()
    daemon.wait()
    daemon.has_ended = True
    wait_until(lambda: not os.path.exists(f"/proc/{worker}") or
               "State:\tZ" in open(f"/proc/{worker}/status").read(),
               "the worker to leave")
    daemon = start(config)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 10}))
    counts = daemon.settled(11)
    assert counts.received == counts.written == 11
    assert out.lines() == [b"%d" % n for n in range(11)]


def test_a_worker_that_dies_at_its_first_start_is_an_end_with_its_code(room):
    config = room.write("bad.conf", "[SERVICE]\n    Flsh 1\n")
    done = run("-c", config)
    assert done.code == 78
    assert "bad.conf:2" in done.err and "Flush" in done.err
    assert done.err.count("\n") <= 3, done.err


def test_without_a_supervisor_there_is_one_process(room, out, start):
    daemon = start(short(room), args=["--no-supervisor"])
    pid = daemon.process.pid
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        assert children.read() == ""
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    daemon.settled(10)
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
        sender.send(datagram({"n": 0}))  # before anybody listens
        daemon = start(short(room), listen=held_socket, args=args)
        sender.send(datagram({"n": 1}))
        daemon.settled(2)
        daemon.stop()
        assert os.stat(room.socket).st_ino == inode
        sender.send(datagram({"n": 2}))
    start(short(room), listen=held_socket, args=args).settled(3)
    assert out.lines() == [b"0", b"1", b"2"]


def test_a_socket_for_another_process_is_none_of_its_business(
        room, out, start):
    """LISTEN_PID names somebody else: as sd_listen_fds(3) has it."""
    daemon = start(short(room), env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}))
    daemon.settled(1)
    assert out.lines() == [b"0"]


# --- PID 1

def may_be_init():
    return shutil.which("unshare") and subprocess.run(
        ["unshare", "-p", "-f", "--mount-proc", "true"],
        capture_output=True).returncode == 0


@pytest.mark.skipif(SAN == "thread", reason="TSan needs the machine's /proc")
def test_as_init_it_reaps_and_ends_well(room, out, start):
    """In a container it is process 1: orphans become its children."""
    if not may_be_init():
        pytest.skip("needs root, for a process namespace of its own")
    daemon = start(short(room), wrapper=["unshare", "-p", "-f",
                                         "--kill-child", "--mount-proc"])
    [init] = daemon.workers()  # unshare's only child
    assert "NSpid:\t%d\t1\n" % init in open(f"/proc/{init}/status").read()

    def children():
        with open(f"/proc/{init}/task/{init}/children") as file:
            return file.read().split()
    [worker] = children()
    # Both shells end at once; the inner one's child is left to init.
    subprocess.run(["nsenter", "-t", str(init), "-p", "-m", "sh", "-c",
                    "(sleep 0.1 &) ; exit 0"], check=True, timeout=20)
    wait_until(lambda: children() == [worker],
               lambda: f"orphans to be reaped: {children()}")
    assert len(children()) == 1
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 0}))
        daemon.settled(1)
        os.kill(int(worker), signal.SIGKILL)
        wait_until(lambda: len(c := children()) == 1 and c != [worker],
                   "a new worker")
        sender.send(datagram({"n": 1}))
        daemon.settled(2)
    os.kill(init, signal.SIGTERM)
    daemon.check_end()
    assert out.lines() == [b"0", b"1"]
    assert re.search("mod=worker stopped", daemon.log())
