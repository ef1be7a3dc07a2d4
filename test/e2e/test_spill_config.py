# SPDX-License-Identifier: Apache-2.0
"""Lines are spilled, and the next process has a different configuration."""
import os

import pytest

from harness.config import section, service, syslog_input, template
from harness.daemon import run
from harness.sender import Sender, datagram

LINES = 20
NOBODY = 65534


def config(room, *outputs):
    return service() + syslog_input(room) + "".join(outputs)


def file_called(name, room, file="held.log"):
    return template("{message}", room, file=file) + f"    Alias {name}\n\n"


@pytest.fixture
def held(room, start):
    """The path of the file for which a killed process has spilled lines."""
    path = room.out / "held.log"
    path.mkdir(parents=True)
    daemon = start(config(room, file_called("before", room)))
    with Sender(room.socket) as sender:
        for n in range(LINES):
            sender.send(datagram(str(n)))
    daemon.wait_for_spilled(LINES)
    daemon.kill_tree()
    path.rmdir()
    return path


def check(path, daemon):
    counts = daemon.wait_for_messages(LINES)
    assert counts.received == counts.written == LINES
    assert counts.sum("sluiced_output_lines_total") == LINES
    assert [int(n) for n in path.read_text().split()] == list(range(LINES))


def test_a_spill_is_written_by_an_output_with_another_name(room, start, held):
    check(held, start(config(
        room, section("OUTPUT", "Name null", "Match none"),
        file_called("first", room, file="other.log"),
        file_called("second", room))))


def test_a_spill_is_written_although_its_name_belongs_to_another_kind(
        room, start, held):
    check(held, start(config(
        room, section("OUTPUT", "Name null", "Match none", "Alias before"),
        file_called("after", room, file="other.log"))))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_a_spill_of_another_user_is_not_written_to_the_file_that_it_names(
        room, start, held):
    """The other user may have planted it.  If a sluiced with that user has left
    it, replaying it there gets its lines."""
    spills = room.path / ".sluiced.journal.spill"
    os.chown(spills, NOBODY, NOBODY)
    daemon = start(config(room, file_called("before", room)))
    counts = daemon.metrics()
    assert (counts.received, counts.queued) == (LINES, 0)
    assert counts.dropped("write_failed") == LINES
    assert not held.exists()
    foreign = room.path / ".sluiced.journal.spill.foreign.1"
    assert f'owner_uid={NOBODY} err="another user owns it" ' in daemon.log()
    assert f'kept_in="{foreign}"' in daemon.log()
    daemon.stop()
    spill, = foreign.glob("*.spill")
    assert run("replay", spill, "-c", room.path / "sluiced.conf").code == 0
    assert [int(n) for n in held.read_text().split()] == list(range(LINES))


def test_a_spill_waits_until_an_output_can_write_it(room, start, held):
    daemon = start(config(room, section("OUTPUT", "Name null", "Match *")))
    counts = daemon.metrics()
    assert (counts.received, counts.queued) == (LINES, LINES)
    daemon.stop(queued=LINES)
    check(held, start(config(room, file_called("after", room))))
