# SPDX-License-Identifier: Apache-2.0
"""kill -9 at every system call of a spill's life: its lines are there once, in
order, and no alarm is raised."""
import pytest

from harness.sender import Sender, datagram
from harness.strace import STRACE, Strace, threads, why_not
from harness.stream import check_numbers, numbered_in_files, numbers_in
from harness.wait import wait_until

BURST = 12

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


class Spilling:
    """Each run has a file of its own.  It cannot be written for one burst, is
    there for the next, and gets all of both."""

    def __init__(self, room, start, held_socket):
        self.room = room
        self.spills = room.path / ".sluiced.journal.spill"
        self.begin = lambda **more: start(
            numbered_in_files(room), listen=held_socket,
            args=["--no-supervisor"], **more)
        self.sender = Sender(room.socket)
        self.sent = 0
        self.wanted = {}
        room.out.mkdir()

    def new_file(self):
        self.path = self.room.out / f"f{len(self.wanted)}.log"
        self.wanted[self.path] = []
        self.path.mkdir()

    def send(self):
        for n in range(self.sent, self.sent + BURST):
            self.sender.send(datagram({"n": n, "to": self.path.stem,
                                       "pad": "x" * 640}))
            self.wanted[self.path].append(n)
        self.sent += BURST

    def spilled_bytes(self):
        try:
            return sum(p.stat().st_size for p in self.spills.glob("*.spill"))
        except FileNotFoundError:  # it was just removed
            return 0

    def live(self, is_over):
        """Both bursts, until the end of the spill or of the process."""
        self.send()
        wait_until(lambda: self.spilled_bytes() > BURST * 640 or is_over(),
                   "the spill")
        self.path.rmdir()
        self.send()
        wait_until(lambda: is_over() or (
            self.path.is_file()
            and self.path.read_bytes().count(b"\n") == 2 * BURST
            and not self.spilled_bytes()), "the end of the spill")

    def run(self, what="trace=all"):
        """Then it is killed, whatever it is at."""
        self.new_file()
        daemon = self.begin()
        strace = Strace(self.room, threads(daemon.process.pid)[1], what)
        try:
            self.live(lambda: daemon.process.poll() is not None
                      or strace.holds())
        finally:
            daemon.process.kill()
            strace.end()
            daemon.kill()
        return strace

    def settle_with(self, what):
        """A process that meets these faults from its first instruction."""
        log = self.room.new_file("strace", ".txt")
        daemon = self.begin(wrapper=[STRACE, "-f", "-qq", "-o", str(log),
                                     "-e", what])
        daemon.settled(self.sent)
        daemon.kill()
        return log.read_text().count("(INJECTED)")

    def check(self):
        """The next process finishes it."""
        daemon = self.begin()
        counts = daemon.settled(self.sent)
        assert counts.received == counts.written == self.sent
        assert counts.sum("sluiced_output_lines_dropped_total") == 0
        assert counts.sum("sluiced_output_lines_spilled") == 0
        daemon.stop()
        assert list(self.spills.glob("*")) == []
        assert "mod=spill" not in daemon.log(), daemon.log()
        for path, numbers in self.wanted.items():
            check_numbers(numbers_in(path.read_bytes()), numbers)


@pytest.fixture
def spilling(room, start, held_socket):
    spilling = Spilling(room, start, held_socket)
    yield spilling
    spilling.sender.close()


def test_a_kill_at_every_system_call_of_a_spill_costs_no_line(spilling):
    """One run tells the calls; then, for each of them, one run ends there."""
    calls = list(spilling.run().numbered_calls())
    spilling.check()
    names = {name for name, _ in calls}
    assert {"write", "pwrite64", "pread64", "unlink", "flock"} <= names, calls
    struck = 0
    for name, number in calls:
        strace = spilling.run(f"inject={name}:signal=KILL:when={number}")
        struck += "killed by SIGKILL" in strace.calls()[-1]
        spilling.check()
    assert struck > len(calls) / 2, f"only {struck} of {len(calls)}"


@pytest.mark.parametrize("call", ["write", "pwrite64", "openat", "unlink"])
def test_a_kill_behind_a_system_call_of_a_spill_costs_no_line(spilling, call):
    """The call is done, and is not allowed to return."""
    for number in range(1, 8):
        spilling.run(f"inject={call}:delay_exit=3600s:when={number}")
        spilling.check()


def test_what_cannot_be_cut_off_a_spill_comes_once(spilling):
    """A batch that was not committed is spilled when the process is killed;
    the next one has it again, but cannot shorten the file."""
    struck = 0
    for number in range(1, 5):
        spilling.run(f"inject=write:delay_exit=3600s:when={number}")
        struck += spilling.settle_with("inject=ftruncate:error=EIO")
        spilling.check()
    assert struck > 0


def test_a_spill_that_cannot_be_read_for_a_moment_costs_no_line(spilling):
    """Each read of it fails once."""
    calls = spilling.run().numbered_calls()
    reads = [number for name, number in calls if name == "pread64"]
    spilling.check()
    for number in reads:
        strace = spilling.run(f"inject=pread64:error=EIO:when={number}")
        assert any("(INJECTED)" in call for call in strace.calls())
        spilling.check()
    assert len(reads) >= 2
