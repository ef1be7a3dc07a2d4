# SPDX-License-Identifier: Apache-2.0
"""Dead letters whose file cannot be written wait in a spill, so that no end of
a process loses them."""
import signal

import pytest

from harness.config import json_filter, service, syslog_input, template
from harness.daemon import run
from harness.reload import wait_for_reload
from harness.sender import Sender, datagram
from harness.wait import wait_until

from test_dead_letter import read, with_parser

JUNK = [b"junk %d" % n for n in range(200)]


class Directory:
    """Instead of the file."""

    def __init__(self, letters):
        self.letters = letters
        letters.mkdir(parents=True)

    def end(self):
        self.letters.rmdir()


class FullDisk:
    def __init__(self, disk):
        self.disk = disk
        disk.fill(0)

    def end(self):
        self.disk.empty()


@pytest.fixture(params=["directory", "full_disk"])
def fault(request, letters):
    """The daemon must end before the disk: name this fixture before `start`."""
    if request.param == "directory":
        return Directory(letters)
    mount_disk = request.getfixturevalue("mount_disk")
    return FullDisk(mount_disk(letters.parent, 100 << 10))


@pytest.fixture
def letters(room):
    return room.path / "kept" / "letters.jsonl"


def send_junk(daemon, room):
    """Returns when all messages have left the journal."""
    with Sender(room.socket) as sender:
        sender.send(*JUNK)
    wait_until(lambda: (m := daemon.metrics()).received == len(JUNK)
               and m.sum("sluiced_journal_pending_bytes") == 0,
               lambda: f"an empty journal:\n{daemon.log()[-2000:]}")


def check_all_kept(daemon, fault, letters):
    fault.end()
    counts = daemon.wait_for_messages(len(JUNK))
    assert counts.dropped() == 0, daemon.log()[-4000:]
    assert counts.dead_lettered == counts.received == len(JUNK)
    assert [letter["bytes"] for letter in read(letters)] == JUNK


def test_a_reload_keeps_waiting_dead_letters(room, letters, fault, start):
    daemon = start(with_parser(room, f"Dead_Letter {letters}"))
    send_junk(daemon, room)
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    check_all_kept(daemon, fault, letters)


def test_a_killed_worker_keeps_waiting_dead_letters(
        room, letters, fault, start):
    daemon = start(with_parser(room, f"Dead_Letter {letters}"))
    send_junk(daemon, room)
    ready = daemon.ready_count()
    daemon.kill_worker()
    daemon.wait_for_worker(ready)
    check_all_kept(daemon, fault, letters)


def test_a_restart_keeps_waiting_dead_letters(room, letters, fault, start):
    config = with_parser(room, f"Dead_Letter {letters}")
    daemon = start(config)
    send_junk(daemon, room)
    daemon.stop(queued=len(JUNK))
    check_all_kept(start(config), fault, letters)


@pytest.mark.parametrize("new", ["", "Dead_Letter {path}/other.jsonl"])
def test_waiting_dead_letters_go_to_their_file_if_the_key_changes(
        room, start, letters, new):
    """Like the lines of a removed output."""
    fault = Directory(letters)
    daemon = start(with_parser(room, f"Dead_Letter {letters}"))
    send_junk(daemon, room)
    room.write("sluiced.conf", with_parser(
        room, *([new.format(path=room.path)] if new else [])))
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    fault.end()
    counts = daemon.wait_for_messages(len(JUNK))
    assert counts.dropped() == 0, daemon.log()[-4000:]
    assert [letter["bytes"] for letter in read(letters)] == JUNK


def test_waiting_dead_letters_do_not_delay_lines(
        room, out, letters, fault, start):
    daemon = start(with_parser(room, f"Dead_Letter {letters}"))
    send_junk(daemon, room)
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
    wait_until(lambda: daemon.metrics().written == 1, "the line")
    assert out.lines() == [b"1"]
    fault.end()
    counts = daemon.wait_for_messages(len(JUNK) + 1)
    assert counts.dead_lettered == len(JUNK)


def test_an_alias_like_the_name_of_the_dead_letters_is_ignored(
        room, start, letters):
    """Their spills and counters have this name."""
    daemon = start(service(f"Dead_Letter {letters}") + syslog_input(room)
                   + json_filter()
                   + template("{n}", room).rstrip()
                   + "\n    Alias dead_letter\n")
    assert "ignoring this Alias" in daemon.log()


def test_replay_appends_a_spill_that_was_set_aside(room, letters, start):
    """As sluiced itself, replay follows no symbolic link there."""
    config = room.write("sluiced.conf",
                        with_parser(room, f"Dead_Letter {letters}"))
    fault = Directory(letters)
    daemon = start(config)
    send_junk(daemon, room)
    daemon.stop(queued=len(JUNK))
    fault.end()
    spill, = room.path.glob(".sluiced.journal.spill/*.spill")
    aside = spill.rename(f"{spill}.damaged")
    elsewhere = room.path / "elsewhere"
    letters.symlink_to(elsewhere)
    assert run("replay", aside, "-c", config).code != 0
    assert not elsewhere.exists()
    letters.unlink()
    done = run("replay", aside, "-c", config)
    assert done.code == 0, done.err
    assert [letter["bytes"] for letter in read(letters)] == JUNK
