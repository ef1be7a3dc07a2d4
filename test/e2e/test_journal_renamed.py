# SPDX-License-Identifier: Apache-2.0
"""Somebody renames the journal's file or its directory while sluiced runs and
messages wait in it."""
import os
import signal

import pytest

from harness.daemon import stopped
from harness.faults import empty_disk, fill_disk
from harness.reload import wait_for_reload
from harness.sender import Sender, datagram
from harness.stream import numbered
from harness.wait import wait_until
from test_journal_removed import (check_lines, kill, nothing, receive, reload,
                                  short, start_with_messages, stop_with_71,
                                  the_journal)

BACK = 'action="renamed it back"'
COUNTED = " queued=50 "
REPLACED = "renamed, and there is another file in its place"


def elsewhere(room):
    return room.path / "elsewhere"


def rename(room):
    the_journal(room).rename(elsewhere(room))


def replace(daemon, room):
    """The supervisor does not see that the name is free for a moment."""
    with stopped(daemon.process.pid):
        rename(room)
        the_journal(room).write_text("another file")


@pytest.mark.parametrize("act", [reload, kill, nothing])
def test_a_renamed_journal_is_renamed_back(room, out, start, act):
    daemon = start_with_messages(room, start)
    rename(room)
    act(daemon)
    wait_until(lambda: BACK in daemon.log(), "the old name")
    if act != nothing:
        daemon.wait_for_worker(1)
    assert not elsewhere(room).exists()
    daemon.kill_tree()
    empty_disk(room)
    check_lines(start(short(room)), out, 50)


def test_a_stop_renames_the_journal_back(room, out, start):
    daemon = start_with_messages(room, start)
    rename(room)
    daemon.stop(queued=50)
    assert BACK in daemon.log()
    empty_disk(room)
    check_lines(start(short(room)), out, 50)


def test_the_journal_is_renamed_back_when_its_directory_exists_again(
        room, out, start):
    fill_disk(room)
    directory = room.path / "journals"
    directory.mkdir()
    conf = numbered(room, f"storage.path {directory / 'one'}",
                    template="{n}", grace="0")
    daemon = start(conf)
    receive(daemon, range(50))
    directory.rename(room.path / "moved")
    wait_until(lambda: 'kept_in=' in daemon.log(), "the look")
    moved = room.path / "moved" / "one"
    assert (f'kept_in="{moved}" action="continuing in the renamed file'
            in daemon.log())
    directory.mkdir()
    daemon.kill_worker()
    daemon.wait_for_worker(1)
    assert BACK in daemon.log()
    empty_disk(room)
    check_lines(daemon, out, 50)


def test_spills_are_renamed_back_with_the_journal(room, out, start):
    """The directory of the journal and of the spills was renamed."""
    blocker = room.out / "lines.log"
    blocker.mkdir(parents=True)
    directory = room.path / "journals"
    directory.mkdir()
    daemon = start(numbered(room, f"storage.path {directory / 'one'}",
                            template="{n}", grace="0"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(50)))
    daemon.wait_for_spilled(50)
    with stopped(daemon.worker()):
        directory.rename(room.path / "moved")
        directory.mkdir()
        wait_until(lambda: (directory / "one.spill").exists(), "the spills")
    assert f'renamed_to="{room.path / "moved" / "one.spill"}"' in daemon.log()
    blocker.rmdir()
    check_lines(daemon, out, 50)


def test_another_file_in_the_place_of_a_renamed_journal_is_logged(
        room, out, start):
    """A reload first writes the messages of the renamed file."""
    daemon = start_with_messages(room, start)
    replace(daemon, room)
    wait_until(lambda: f'{REPLACED}" kept_in="{elsewhere(room)}" action="contin'
               in daemon.log(), "the look")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: f"reload=waiting{COUNTED}" in daemon.log(), "the wait")
    empty_disk(room)
    wait_for_reload(daemon, "done", 1)
    daemon.wait_for_worker(1)
    assert out.lines() == [b"%d" % n for n in range(50)]
    assert daemon.log().count(COUNTED) == 1, "only that of the wait"


def test_a_death_leaves_messages_in_a_renamed_and_replaced_journal(
        room, out, start):
    """The log says where they are and how to write them."""
    daemon = start_with_messages(room, start)
    replace(daemon, room)
    daemon.kill_worker()
    daemon.wait_for_worker(1)
    wait_until(lambda: f'begun a new journal" kept_in="{elsewhere(room)}" '
               "queued=50 " in daemon.log(), "the error")
    daemon.stop()
    elsewhere(room).rename(the_journal(room))
    empty_disk(room)
    check_lines(start(short(room)), out, 50)


def test_a_stop_that_leaves_messages_in_a_renamed_journal_ends_with_71(
        room, start):
    daemon = start_with_messages(room, start)
    replace(daemon, room)
    stop_with_71(daemon)
    assert (f'{REPLACED}" kept_in="{elsewhere(room)}" queued=50 '
            in daemon.log())


def test_the_new_name_of_a_journal_may_be_unknown(room, out, start):
    """A second hard link takes the place of the first."""
    daemon = start_with_messages(room, start)
    os.link(the_journal(room), elsewhere(room))
    the_journal(room).unlink()
    stop_with_71(daemon)
    inode = elsewhere(room).stat().st_ino
    assert (f'its new name is unknown" kept_in="inode:{inode}" queued=50 '
            in daemon.log())
    elsewhere(room).rename(the_journal(room))
    empty_disk(room)
    check_lines(start(short(room)), out, 50)
