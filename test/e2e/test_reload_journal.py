# SPDX-License-Identifier: Apache-2.0
"""The next worker of a reload cannot read the old worker's journal: it is in
memory, or storage.path changes.  So the old worker writes all of it before it
leaves, and receives meanwhile."""
import fcntl
import os
import re
import signal

import pytest

from harness.config import lua_filter
from harness.daemon import is_alive, run, suspend
from harness.faults import empty_disk, fill_disk
from harness.reload import reloads, wait_for_reload
from harness.sender import Sender, datagram
from harness.stream import numbered
from harness.wait import wait_until

KINDS = pytest.mark.parametrize(
    "before, after", [("memory", "memory"), ("one", "two"),
                      ("one", "memory")])


def with_journal(room, name, *lines, text="{n}", **more):
    line = ("storage.type memory" if name == "memory"
            else f"storage.path {room.path / name}")
    return numbered(room, line, *lines, template=text, **more)


class SlowHook:
    """A hook that lets a message pass when the test allows it."""

    def __init__(self, room):
        path = room.path / "gate"
        os.mkfifo(path)
        self.fd = os.open(path, os.O_RDWR)
        self.filter = lua_filter(room, f"""
            local gate = io.open("{path}", "r")
            gate:setvbuf("no")
            function hook(tag, timestamp, record)
                gate:read(1)
                return 0, timestamp, record
            end""")

    def let_pass(self, count):
        os.write(self.fd, b"x" * count)


@pytest.fixture
def slow_hook(room):
    hook = SlowHook(room)
    yield hook
    os.close(hook.fd)


@KINDS
def test_a_reload_that_leaves_a_journal_waits_for_the_disk(
        room, out, start, before, after):
    """The next worker cannot read a journal in memory or in another file, so
    the old worker continues to receive until the disk accepts writes."""
    fill_disk(room)
    daemon = start(with_journal(room, before))
    worker = daemon.worker()
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(100)))
        wait_until(lambda: daemon.metrics().sum("sluiced_pipeline_blocked"),
                   "the disk to be full")
        room.write("sluiced.conf", with_journal(room, after))
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: "reload=waiting queued=100 " in daemon.log(),
                   "sluiced to report that it waits")
        sender.send(*(datagram({"n": n}) for n in range(100, 200)))
        wait_until(lambda: daemon.metrics().received == 200,
                   "all lines to be received")
    assert worker in daemon.workers()
    empty_disk(room)
    daemon.signal(signal.SIGUSR1)
    wait_for_reload(daemon, "done", 1)
    assert daemon.worker() != worker
    assert out.lines() == [b"%d" % n for n in range(200)]


def start_with_100_in_journal(room, start):
    """The messages wait for Flush in the journal `one`."""
    daemon = start(with_journal(room, "one", flush="1000"))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(100)))
    wait_until(lambda: daemon.metrics().received == 100, "the messages")
    return daemon


@pytest.mark.parametrize("after", ["two", "memory"])
def test_a_reload_with_another_journal_writes_all_of_the_old_one(
        room, out, start, after):
    daemon = start_with_100_in_journal(room, start)
    room.write("sluiced.conf", with_journal(room, after))
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    assert out.lines() == [b"%d" % n for n in range(100)]


@pytest.mark.parametrize("name", ["missing/journal", "sluiced.conf/journal"])
def test_the_old_configuration_stays_if_the_next_journal_cannot_be_created(
        room, out, start, name):
    daemon = start(with_journal(room, "one"))
    room.write("sluiced.conf", with_journal(room, name))
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "failed", 1)
    assert ("[SERVICE] storage.path: the journal cannot be created"
            in daemon.log())
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
    daemon.wait_for_messages(1)
    assert out.lines() == [b"1"]


def lock(path):
    """As another sluiced does with its journal."""
    file = path.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def fill(path, mount_disk):
    path = path.parent
    mount_disk(path, 1 << 20)
    (path / "full").write_bytes(bytes(600 << 10))


# Each makes something at the path; and the error.
CANNOT_OPEN = {
    "locked": (lock, "is in use by another sluiced"),
    "a link": (lambda path: path.symlink_to("x"), "is a symbolic link"),
    "a FIFO": (os.mkfifo, "is not a regular file"),
    "text": (lambda path: path.write_text("GET / 200\n"),
             "exists and is not a journal of sluiced"),
    "full": (fill, "No space left on device"),
}


