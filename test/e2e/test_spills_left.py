# SPDX-License-Identifier: Apache-2.0
"""Lines wait in spills, and the configuration then names another storage.path:
the spills are beside the old journal, where no worker would look for them."""
import fcntl
import re
import signal

import pytest

from harness.config import (json_filter, lua_filter, section, service,
                            syslog_input, template)
from harness.daemon import run
from harness.gate import Gate
from harness.reload import wait_for_reload
from harness.sender import Sender, datagram
from harness.wait import wait_until

from test_dead_letter import read, with_parser

LINES = 20


def storage(room, name):
    return ("storage.type memory" if name == "memory"
            else f"storage.path {room.path / name}")


def config(room, *lines, first="", second=""):
    return (service(*lines, flush="0.02") + first + syslog_input(room)
            + second + json_filter() + template("{n}", room, file="held.log"))


@pytest.fixture
def held(room):
    """The file that cannot be written as long as it is a directory."""
    path = room.out / "held.log"
    path.mkdir(parents=True)
    return path


def send(room, first, last):
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(first, last)))


def spill(daemon, room, first=0, last=LINES):
    send(room, first, last)
    daemon.wait_for_spilled(last)


def reload(daemon, room, text, count=1):
    room.write("sluiced.conf", text)
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", count)


def kill(daemon, room, text):
    """The next worker reads the new configuration."""
    room.write("sluiced.conf", text)
    ready = daemon.ready_count()
    daemon.kill_worker()
    daemon.wait_for_worker(ready)


def check_once(held, count=LINES):
    wait_until(lambda: held.is_file()
               and held.read_bytes().count(b"\n") >= count, "the lines")
    assert sorted(map(int, held.read_text().split())) == list(range(count))


def check_counts(daemon, count=LINES):
    counts = daemon.wait_for_messages(count)
    assert counts.received == counts.written == count
    counts.check_accounting_equation()


def check_waiting(daemon, count=LINES):
    counts = daemon.metrics()
    assert (counts.received, counts.queued) == (count, count)
    assert counts.sum("sluiced_output_lines_spilled") == count
    counts.check_accounting_equation()


@pytest.mark.parametrize("change", [reload, kill])
def test_the_next_worker_takes_over_the_spills_of_the_old_storage_path(
        room, start, held, change):
    daemon = start(config(room, storage(room, "one")))
    spill(daemon, room)
    change(daemon, room, config(room, storage(room, "two")))
    check_waiting(daemon)
    send(room, LINES, 2 * LINES)
    wait_until(lambda: daemon.metrics().queued == 2 * LINES, "the new lines")
    held.rmdir()
    check_counts(daemon, 2 * LINES)
    check_once(held, 2 * LINES)


def test_the_next_worker_takes_over_the_spills_if_another_input_comes_first(
        room, start, held):
    """The default storage.path is beside the first socket."""
    (room.path / "other").mkdir()
    other = section("INPUT", "Name syslog", "Tag other",
                    f"Path {room.path / 'other/socket'}")
    daemon = start(config(room, second=other))
    spill(daemon, room)
    reload(daemon, room, config(room, first=other))
    check_waiting(daemon)
    held.rmdir()
    check_counts(daemon)
    check_once(held)


def test_the_old_storage_path_comes_back_and_each_line_is_written_once(
        room, start, held):
    """The journal there counted the lines, which are elsewhere meanwhile."""
    daemon = start(config(room, storage(room, "one")))
    spill(daemon, room)
    for count, name in enumerate(("two", "one", "two"), 1):
        reload(daemon, room, config(room, storage(room, name)), count)
        check_waiting(daemon)
    held.rmdir()
    check_counts(daemon)
    reload(daemon, room, config(room, storage(room, "one")), 4)
    assert daemon.metrics().dropped() == 0
    assert "level=error mod=file_sink output=" not in daemon.log()
    check_once(held)


def test_a_worker_that_dies_after_it_took_spills_over_loses_no_count(
        room, start, held):
    """Nothing was committed to the new journal yet."""
    daemon = start(config(room, storage(room, "one")))
    spill(daemon, room)
    two = config(room, storage(room, "two"))
    reload(daemon, room, two)
    kill(daemon, room, two)
    check_waiting(daemon)
    held.rmdir()
    check_counts(daemon)
    check_once(held)


def test_the_next_worker_takes_over_spilled_dead_letters(room, start):
    letters = room.path / "kept/letters.jsonl"
    letters.mkdir(parents=True)
    def with_storage(name):
        return with_parser(room, f"Dead_Letter {letters}", storage(room, name))
    daemon = start(with_storage("one"))
    junk = [b"junk %d" % n for n in range(LINES)]
    with Sender(room.socket) as sender:
        sender.send(*junk)
    wait_until(lambda: (m := daemon.metrics()).queued == m.received == LINES
               and m.sum("sluiced_journal_pending_bytes") == 0, "the letters")
    reload(daemon, room, with_storage("two"))
    counts = daemon.metrics()
    assert (counts.received, counts.queued) == (LINES, LINES)
    letters.rmdir()
    assert daemon.wait_for_messages(LINES).dead_lettered == LINES
    assert [letter["bytes"] for letter in read(letters)] == junk


def errors(daemon, room):
    spills = re.escape(str(room.path / "one.spill"))
    return re.findall(rf'level=error .*path="{spills}" .*', daemon.log())


