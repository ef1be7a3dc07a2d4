# SPDX-License-Identifier: Apache-2.0
"""A batch is written in part when its disk becomes full, and its messages stay
in a journal that the configuration no longer names."""
import re
import signal

import pytest

from harness.daemon import run, stopped
from harness.reload import begin_to_stop, wait_for_reload
from harness.sender import Sender, datagram
from harness.stream import check_numbers, numbered, numbers_in
from harness.wait import wait_until

LINES = 300


def config(room, journal, **more):
    return numbered(room, f"storage.path {room.path / journal}", grace="0",
                    **more)


def start_with_torn_batch(room, disk, start):
    """The messages wait in the journal `one/journal`."""
    (room.path / "one").mkdir()
    daemon = start(config(room, "one/journal"))
    disk.fill(100 << 10)
    with Sender(room.socket) as sender:
        for n in range(LINES):
            sender.send(datagram({"n": n, "pad": "x" * 640}))
    wait_until(lambda: (m := daemon.metrics()).received == LINES
               and m.sum("sluiced_pipeline_blocked") == 1, "a full disk")
    return daemon


def wait_for_end(daemon):
    code = daemon.wait()
    daemon.has_ended = True
    return code


def stop(daemon):
    daemon.signal(signal.SIGTERM)
    return wait_for_end(daemon)


def check_once(disk):
    path = disk.path / "lines.log"
    wait_until(lambda: path.read_bytes().count(b"\n") >= LINES, "the lines")
    check_numbers(numbers_in(path.read_bytes()), list(range(LINES)))


def test_replay_refuses_messages_that_may_be_written_already(
        room, small_disk, start):
    """A reload that names their journal again writes each line once."""
    stop(start_with_torn_batch(room, small_disk, start))
    small_disk.empty()
    daemon = start(config(room, "two"))
    one, conf = room.path / "one/journal", room.path / "sluiced.conf"
    done = run("replay", one, "-c", conf)
    assert (done.code, done.out) == (71, "sent: 0\n")
    assert re.search(r"up to \d+ messages may be in the output", done.err)
    assert f"storage.path={one}" in done.err and "--again" in done.err
    room.write("sluiced.conf", config(room, "one/journal"))
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    check_once(small_disk)


def by_reload(daemon):
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "reload=done" in (log := daemon.log())
               or "reload=waiting" in log, "the reload")
    assert stop(daemon) == 0


def by_stop_in_reload(daemon):
    """The next worker is ready, but the old one has not left."""
    with stopped(daemon.worker()):
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: daemon.log().count("state=started") == 2,
                   "the next worker")
        begin_to_stop(daemon)
    assert wait_for_end(daemon) == 0


def by_kill(daemon):
    ready = daemon.ready_count()
    daemon.kill_worker()
    daemon.wait_for_worker(ready)
    assert stop(daemon) == 0


@pytest.mark.parametrize("end", [by_reload, by_stop_in_reload, by_kill])
def test_another_spelling_of_the_path_names_the_same_journal(
        room, small_disk, start, end):
    """The reload does not wait for the disk, and no journal is left behind."""
    daemon = start_with_torn_batch(room, small_disk, start)
    (room.path / "link").symlink_to("one")
    room.write("sluiced.conf", config(room, "link/journal"))
    end(daemon)
    log = daemon.log()
    assert "reload=waiting" not in log and "messages wait in" not in log
    small_disk.empty()
    start(config(room, "link/journal"))
    check_once(small_disk)


def test_the_advice_about_a_journal_names_the_exact_way_first(
        room, small_disk, start):
    daemon = start_with_torn_batch(room, small_disk, start)
    room.write("sluiced.conf", config(room, "two"))
    ready = daemon.ready_count()
    daemon.kill_worker()
    daemon.wait_for_worker(ready)
    one = room.path / "one/journal"
    [advice] = re.findall(rf'path={one} err="\d+ messages wait in .* '
                          r'action="(.*)"', daemon.log())
    assert 0 < advice.find(f"storage.path={one}") < advice.find(
        f"sluiced replay {one} ")