@pytest.mark.parametrize("kind", CANNOT_OPEN)
def test_the_old_configuration_stays_if_the_next_journal_cannot_be_opened(
        room, out, start, mount_disk, kind):
    make, words = CANNOT_OPEN[kind]
    path = room.path / "dir" / "two"
    path.parent.mkdir()
    daemon = start(with_journal(room, "one"))
    made = make(path, mount_disk) if make is fill else make(path)
    room.write("sluiced.conf", with_journal(room, "dir/two"))
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "failed", 1)
    assert re.search(r"sluiced\.conf:\d+: \[SERVICE\] storage\.path: .*"
                     + words, daemon.log())
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 1}))
    daemon.wait_for_messages(1)
    assert out.lines() == [b"1"]
    if kind == "locked":
        made.close()
    assert "damaged" not in " ".join(os.listdir(path.parent))


def test_messages_in_a_journal_that_a_crash_left_behind_are_reported(
        room, out, start):
    """The configuration was changed, but not reloaded.  `sluiced replay` sends
    the messages again."""
    daemon = start_with_100_in_journal(room, start)
    room.write("sluiced.conf", with_journal(room, "two"))
    before = daemon.ready_count()
    daemon.kill_worker()
    daemon.wait_for_worker(before)
    one = room.path / "one"
    assert (f'path={one} err="100 messages wait in the journal of the '
            "previous configuration") in daemon.log()
    assert run("replay", one, "-c", room.path / "sluiced.conf").code == 0
    daemon.wait_for_messages(100)
    assert sorted(out.lines(), key=int) == [b"%d" % n for n in range(100)]


def test_messages_that_were_replayed_are_written_once(room, out, start):
    """Neither a second replay nor a sluiced that opens the journal writes them
    again."""
    start_with_100_in_journal(room, start).kill_tree()
    daemon = start(with_journal(room, "two"))
    one, conf = room.path / "one", room.path / "sluiced.conf"
    assert run("replay", one, "-c", conf).code == 0
    done = run("replay", one, "-c", conf)
    assert (done.code, done.err) == (0, "")
    assert "nothing is left to send\n" in done.out
    daemon.wait_for_messages(100)
    room.write("sluiced.conf", with_journal(room, "one"))
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    assert f"path={one} replayed=100 " in daemon.log()
    with Sender(room.socket) as sender:
        sender.send(datagram({"n": 100}))
    counts = daemon.wait_for_messages(101)
    counts.check_accounting_equation()
    assert (counts.written, counts.dropped("replayed")) == (1, 100)
    assert sorted(out.lines(), key=int) == [b"%d" % n for n in range(101)]


@KINDS
def test_a_reload_that_leaves_a_journal_receives_while_a_slow_hook_empties_it(
        room, out, start, slow_hook, before, after):
    """The supervisor does not kill the worker while messages pass the hook."""
    def config(journal):
        return with_journal(room, journal, "Hook_Timeout 0",
                            "Log_Level debug") + slow_hook.filter
    daemon = start(config(before))
    worker = daemon.worker()

    def send(first, last):
        with Sender(room.socket) as sender:
            sender.send(*(datagram({"n": n}) for n in range(first, last)))
        wait_until(lambda: daemon.metrics().received == last,
                   f"{last} lines to be received")
    send(0, 200)
    room.write("sluiced.conf", config(after))
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "reload=waiting" in daemon.log(),
               "sluiced to report that it waits")
    send(200, 300)
    for _ in range(3):
        progress = daemon.log().count("progress=yes")
        slow_hook.let_pass(1)
        wait_until(lambda: daemon.log().count("progress=yes") > progress,
                   "the worker to report progress")
    assert worker in daemon.workers() and "killing" not in daemon.log()
    slow_hook.let_pass(300)
    wait_for_reload(daemon, "done", 1)
    assert daemon.worker() != worker
    wait_until(lambda: out.has(300), "300 lines")
    assert out.lines() == [b"%d" % n for n in range(300)]


