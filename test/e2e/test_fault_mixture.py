# SPDX-License-Identifier: Apache-2.0
"""All faults at once: opens, reads, writes, stat(), syncs, locks, renames and
removals fail at random, writes are short, and processes die at random calls.
Each line is written once and whole, and the counters agree with the files.

Reads fail less often, because loading a spill takes hundreds of them, and
sluiced makes ten attempts to load it."""
import pytest

from harness.fault_mixture import FaultMixture
from harness.scale import dice, scaled
from harness.stream import check_files, numbered_in_files
from harness.wait import SAN, wait_until

RATE = 500 if SAN else 3000
KINDS = 3  # files
MIXES = scaled("MIXES", 1)
# After more quick deaths in a row, the supervisor waits before it starts the
# next worker.
QUICK_DEATHS = 3


class Mixture:
    """One daemon after another, on a disk that fails."""

    def __init__(self, room, start, held_socket, rng, chances, disk=None):
        self.rng, self.chances, self.disk = rng, chances, disk
        self.faults = FaultMixture(
            room, [room.out, room.path / ".sluiced.journal.spill"],
            rng.randrange(2**32))
        config = numbered_in_files(
            room, f"Dead_Letter {room.path / 'letters'}", "Fsync batch",
            # However slow the machine is, all lines fit; when the journal or
            # the spill is full, lines are dropped.
            "storage.max_size 1G", "storage.spill_size 1G")
        self.begin = lambda: start(config, listen=held_socket,
                                   env=self.faults.env)
        self.daemon = self.begin()

    def let_die(self):
        """Let a process die at a random call, while the disk is full, or
        later."""
        deaths, struck = self.faults.deaths, self.faults.struck
        if self.disk:
            self.disk.fill(self.rng.randrange(3 * 4096))
        self.faults.order(**self.chances, die_in=self.rng.randint(1, 300))
        if self.disk:
            wait_until(lambda: self.faults.struck >= struck + 3
                       or self.faults.deaths > deaths, "some faults")
            self.disk.empty()
        wait_until(lambda: self.faults.deaths > deaths, "a death")

    def restart(self):
        self.daemon.kill_tree()
        self.daemon = self.begin()


@pytest.mark.parametrize("round", range(MIXES))
@pytest.mark.parametrize("chances", [
    dict(opens=5), dict(opens=5, writes=5, reads=1000, others=5),
    dict(opens=20, writes=20, reads=200, others=20)],
    ids=["opens", "all", "some of all"])
def test_a_mixture_of_faults_and_kills_loses_no_line(
        room, start, stream, held_socket, chances, round):
    check_mixture(room, start, stream, held_socket, chances, round)


@pytest.mark.parametrize("round", range(MIXES))
def test_a_mixture_of_faults_and_kills_on_a_full_disk_loses_no_line(
        room, mount_disk, start, stream, held_socket, round):
    disk = mount_disk(room.out, 128 << 20)
    chances = dict(opens=20, writes=20, reads=200, others=20)
    check_mixture(room, start, stream, held_socket, chances, round, disk)


def check_mixture(room, start, stream, held_socket, chances, round, disk=None):
    rng = dice("mixture", chances, round, bool(disk))
    mixture = Mixture(room, start, held_socket, rng, chances, disk)
    lines = stream(RATE, "-w", "-k", str(KINDS))
    for _ in range(2 if SAN else 4):
        for _ in range(rng.randint(1, QUICK_DEATHS)):
            mixture.let_die()
        mixture.restart()
    lines.stop()
    mixture.faults.end()
    daemon = mixture.daemon
    counts = daemon.wait_for_messages(lines.sent)
    counts.check_accounting_equation()
    assert lines.refused == lines.gone == 0
    # While a spill cannot be read, newer lines of its file are written before
    # the spilled ones (src/file/file_restore.h).
    check_files(room, lines.accepted(), KINDS, in_order=False)
    assert counts.received == counts.written == lines.sent, (
        f"received {counts.received} written {counts.written} "
        f"dropped {counts.dropped()} dead {counts.dead_lettered} "
        f"sent {lines.sent}")
