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

    def __init__(self, room, start, held_socket, rng, chances):
        self.rng, self.chances = rng, chances
        self.faults = FaultMixture(
            room, [room.out, room.path / ".sluiced.journal.spill"],
            rng.randrange(2**32))
        config = numbered_in_files(
            room, f"Dead_Letter {room.path / 'letters'}", "Fsync batch")
        self.begin = lambda: start(config, listen=held_socket,
                                   env=self.faults.env)
        self.daemon = self.begin()

    def let_die(self):
        """Let a process die at a random call, or all at once."""
        deaths = self.faults.deaths
        self.faults.order(**self.chances, die_in=self.rng.randint(1, 300))
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
    rng = dice("mixture", chances, round)
    mixture = Mixture(room, start, held_socket, rng, chances)
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