def wait_for_blocked_reload(room, start, before, after, **more):
    """100 messages wait for the disk, and a reload waits for them.  Returns the
    daemon and its old worker."""
    fill_disk(room)
    daemon = start(with_journal(room, before, **more))
    worker = daemon.worker()
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(100)))
    wait_until(lambda: daemon.metrics().received == 100 and
               daemon.metrics().sum("sluiced_pipeline_blocked"),
               "the disk to be full")
    room.write("sluiced.conf", with_journal(room, after, text="{n} after"))
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: "reload=waiting" in daemon.log(),
               "sluiced to report that it waits")
    return daemon, worker


@KINDS
def test_sigterm_while_a_reload_waits_stops_the_old_worker_within_grace(
        room, out, start, before, after):
    """Messages that stay in a journal that the next start does not read are
    reported last."""
    daemon, _ = wait_for_blocked_reload(room, start, before, after, grace="1")
    daemon.signal(signal.SIGTERM)
    code = daemon.wait()
    daemon.has_ended = True
    assert daemon.ready_count() == 1
    is_kept = before == "one"
    received, written, dropped, _, queued = daemon.final_counts()
    assert (received, written) == (100, 0)
    assert (dropped, queued) == ((0, 100) if is_kept else (100, 0))
    assert code == (71 if is_kept else 0)
    if not is_kept:
        return
    one = room.path / "one"
    last = daemon.log().splitlines()[-1]
    assert f'path={one} err="100 messages wait' in last
    assert f"sluiced replay {one}" in last
    empty_disk(room)
    start(with_journal(room, "one")).wait_for_messages(100)
    assert out.lines() == [b"%d" % n for n in range(100)]


@KINDS
def test_sigterm_after_the_old_worker_has_begun_to_leave_loses_no_line(
        room, out, start, slow_hook, before, after):
    """So few messages wait that it leaves before the first one or as soon as
    the hook has let that pass.  It writes the others, and the next worker
    drains."""
    def config(journal):
        return with_journal(room, journal,
                            "Hook_Timeout 0") + slow_hook.filter
    daemon = start(config(before))
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(5)))
        wait_until(lambda: daemon.metrics().received == 5, "the messages")
        room.write("sluiced.conf", config(after))
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: "reload=waiting" in (log := daemon.log())
                   or "state=leaving" in log, "it to wait or leave")
        slow_hook.let_pass(1)
        wait_until(lambda: "state=leaving" in daemon.log(), "it to leave")
        sender.send(*(datagram({"n": n}) for n in range(5, 10)))
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: "action=stopping" in daemon.log(), "the signal")
    slow_hook.let_pass(10)
    daemon.check_end()
    assert daemon.ready_count() == 2
    assert out.lines() == [b"%d" % n for n in range(10)]


@KINDS
def test_the_old_configuration_stays_if_the_next_worker_dies_while_it_waits(
        room, out, start, before, after):
    daemon, worker = wait_for_blocked_reload(room, start, before, after)
    [following] = set(daemon.workers()) - {worker}
    os.kill(following, signal.SIGKILL)
    wait_until(lambda: not is_alive(following), "its death")
    wait_for_reload(daemon, "failed", 1)
    wait_until(lambda: "reload=cancelled" in daemon.log(),
               "the old worker to stay")
    empty_disk(room)
    daemon.signal(signal.SIGUSR1)
    daemon.wait_for_messages(100)
    assert daemon.worker() == worker
    assert out.lines() == [b"%d" % n for n in range(100)]
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    assert reloads(daemon, "failed") == 1
    assert daemon.worker() != worker


def test_messages_in_memory_that_die_with_a_stuck_worker_are_reported(
        room, start, slow_hook):
    daemon = start(with_journal(room, "memory", "Hook_Timeout 1")
                   + slow_hook.filter)
    before = daemon.ready_count()
    suspend(daemon.process.pid)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(100)))
    wait_until(lambda: "mod=watchdog" in daemon.log(), "the watchdog")
    wait_until(lambda: daemon.metrics().received == 100, "the messages")
    daemon.signal(signal.SIGCONT)
    daemon.wait_for_worker(before)
    assert "state=stuck queued=100 " in daemon.log()