def stop(daemon):
    daemon.signal(signal.SIGTERM)
    code = daemon.wait()
    daemon.has_ended = True
    return code


def leave_in_memory(room, start):
    """The spills of storage.path one stay there."""
    daemon = start(config(room, storage(room, "one")))
    spill(daemon, room)
    reload(daemon, room, config(room, storage(room, "memory")))
    return daemon


def test_spills_that_a_journal_in_memory_leaves_are_reported_also_at_the_end(
        room, start, held):
    daemon = leave_in_memory(room, start)
    [error] = errors(daemon, room)
    assert f"{LINES} spilled lines" in error and "in memory" in error
    assert f"storage.path={room.path / 'one'}" in error
    daemon.metrics().check_accounting_equation()
    assert stop(daemon) == 71
    last = daemon.log().splitlines()[-1]
    assert last.endswith(errors(daemon, room)[1])
    assert f"{LINES} spilled lines" in last
    held.rmdir()
    daemon = start(config(room, storage(room, "one")))
    check_counts(daemon)
    check_once(held)


def test_spills_that_a_journal_in_memory_left_are_replayed(room, start, held):
    daemon = leave_in_memory(room, start)
    held.rmdir()
    [path] = (room.path / "one.spill").glob("*.spill")
    assert "sluiced replay" in errors(daemon, room)[0]
    assert run("replay", path, "-c", room.path / "sluiced.conf").code == 0
    daemon.stop()
    check_once(held)
    daemon = start(config(room, storage(room, "one")))
    check_counts(daemon)
    check_once(held)


@pytest.mark.parametrize("name", ["one", "two"])
def test_the_first_worker_with_a_journal_in_a_file_takes_over_left_spills(
        room, start, held, name):
    daemon = leave_in_memory(room, start)
    reload(daemon, room, config(room, storage(room, name)), 2)
    check_waiting(daemon)
    held.rmdir()
    check_counts(daemon)
    check_once(held)


def test_spills_beside_a_journal_that_another_sluiced_uses_stay(
        room, start, held):
    daemon = leave_in_memory(room, start)
    two = config(room, storage(room, "two"))
    with open(room.path / "one", "rb") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        reload(daemon, room, two, 2)
        error = errors(daemon, room)[-1]
        assert f"{LINES} spilled lines" in error and "another sluiced" in error
    reload(daemon, room, two, 3)
    check_waiting(daemon)
    held.rmdir()
    check_counts(daemon)
    check_once(held)


def test_spills_on_another_file_system_stay_and_are_reported(
        room, start, held, mount_disk):
    """If the old path returns, so do the lines and their counts."""
    mount_disk(room.path / "disk", 100 << 20)
    daemon = start(config(room, storage(room, "one")))
    spill(daemon, room)
    reload(daemon, room, config(room, storage(room, "disk/two")))
    [error] = errors(daemon, room)
    assert f"{LINES} spilled lines" in error and "another file sys" in error
    reload(daemon, room, config(room, storage(room, "one")), 2)
    check_waiting(daemon)
    held.rmdir()
    check_counts(daemon)
    check_once(held)


def test_spills_beside_a_journal_with_messages_stay_with_it(room, start, held):
    """A batch that is not committed may have lines in them."""
    daemon = start(config(room, storage(room, "one")))
    spill(daemon, room)
    daemon.kill_tree()
    gate = Gate(room)
    daemon = start(config(room, storage(room, "one"), "Hook_Timeout 0")
                   + lua_filter(room, f"""
        function hook(tag, timestamp, record)
            {gate.lua}
            return 0, timestamp, record
        end"""))
    send(room, LINES, 2 * LINES)
    wait_until(lambda: daemon.metrics().received == 2 * LINES, "the messages")
    gate.wait()
    kill(daemon, room, config(room, storage(room, "two")))
    gate.open()
    [error] = errors(daemon, room)
    assert "messages wait in that journal" in error
    reload(daemon, room, config(room, storage(room, "one")))
    held.rmdir()
    check_counts(daemon, 2 * LINES)
    check_once(held, 2 * LINES)


@pytest.mark.parametrize("change", [reload, kill])
def test_another_spelling_of_the_path_names_the_same_spills(
        room, start, held, change):
    (room.path / "dir").mkdir()
    (room.path / "link").symlink_to("dir")
    daemon = start(config(room, storage(room, "dir/journal")))
    spill(daemon, room)
    change(daemon, room, config(room, storage(room, "link/journal")))
    check_waiting(daemon)
    held.rmdir()
    check_counts(daemon)
    check_once(held)


def test_each_worker_tries_other_spills(room, start, held, mount_disk):
    """Those beside the newest of two old journals cannot be moved, because they
    are on another file system."""
    mount_disk(room.path / "disk", 100 << 20)
    daemon = start(config(room, storage(room, "one")))
    spill(daemon, room)
    reload(daemon, room, config(room, storage(room, "disk/two")))
    send(room, LINES, 2 * LINES)
    wait_until(lambda: daemon.metrics().sum("sluiced_output_lines_spilled")
               == LINES, "the other lines to be spilled")
    three = config(room, storage(room, "three"))
    reload(daemon, room, three, 2)
    reload(daemon, room, three, 3)
    wait_until(lambda: "took over the spills" in daemon.log(), "the move")
    held.rmdir()
    check_once(held)
