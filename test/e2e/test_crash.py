# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment: no line that the kernel accepted is missing, written
twice, or torn."""
import pytest

from harness import namespace
from harness.config import json_filter, service, syslog_input, template
from harness.daemon import run, stopped
from harness.faults import Faults, empty_disk, fill_disk
from harness.load import get, send_requests
from harness.scale import at_random_moments, dice, scaled
from harness.sender import Sender, datagram
from harness.strace import STRACE, Strace, thread_named, why_not
from harness.stream import (check_files, check_numbers, numbered,
                            numbered_in_files, numbers_in)
from harness.wait import SAN, wait_until

RATE = 500 if SAN else 5000
KINDS = 3  # files
KILLS = scaled("KILLS", 300)
# After more deaths in a row, the supervisor would wait longer and longer before
# it starts the next worker (process/deaths.h).
QUICK_DEATHS = 4


@pytest.mark.parametrize("round", range(-(-KILLS // 300)))
@pytest.mark.parametrize("disk", ["good", "slow, with short writes"])
def test_kills_of_the_worker_and_of_all_processes_lose_no_line(
        room, start, stream, held_socket, disk, round):
    """The test holds the socket, so that the kernel's queue outlives all
    processes of the daemon: every line that send() accepted must be written.
    On a slow disk, more kills strike in the middle of a batch."""
    rng = dice("kills", disk, round)
    faults = Faults(room, room.out)
    if disk != "good":
        faults.order(short_every=2, delay_ms=1)
    how = dict(listen=held_socket, env=faults.env)
    config = numbered_in_files(room)
    daemon = start(config, **how)
    lines = stream(RATE, "-w", "-k", str(KINDS))
    deaths = 0
    for _ in at_random_moments(min(KILLS, 300) // 2, rng):
        if deaths < QUICK_DEATHS and rng.random() < 0.6:
            daemon.kill_worker()
            deaths += 1
        else:
            daemon.kill_tree()
            daemon = start(config, **how)
            deaths = 0
    lines.stop()
    faults.end()
    counts = daemon.wait_for_messages(lines.sent)
    assert lines.refused == lines.gone == 0
    assert counts.received == counts.written == lines.sent
    check_files(room, lines.accepted(), KINDS)


def test_the_kernel_queues_lines_while_the_worker_is_dead(room, start, stream):
    """Like nginx, the sender neither waits nor tries again.  The test
    stops the supervisor, so that no new worker can start meanwhile."""
    daemon = start(numbered_in_files(room))
    if daemon.metrics().sum("sluiced_input_queue_length") < 4096:
        pytest.skip("needs a queue of 4096")
    sent = []
    for turn in range(3):
        before = daemon.ready_count()
        with stopped(daemon.process.pid):
            daemon.kill_worker()
            lines = stream(RATE, "-s", "64", "-k", str(KINDS),
                           count=1000).wait()
            assert (lines.sent, lines.refused, lines.gone) == (1000, 0, 0)
            sent += lines.accepted()
        daemon.wait_for_worker(before)
        counts = daemon.wait_for_messages(len(sent))
        assert counts.received == counts.written == len(sent)
    for kind in range(KINDS):
        data = (room.out / f"f{kind}.log").read_bytes()
        assert numbers_in(data) == [n for n in sent if n % KINDS == kind]


def test_nginx_does_not_notice_that_a_worker_dies(
        room, out, start, start_nginx):
    daemon = start(service(flush="0.02") + syslog_input(room) + json_filter()
                   + template("{uri}", room))
    nginx = start_nginx(http=f"""
        log_format json escape=json '{{"uri":"$request_uri"}}';
        access_log syslog:server=unix:{room.socket} json;
    """, server="location / { return 204; }")
    sent = 0
    # The kernel's queue must have room for the lines that are sent while there
    # is no worker.
    has_long_queue = namespace.queue_length() >= 512
    for _ in range(5):
        daemon.kill_worker()
        for _ in range(3 if has_long_queue else 1):
            group = [get(b"/%d" % n) for n in range(sent, sent + 8)]
            send_requests(nginx.port, group, connections=1, pipeline=8)
            sent += 8
        daemon.wait_for_messages(sent)
    assert nginx.refused() == 0
    assert sorted(out.lines()) == sorted(b"/%d" % n for n in range(sent))


def test_killing_all_processes_loses_only_lines_in_the_kernel(
        room, start, stream):
    """When its last descriptor is closed, the socket vanishes with the lines
    in it.  No line that sluiced has received is lost."""
    config = numbered_in_files(room)
    daemon = start(config)
    lines = stream(RATE, "-r", "-k", str(KINDS))
    for _ in at_random_moments(max(KILLS // 5, 1), dice("tree"),
                               longest_s=0.2):
        daemon.kill_tree()
        daemon = start(config)
    lines.stop()
    counts = daemon.wait_for_messages(0)
    received = counts.received
    assert counts.written == received <= lines.sent
    accepted = set(lines.accepted())
    written = []
    for kind in range(KINDS):
        numbers = numbers_in((room.out / f"f{kind}.log").read_bytes())
        assert numbers == sorted(set(numbers)), "doubled or not in order"
        assert all(n % KINDS == kind for n in numbers)
        written += numbers
    assert accepted.issuperset(written)
    assert len(written) == received


def test_a_kill_in_the_middle_of_the_recovery_loses_no_line(
        room, out, start, stream, held_socket):
    """Some workers live for less than ten milliseconds."""
    rng = dice("recovery")
    config = numbered(room)
    daemon = start(config, listen=held_socket)
    lines = stream(RATE, "-w")
    for _ in range(max(KILLS // 30, 1)):
        # With a steady stream, something is queued nearly always.
        wait_until(lambda: daemon.metrics().written > 0, "lines")
        daemon.kill_worker()
        for _ in at_random_moments(2, rng, longest_s=0.01):
            daemon.kill_worker()
        daemon.kill_tree()
        daemon = start(config, listen=held_socket)
    lines.stop()
    daemon.wait_for_messages(lines.sent)
    check_numbers(numbers_in(out.bytes()), lines.accepted())


def test_a_kill_in_a_batch_for_many_files_writes_no_line_twice(
        room, start, stream, held_socket):
    """Such a batch is larger than others.  The next worker does not know yet
    that there are many files, and must take the whole batch again."""
    kinds = 200
    faults = Faults(room, room.out)
    daemon = start(numbered_in_files(room), listen=held_socket, env=faults.env)
    lines = stream(10 * RATE, "-w", "-k", str(kinds))
    # The first batch has a few lines; the next has all that arrived
    # meanwhile.
    faults.strike(2 * kinds + kinds // 2, delay_ms=2)
    daemon.kill_worker()
    faults.end()
    lines.stop()
    daemon.wait_for_messages(lines.sent)
    check_files(room, lines.accepted(), kinds)


@pytest.mark.parametrize("other", [".//x", "linked"])
def test_a_kill_doubles_no_line_of_a_file_that_has_two_paths(
        room, out, start, held_socket, other):
    """The process is killed while it writes the third file of a batch, so the
    next process gets all lines again."""
    room.out.mkdir()
    (room.out / "x.log").touch()
    (room.out / "linked.log").hardlink_to(room.out / "x.log")
    faults = Faults(room, room.out / "slow")
    faults.order(hold=True)
    config = numbered_in_files(room)
    lines = [{"n": n, "to": to, "pad": "x" * 640} for n, to in enumerate(
        ["x", "x", "x", other, other, "slow/z"])]
    with Sender(room.socket) as sender:
        sender.send(*map(datagram, lines))
        daemon = start(config, listen=held_socket, env=faults.env)
        wait_until(lambda: faults.held, "the write to the third file")
        daemon.kill_tree()
        faults.end()
        daemon = start(config, listen=held_socket)
        daemon.wait_for_messages(len(lines))
    assert sorted(numbers_in(out.bytes("x.log"))) == [0, 1, 2, 3, 4]
    assert numbers_in(out.bytes("slow/z.log")) == [5]


needs_strace = pytest.mark.skipif(bool(why_not()), reason=why_not())
BURST = 12


class TwoBursts:
    """A daemon receives one burst, for which it opens the files, and a second
    one."""

    def __init__(self, room, out, start, held_socket):
        self.room, self.out = room, out
        self.begin = lambda **more: start(
            numbered_in_files(room), listen=held_socket,
            args=["--no-supervisor"], **more)
        self.sender = Sender(room.socket)
        self.sent = 0

    def run(self, thread, what="trace=all"):
        """Run until all lines are written, or the process is dead, or strace
        holds a call.  Then kill the process, whatever it is doing."""
        daemon = self.begin()
        pid = daemon.process.pid  # the main thread receives
        tid = thread_named(pid, "pipeline") if thread == "pipeline" else pid
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
        """Start a daemon under strace, which looks only at calls that touch
        the files.  Returns whether the daemon was killed at such a call."""
        log = self.room.new_file("strace", ".txt")
        paths = [arg for path in (self.room.out,
                                  self.room.out / ".sluiced/lock", *(
                     self.room.out / f"f{kind}.log" for kind in range(KINDS)))
                 for arg in ("-P", str(path))]
        try:
            daemon = self.begin(wrapper=[STRACE, "-f", "-qq", "-o", str(log),
                                         *paths, "-e", what])
        except AssertionError:  # it died before it was ready
            return "killed by SIGKILL" in log.read_text()
        wait_until(lambda: self.out.has(self.sent, "*.log")
                   or daemon.process.poll() is not None, "the recovery")
        was_killed = daemon.process.poll() is not None
        daemon.kill()
        return was_killed

    def check(self):
        counts = self.begin().wait_for_messages(self.sent)
        assert counts.received == counts.written == self.sent
        check_files(self.room, list(range(self.sent)), KINDS)


@pytest.fixture
def two_bursts(room, out, start, held_socket):
    bursts = TwoBursts(room, out, start, held_socket)
    yield bursts
    bursts.sender.close()


@needs_strace
@pytest.mark.parametrize("thread, has", [
    ("intake", {"recvmmsg"}), ("pipeline", {"write", "fcntl", "openat"})])
def test_a_kill_at_every_system_call_of_a_batch_loses_no_line(
        two_bursts, thread, has):
    """One run lists the calls.  Then, for each call, another run is killed at
    that call.  The calls of two runs may differ a little, so not every run is
    killed."""
    calls = list(two_bursts.run(thread).numbered_calls())
    assert has <= {name for name, _ in calls} and len(calls) > 10, calls
    struck = set()
    for name, number in calls:
        strace = two_bursts.run(
            thread, f"inject={name}:signal=KILL:when={number}")
        if "killed by SIGKILL" in strace.calls()[-1]:
            struck.add(name)
    two_bursts.check()
    assert has <= struck


@needs_strace
@pytest.mark.parametrize("thread, call", [
    ("intake", "recvmmsg"), ("pipeline", "write"), ("pipeline", "fcntl")])
def test_a_kill_between_a_system_call_and_the_next_instruction_loses_no_line(
        two_bursts, thread, call):
    """The call is done, but strace does not let it return."""
    for number in range(1, 8):
        two_bursts.run(thread,
                       f"inject={call}:delay_exit=3600s:when={number}")
    two_bursts.check()


@needs_strace
@pytest.mark.parametrize("call", ["openat2", "fcntl", "newfstatat", "pread64",
                                  "write"])
def test_a_kill_at_every_system_call_of_the_recovery_loses_no_line(
        two_bursts, call):
    """The first process dies when it has written one of a batch's three files.
    The second dies during the recovery."""
    struck = 0
    for number in range(1, 5):
        two_bursts.run("pipeline", "inject=write:delay_exit=3600s:when=1")
        struck += two_bursts.recover(f"inject={call}:signal=KILL:when={number}")
    two_bursts.check()
    assert struck > 0


def test_sluiced_journal_shows_the_journal_of_a_killed_daemon(
        room, out, start, held_socket):
    """The disk rejected all writes, so the lines are still in the journal."""
    fill_disk(room)
    config = numbered(room)
    daemon = start(config, listen=held_socket)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n, "pad": "x" * 640})
                      for n in range(50)))
    wait_until(lambda: daemon.metrics().received == 50,
               "50 lines to be received")
    journal = room.path / ".sluiced.journal"
    alive = run("journal", journal)
    assert alive.code == 0, alive.err
    assert "pending: 50" in alive.out and "in_use: yes" in alive.out
    daemon.kill_tree()
    dead = run("journal", journal)
    assert dead.code == 0, dead.err
    assert "pending: 50" in dead.out and "in_use: no" in dead.out
    empty_disk(room)
    daemon = start(config, listen=held_socket)
    daemon.wait_for_messages(50)
    check_numbers(numbers_in(out.bytes()), list(range(50)))
