# SPDX-License-Identifier: Apache-2.0
"""kill -9 at every system call between spilling lines and writing them: each
line is written once, in order, and sluiced reports no damage."""
import pytest

from harness.sender import Sender, datagram
from harness.strace import STRACE, Strace, thread_named, why_not
from harness.stream import check_numbers, numbered_in_files, numbers_in
from harness.wait import wait_until

BURST = 12

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


class Spilling:
    """Each run uses another file.  The file cannot be written for one burst,
    can be written for the next, and gets the lines of both."""

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
        except FileNotFoundError:  # the spill was just removed
            return 0

    def live(self, is_over):
        """Send both bursts, and wait for the end of the spill or of the
        process."""
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
        """Start the process, live(), and kill the process, whatever it is
        doing."""
        self.new_file()
        daemon = self.begin()
        thread = thread_named(daemon.process.pid, "pipeline")
        strace = Strace(self.room, thread, what)
        try:
            self.live(lambda: daemon.process.poll() is not None
                      or strace.holds())
        finally:
            daemon.process.kill()
            strace.end()
            daemon.kill()
        return strace

    def settle_with(self, what):
        """Let a process with these faults finish the work.  Returns how many
        faults there were."""
        log = self.room.new_file("strace", ".txt")
        daemon = self.begin(wrapper=[STRACE, "-f", "-qq", "-o", str(log),
                                     "-e", what])
        daemon.wait_for_messages(self.sent)
        daemon.kill()
        return log.read_text().count("(INJECTED)")

    def check(self):
        """The next process finishes the work."""
        daemon = self.begin()
        counts = daemon.wait_for_messages(self.sent)
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


def test_a_kill_at_every_system_call_of_a_spill_loses_no_line(spilling):
    """One run lists the calls.  Then, for each call, another run is killed at
    that call.  The calls of two runs may differ a little, so not every run is
    killed."""
    calls = list(spilling.run().numbered_calls())
    spilling.check()
    has = {"write", "writev", "pwrite64", "pread64", "unlink", "fcntl"}
    assert has <= {name for name, _ in calls}, calls
    struck = set()
    for name, number in calls:
        strace = spilling.run(f"inject={name}:signal=KILL:when={number}")
        if "killed by SIGKILL" in strace.calls()[-1]:
            struck.add(name)
        spilling.check()
    assert has <= struck


@pytest.mark.parametrize(
    "call", ["write", "writev", "pwrite64", "openat", "unlink"])
def test_a_kill_after_a_system_call_of_a_spill_loses_no_line(spilling, call):
    """The call is done, but strace does not let it return."""
    for number in range(1, 8):
        spilling.run(f"inject={call}:delay_exit=3600s:when={number}")
        spilling.check()


def test_lines_that_cannot_be_cut_off_a_spill_are_written_once(spilling):
    """The process is killed when it has spilled a batch that it has not
    committed.  The next one spills it again, but cannot shorten the file."""
    struck = 0
    for number in range(1, 5):
        spilling.run(f"inject=writev:delay_exit=3600s:when={number}")
        struck += spilling.settle_with("inject=ftruncate:error=EIO")
        spilling.check()
    assert struck > 0


def test_a_spill_that_cannot_be_read_for_a_moment_loses_no_line(spilling):
    """Each read of the spill fails once.  The calls of two runs may differ a
    little, so not every run has a failing read."""
    calls = spilling.run().numbered_calls()
    reads = [number for name, number in calls if name == "pread64"]
    spilling.check()
    struck = 0
    for number in reads:
        strace = spilling.run(f"inject=pread64:error=EIO:when={number}")
        struck += any("(INJECTED)" in call for call in strace.calls())
        spilling.check()
    assert len(reads) >= 2 and struck > 0
