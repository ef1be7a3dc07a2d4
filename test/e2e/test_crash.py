# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment: of what was accepted nothing is missing, nothing is
there twice, nothing is torn."""
import random

import pytest

from harness.config import json_filter, service, syslog_input, template
from harness.daemon import run
from harness.faults import Faults
from harness.load import get, send_requests
from harness.scale import at_random_moments, scaled
from harness.sender import Sender, datagram
from harness.strace import STRACE, Strace, threads, why_not
from harness.stream import (check_files, check_numbers, numbered,
                            numbered_in_files, numbers_in)
from harness.wait import SAN, wait_until

RATE = 500 if SAN else 5000
KINDS = 3  # files
KILLS = scaled("KILLS", 300)
# After more quick deaths in a row the supervisor takes its time.
QUICK_DEATHS = 4


@pytest.mark.parametrize("round", range(-(-KILLS // 300)))
@pytest.mark.parametrize("disk", ["good", "slow, with short writes"])
def test_kills_of_worker_and_tree_cost_no_line(
        room, start, stream, held_socket, disk, round):
    """The test holds the socket, so that the kernel's queue outlives the
    whole tree: all that send() took must be there.  On a slow disk more kills
    strike in the middle of a batch."""
    faults = Faults(room, room.out)
    if disk != "good":
        faults.order(short_every=2, delay_ms=1)
    how = dict(listen=held_socket, env=faults.env)
    config = numbered_in_files(room)
    daemon = start(config, **how)
    lines = stream(RATE, "-w", "-k", str(KINDS))
    deaths = 0
    for _ in at_random_moments(min(KILLS, 300) // 2):
        if deaths < QUICK_DEATHS and random.random() < 0.6:
            daemon.kill_worker()
            deaths += 1
        else:
            daemon.kill_tree()
            daemon = start(config, **how)
            deaths = 0
    lines.stop()
    faults.end()
    counts = daemon.settled(lines.sent)
    assert lines.refused == lines.gone == 0
    assert counts.received == counts.written == lines.sent
    check_files(room, lines.accepted(), KINDS)


@pytest.mark.parametrize("round", range(max(KILLS // 30, 1)))
def test_while_the_worker_is_dead_a_sender_that_cannot_wait_is_not_refused(
        room, start, stream, round):
    """As nginx sends, which has no second try."""
    daemon = start(numbered_in_files(room))
    lines = stream(RATE, "-s", "64", "-k", str(KINDS))
    for _ in at_random_moments(3):
        before = daemon.ready_count()
        daemon.kill_worker()
        daemon.wait_for_worker(before)
    lines.stop()
    counts = daemon.settled(lines.sent)
    assert lines.refused == lines.gone == 0
    assert counts.received == counts.written == lines.sent
    check_files(room, lines.accepted(), KINDS)


def test_nginx_does_not_notice_that_a_worker_dies(
        room, out, start, start_nginx):
    daemon = start(service(flush="0.02") + syslog_input(room) + json_filter()
                   + template("{uri}", room))
    nginx = start_nginx(http=f"""
        log_format json escape=json '{{"uri":"$request_uri"}}';
        access_log syslog:server=unix:{room.socket} json;
    """, server="location / { return 204; }")
    sent = 0
    for _ in range(5):
        daemon.kill_worker()
        for _ in range(3):
            group = [get(b"/%d" % n) for n in range(sent, sent + 8)]
            send_requests(nginx.port, group, connections=1, pipeline=8)
            sent += 8
        daemon.settled(sent)
    assert nginx.refused() == 0
    assert sorted(out.lines()) == sorted(b"/%d" % n for n in range(sent))


def test_a_killed_tree_loses_only_what_the_kernel_held(room, start, stream):
    """With its last descriptor the socket goes, and what it held; of what was
    received, nothing."""
    config = numbered_in_files(room)
    daemon = start(config)
    lines = stream(RATE, "-r", "-k", str(KINDS))
    for _ in at_random_moments(max(KILLS // 5, 1), longest_s=0.2):
        daemon.kill_tree()
        daemon = start(config)
    lines.stop()
    counts = daemon.settled(0)
    received = counts.received
    assert counts.written == received <= lines.sent
    accepted = set(lines.accepted())
    written = []
    for kind in range(KINDS):
        numbers = numbers_in((room.out / f"f{kind}.log").read_bytes())
        assert numbers == sorted(set(numbers)), "twice, or not in order"
        assert all(n % KINDS == kind for n in numbers)
        written += numbers
    assert accepted.issuperset(written)
    assert len(written) == received


def test_a_kill_in_the_middle_of_the_recovery_costs_no_line(
        room, out, start, stream, held_socket):
    """Some workers do not live for ten milliseconds."""
    config = numbered(room)
    daemon = start(config, listen=held_socket)
    lines = stream(RATE, "-w")
    for _ in range(max(KILLS // 30, 1)):
        daemon.settled(1)
        daemon.kill_worker()
        for _ in at_random_moments(2, longest_s=0.01):
            daemon.kill_worker()
        daemon.kill_tree()
        daemon = start(config, listen=held_socket)
    lines.stop()
    daemon.settled(lines.sent)
    check_numbers(numbers_in(out.bytes()), lines.accepted())


def test_a_kill_in_a_batch_for_many_files_writes_no_line_twice(
        room, start, stream, held_socket):
    """Such a batch is larger than others, and the next worker, which does not
    know yet that there are many files, must take the whole of it again."""
    kinds = 200
    faults = Faults(room, room.out)
    daemon = start(numbered_in_files(room), listen=held_socket, env=faults.env)
    lines = stream(10 * RATE, "-w", "-k", str(kinds))
    # The first batch has a few lines, the next what came meanwhile.
    faults.strike(2 * kinds + kinds // 2, delay_ms=2)
    daemon.kill_worker()
    faults.end()
    lines.stop()
    daemon.settled(lines.sent)
    check_files(room, lines.accepted(), kinds)


needs_strace = pytest.mark.skipif(bool(why_not()), reason=why_not())
BURST = 12


class TwoBursts:
    """A daemon gets some lines, which opens the files, and some more."""

    def __init__(self, room, out, start, held_socket):
        self.room, self.out = room, out
        self.begin = lambda **more: start(
            numbered_in_files(room), listen=held_socket,
            args=["--no-supervisor"], **more)
        self.sender = Sender(room.socket)
        self.sent = 0

    def run(self, thread, what="trace=all"):
        """Until all is written, or the process is dead, or a call is held.
        Then it is killed, whatever it is at."""
        daemon = self.begin()
        tid = threads(daemon.process.pid)[thread == "pipeline"]
        strace = Strace(self.room, tid, what)
        try:
            for _ in range(2):
                self.send()
                wait_until(lambda: self.out.has(self.sent, "*.log")
                           or daemon.process.poll() is not None
                           or strace.holds(),
                           lambda: f"lines, {what}: "
                                   f"{list(strace.numbered_calls())[-20:]}")
        finally:
            daemon.process.kill()
            strace.end()
            daemon.kill()
        return strace

    def send(self):
        for n in range(self.sent, self.sent + BURST):
            self.sender.send(datagram({"n": n, "to": f"f{n % KINDS}",
                                       "pad": "x" * 640}))
        self.sent += BURST

    def recover(self, what):
        """A start that is traced from its first instruction, but only where
        it touches the files.  Whether it was killed there."""
        log = self.room.new_file("strace", ".txt")
        paths = [arg for path in (self.room.out, *(
                     self.room.out / f"f{kind}.log" for kind in range(KINDS)))
                 for arg in ("-P", str(path))]
        try:
            daemon = self.begin(wrapper=[STRACE, "-f", "-qq", "-o", str(log),
                                         *paths, "-e", what])
        except AssertionError:  # before it was ready
            return "killed by SIGKILL" in log.read_text()
        wait_until(lambda: self.out.has(self.sent, "*.log")
                   or daemon.process.poll() is not None, "the recovery")
        was_killed = daemon.process.poll() is not None
        daemon.kill()
        return was_killed

    def check(self):
        counts = self.begin().settled(self.sent)
        assert counts.received == counts.written == self.sent
        check_files(self.room, list(range(self.sent)), KINDS)


@pytest.fixture
def two_bursts(room, out, start, held_socket):
    bursts = TwoBursts(room, out, start, held_socket)
    yield bursts
    bursts.sender.close()


@needs_strace
@pytest.mark.parametrize("thread, has", [
    ("intake", {"recvmmsg"}), ("pipeline", {"write", "flock", "openat"})])
def test_a_kill_at_every_system_call_of_a_batch_costs_no_line(
        two_bursts, thread, has):
    """One run tells the calls; then, for each of them, one run ends there."""
    calls = list(two_bursts.run(thread).numbered_calls())
    assert has <= {name for name, _ in calls} and len(calls) > 10, calls
    struck = 0
    for name, number in calls:
        strace = two_bursts.run(
            thread, f"inject={name}:signal=KILL:when={number}")
        struck += "killed by SIGKILL" in strace.calls()[-1]
    two_bursts.check()
    assert struck > len(calls) / 2, f"only {struck} of {len(calls)}"


@needs_strace
@pytest.mark.parametrize("thread, call", [
    ("intake", "recvmmsg"), ("pipeline", "write"), ("pipeline", "flock")])
def test_a_kill_between_a_system_call_and_the_next_instruction_costs_no_line(
        two_bursts, thread, call):
    """The call is done, and is not allowed to return."""
    for number in range(1, 8):
        two_bursts.run(thread,
                       f"inject={call}:delay_exit=3600s:when={number}")
    two_bursts.check()


@needs_strace
@pytest.mark.parametrize("call", ["openat2", "flock", "newfstatat", "pread64",
                                  "write"])
def test_a_kill_at_every_system_call_of_the_recovery_costs_no_line(
        two_bursts, call):
    """A batch of three files dies with one of them written; so does the next
    process, while it finds that out."""
    struck = 0
    for number in range(1, 5):
        two_bursts.run("pipeline", "inject=write:delay_exit=3600s:when=1")
        struck += two_bursts.recover(f"inject={call}:signal=KILL:when={number}")
    two_bursts.check()
    assert struck > 0


def test_the_journal_of_a_killed_daemon_can_be_looked_into(
        room, out, start, held_socket):
    """Its disk took nothing, so the lines are still in it."""
    room.out.mkdir()
    (room.out / "lines.log").symlink_to("/dev/full")
    config = numbered(room)
    daemon = start(config, listen=held_socket)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n, "pad": "x" * 640})
                      for n in range(50)))
    wait_until(lambda: daemon.metrics().received == 50, "50 lines")
    journal = room.path / ".sluiced.journal"
    alive = run("journal", journal)
    assert alive.code == 0, alive.err
    assert "pending: 50" in alive.out and "in_use: yes" in alive.out
    daemon.kill_tree()
    dead = run("journal", journal)
    assert dead.code == 0, dead.err
    assert "pending: 50" in dead.out and "in_use: no" in dead.out
    (room.out / "lines.log").unlink()
    daemon = start(config, listen=held_socket)
    daemon.settled(50)
    check_numbers(numbers_in(out.bytes()), list(range(50)))
