# SPDX-License-Identifier: Apache-2.0
"""Somebody removes the journal's file while sluiced runs and messages wait in
it."""
import signal

import pytest

from harness.config import lua_filter
from harness.daemon import is_alive, stopped, suspend
from harness.faults import empty_disk, fill_disk
from harness.gate import Gate
from harness.sender import Sender, datagram
from harness.strace import Strace, why_not
from harness.stream import numbered
from harness.wait import wait_until

MADE = 'action="made it again with its messages"'
REPLACED = "there is another file in its place"
needs_strace = pytest.mark.skipif(bool(why_not()), reason=why_not())


def short(room):
    return numbered(room, template="{n}", grace="0")


def the_journal(room):
    return room.path / ".sluiced.journal"


def receive(daemon, numbers, pad=""):
    with Sender(daemon.room.socket) as sender:
        sender.send(*(datagram({"n": n, "pad": pad}) for n in numbers))
    wait_until(lambda: (m := daemon.metrics()).received == numbers[-1] + 1
               and m.sum("sluiced_pipeline_blocked"), "the lines")


def start_with_messages(room, start, count=50, pad=""):
    fill_disk(room)
    daemon = start(short(room))
    receive(daemon, range(count), pad)
    return daemon


def check_lines(daemon, out, count):
    counts = daemon.wait_for_messages(count)
    assert counts.received == counts.written == count
    assert out.lines() == [b"%d" % n for n in range(count)]


def terminate(daemon):
    daemon.signal(signal.SIGTERM)


def check_71(daemon):
    assert daemon.wait() == 71
    daemon.has_ended = True


def stop_with_71(daemon):
    terminate(daemon)
    check_71(daemon)


def replace_the_journal(room):
    """At no moment is the path free: the supervisor looks at it every second,
    and would make the journal again."""
    room.write("other", "another file").replace(the_journal(room))


def reload(daemon):
    daemon.signal(signal.SIGHUP)


def kill(daemon):
    daemon.kill_worker()


def nothing(daemon):
    """The supervisor looks for the file every second."""


def remove_and(act, daemon):
    """The supervisor does not look in between.  It would begin a reload, and
    the worker that is to be killed may leave."""
    with stopped(daemon.process.pid):
        the_journal(daemon.room).unlink()
        act(daemon)


@pytest.mark.parametrize("act", [reload, kill, nothing])
def test_a_removed_journal_is_made_again_with_its_messages(
        room, out, start, act):
    daemon = start_with_messages(room, start)
    remove_and(act, daemon)
    wait_until(lambda: MADE in daemon.log(), "a new file")
    daemon.wait_for_worker(1)
    receive(daemon, range(50, 60))
    daemon.kill_tree()
    empty_disk(room)
    check_lines(start(short(room)), out, 60)


def test_a_stop_makes_a_removed_journal_again(room, out, start):
    daemon = start_with_messages(room, start)
    the_journal(room).unlink()
    daemon.stop(queued=50)
    assert MADE in daemon.log()
    empty_disk(room)
    check_lines(start(short(room)), out, 50)


def test_messages_are_lost_if_another_file_is_in_the_place_of_the_journal(
        room, start):
    """The number is logged, and a stop ends with 71."""
    daemon = start_with_messages(room, start)
    replace_the_journal(room)
    stop_with_71(daemon)
    assert f"{REPLACED}\" lost=50 " in daemon.log()
    assert the_journal(room).read_text() == "another file"


def test_a_reload_first_empties_a_journal_that_was_replaced(room, out, start):
    daemon = start_with_messages(room, start)
    replace_the_journal(room)
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "reload=waiting " in daemon.log(), "the wait")
    empty_disk(room)
    wait_until(lambda: "reload=done" in daemon.log(), "the reload")
    daemon.wait_for_worker(1)
    assert "lost=" not in daemon.log()
    assert out.lines() == [b"%d" % n for n in range(50)]


def test_the_next_worker_continues_in_a_large_removed_journal(
        room, out, start):
    """A copy would need twice the room, so it is made when sluiced ends."""
    daemon = start_with_messages(room, start, 2500, "x" * 8000)
    the_journal(room).unlink()
    daemon.kill_worker()
    daemon.wait_for_worker(1)
    assert MADE not in daemon.log()
    empty_disk(room)
    check_lines(daemon, out, 2500)
    daemon.stop()
    assert MADE in daemon.log()
    check_lines(start(short(room)), out, 2500)


def test_the_next_worker_continues_if_no_new_file_can_be_made(
        room, out, start):
    daemon = start_with_messages(room, start)
    blocker = room.path / ".sluiced.journal.new"
    blocker.mkdir()
    remove_and(kill, daemon)
    daemon.wait_for_worker(1)
    assert "no new one can be made: open journal" in daemon.log()
    blocker.rmdir()
    wait_until(lambda: MADE in daemon.log(), "a new file")
    empty_disk(room)
    check_lines(daemon, out, 50)


def test_a_stop_that_cannot_make_the_journal_again_ends_with_71(room, start):
    daemon = start_with_messages(room, start)
    (room.path / ".sluiced.journal.new").mkdir()
    remove_and(terminate, daemon)
    check_71(daemon)
    assert " lost=50 " in daemon.log()
    assert "continuing in" not in daemon.log()


def unlink_the_journal(room):
    the_journal(room).unlink()


def kill_supervisor_after(act, daemon):
    """The supervisor does not see what `act` does.  Then the worker ends by
    itself."""
    worker = daemon.worker()
    daemon.has_ended = True
    suspend(daemon.process.pid)
    act(daemon.room)
    daemon.process.kill()
    daemon.process.wait()
    wait_until(lambda: not is_alive(worker), "the worker's end")


def test_a_worker_whose_supervisor_was_killed_makes_the_journal_again(
        room, out, start):
    """The disk is full, so the worker cannot write the messages."""
    daemon = start_with_messages(room, start)
    kill_supervisor_after(unlink_the_journal, daemon)
    assert 'queued=50 action="made it again' in daemon.log()
    empty_disk(room)
    check_lines(start(short(room)), out, 50)


def test_a_worker_whose_supervisor_was_killed_writes_a_removed_journal(
        room, out, start):
    daemon = start(numbered(room, template="{n}", flush="1000"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(50)))
    wait_until(lambda: daemon.metrics().received == 50, "the lines")
    assert out.lines() == []
    kill_supervisor_after(unlink_the_journal, daemon)
    assert out.lines() == [b"%d" % n for n in range(50)]
    assert MADE not in daemon.log()


def test_a_worker_whose_supervisor_was_killed_reports_lost_messages(
        room, start):
    daemon = start_with_messages(room, start)
    kill_supervisor_after(replace_the_journal, daemon)
    assert f'no new one can be made: {REPLACED}" lost=50 ' in daemon.log()
    assert the_journal(room).read_text() == "another file"


@needs_strace
def test_the_copy_does_not_replace_the_journal_of_another_sluiced(
        room, start):
    """The other one makes its journal when the supervisor has seen that the
    path is free."""
    daemon = start_with_messages(room, start)
    strace = Strace(room, daemon.process.pid,
                    "inject=openat:delay_enter=1000000000:when=1",
                    f"{the_journal(room)}.new")
    the_journal(room).unlink()
    wait_until(lambda: any(".sluiced.journal.new" in call
                           for call in strace.calls()), "the copy")
    the_journal(room).write_text("another file")
    strace.end()
    wait_until(lambda: f'{REPLACED}" lost=50 ' in daemon.log(), "the error")
    daemon.wait_for_worker(1)
    other = the_journal(room).with_suffix(".journal.damaged.1")
    assert other.read_text() == "another file"
    assert MADE not in daemon.log()


def test_messages_in_a_removed_file_are_lost_if_a_file_replaces_it_later(
        room, start):
    """The next worker does not open the journal for now."""
    daemon = start_with_messages(room, start, 2500, "x" * 8000)
    gate = Gate(room)
    room.write("sluiced.conf", short(room) + lua_filter(room, f"""
        {gate.lua}
        function hook() return 0 end"""))
    the_journal(room).unlink()
    daemon.kill_worker()
    gate.wait()
    the_journal(room).write_text("another file")
    gate.open()
    daemon.wait_for_worker(1)
    assert f'{REPLACED}" lost=2500 ' in daemon.log()
