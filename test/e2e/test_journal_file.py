# SPDX-License-Identifier: Apache-2.0
"""The journal's file: where it is, who owns it, and what happens to a damaged
one."""
import fcntl
import os
import re
import signal

import pytest

from harness import inputs
from harness.config import lua_filter, section
from harness.daemon import run
from harness.faults import empty_disk, fill_disk
from harness.gate import Gate
from harness.reload import wait_for_reload
from harness.room import Room
from harness.scale import dice, scaled
from harness.sender import Sender, datagram
from harness.stream import numbered
from harness.wait import SAN, wait_until

NOBODY = 65534


def short(room, *lines, **more):
    return numbered(room, *lines, template="{n}", **more)


def send(room, numbers, pad=""):
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n, "pad": pad}) for n in numbers))


def the_journal(room):
    return room.path / ".sluiced.journal"


def leave_behind(room, start, count=50):
    """Leave a journal with `count` messages that no process works on."""
    fill_disk(room)
    daemon = start(short(room))
    send(room, range(count))
    wait_until(lambda: (m := daemon.metrics()).received == count
               and m.sum("sluiced_pipeline_blocked"), "the lines")
    daemon.kill_tree()
    empty_disk(room)
    return the_journal(room)


def test_the_next_process_writes_the_messages_of_a_killed_one(room, out, start):
    leave_behind(room, start)
    counts = start(short(room)).wait_for_messages(50)
    assert counts.received == counts.written == 50
    assert out.lines() == [b"%d" % n for n in range(50)]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_a_locked_journal_of_another_user_is_set_aside(room, out, start):
    """It is not waited for.  If a sluiced with that user has left it, replaying
    it sends its messages."""
    journal = leave_behind(room, start)
    os.chown(journal, NOBODY, NOBODY)
    with journal.open() as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        daemon = start(short(room))
        assert daemon.metrics().received == 0
    foreign = room.path / ".sluiced.journal.foreign.1"
    assert f'owner_uid={NOBODY} err="another user owns it" ' in daemon.log()
    assert run("replay", foreign, "-c", room.path / "sluiced.conf").code == 0
    daemon.wait_for_messages(50)
    assert out.lines() == [b"%d" % n for n in range(50)]


def test_the_next_process_writes_messages_left_when_grace_is_over(
        room, out, start):
    """The final counts in the log say how many messages are left."""
    fill_disk(room)
    daemon = start(short(room, grace="0"))
    send(room, range(50))
    wait_until(lambda: (m := daemon.metrics()).received == 50
               and m.sum("sluiced_pipeline_blocked"), "the lines")
    daemon.stop(queued=50)
    assert daemon.final_counts() == (50, 0, 0, 0, 50)
    empty_disk(room)
    start(short(room)).wait_for_messages(50)
    assert out.lines() == [b"%d" % n for n in range(50)]


# --- where the file is

def test_the_journal_is_hidden_beside_the_socket(room, start):
    start(short(room))
    assert the_journal(room).is_file()
    assert the_journal(room).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("path", ["kept/my.journal", "kept"])
def test_the_journal_is_where_storage_path_says(room, out, start, path):
    (room.path / "kept").mkdir()
    fill_disk(room)
    daemon = start(short(room, f"storage.path {room.path / path}"))
    send(room, range(10))
    wait_until(lambda: daemon.metrics().received == 10, "the lines")
    daemon.kill_tree()
    assert not the_journal(room).exists()
    assert any(p.is_file() for p in (room.path / "kept").iterdir())
    empty_disk(room)
    start(short(room, f"storage.path {room.path / path}")).wait_for_messages(10)
    assert out.lines() == [b"%d" % n for n in range(10)]


def test_a_journal_in_memory_has_no_file_and_is_lost_with_the_process(
        room, out, start):
    fill_disk(room)
    daemon = start(short(room, "storage.type memory"))
    send(room, range(10))
    wait_until(lambda: daemon.metrics().received == 10, "the lines")
    daemon.kill_tree()
    empty_disk(room)
    assert [p.name for p in room.path.iterdir() if "journal" in p.name] == []
    daemon = start(short(room, "storage.type memory"))
    send(room, [10])
    daemon.wait_for_messages(1)
    assert out.lines() == [b"10"]


def test_the_journal_takes_little_room_on_the_disk(room, out, start):
    """It is sparse, and starts at the beginning again when it is empty."""
    daemon = start(short(room))
    for turn in range(5):
        send(room, range(100 * turn, 100 * turn + 100), pad="x" * 1000)
        daemon.wait_for_messages(100 * turn + 100)
    stat = the_journal(room).stat()
    assert stat.st_size >= 64 * 1000 * 1000
    # It always holds room for one recvmmsg of the largest datagrams: 14 MB.
    assert stat.st_blocks * 512 < 16 << 20


# --- who owns it

@pytest.mark.skipif(SAN != "", reason="a long wait; a sanitizer adds nothing")
def test_two_daemons_cannot_share_a_journal(room, out, start):
    daemon = start(short(room))
    other = Room()
    try:
        other.out = room.out
        config = other.write("other.conf", short(
            other, f"storage.path {the_journal(room)}"))
        done = run("-c", config, cwd=other.path)
        assert done.code == 71, done.err
        assert (f'path={the_journal(room)} err="in use by another sluiced or by sluiced replay" '
                'action="waiting up to 10 s for its end"') in done.err
    finally:
        other.remove()
    send(room, range(10))
    daemon.wait_for_messages(10)
    assert out.lines() == [b"%d" % n for n in range(10)]


def test_the_journal_is_not_free_while_no_worker_runs(room, out, start):
    """Another sluiced cannot take it when a worker dies."""
    hook = "function hook(t, ts, r) return 0, ts, r end"
    daemon = start(short(room) + lua_filter(room, hook))
    gate = Gate(room)
    (room.path / "hook.lua").write_text(f"{gate.lua} {hook}")
    worker = daemon.kill_worker()
    gate.wait()
    assert f'worker={worker} err="the worker died"' in daemon.log()
    with the_journal(room).open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    gate.open()
    daemon.wait_for_worker(1)
    send(room, range(10))
    daemon.wait_for_messages(10)
    assert "in use by another sluiced" not in daemon.log()
    assert out.lines() == [b"%d" % n for n in range(10)]


# --- a damaged one

def flip(path, rng):
    """Flip one bit of a byte that is not zero."""
    data = bytearray(path.read_bytes())
    used = [match.span() for match in re.finditer(rb"[^\0]+", data)]
    at = rng.randrange(*rng.choice(used))
    data[at] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def cut(path, rng):
    """Cut the file anywhere, or in its header."""
    data = path.read_bytes()
    used = len(data.rstrip(b"\0"))
    path.write_bytes(data[:rng.randrange(rng.choice([8192, used]))])


def damaged(room):
    return sorted(p for p in room.path.iterdir()
                  if p.name.startswith(".sluiced.journal.damaged"))


@pytest.mark.parametrize("round", range(scaled("DAMAGES", 10)))
@pytest.mark.parametrize("damage", [flip, cut])
def test_a_damaged_journal_causes_no_crash_and_no_invented_line(
        room, out, start, damage, round):
    """A file that cannot be trusted is kept under another name and logged, and
    new lines are written.  Damage in bytes that are no longer needed has
    no effect."""
    path = leave_behind(room, start)
    damage(path, dice(damage.__name__, round))
    daemon = start(short(room))
    send(room, range(50, 60))
    new = list(range(50, 60))

    def numbers_so_far():
        return [int(line) for line in out.lines()]
    wait_until(lambda: numbers_so_far()[-10:] == new, numbers_so_far)
    assert "the worker died" not in daemon.log()
    numbers = numbers_so_far()
    assert set(numbers[:-10]) <= set(range(50))
    assert len(numbers) == len(set(numbers))
    if len(numbers) < 60:
        [aside] = damaged(room)
        assert f"set_aside={aside}" in daemon.log()


@pytest.mark.parametrize("content", [b"", b"\0" * 4096,
                                     b"\0" * 4096 + b"text", b"sluiced"],
                         ids=["empty", "zeros", "first page", "torn"])
def test_a_file_that_may_be_a_damaged_journal_is_kept_under_another_name(
        room, out, start, content):
    the_journal(room).write_bytes(content)
    daemon = start(short(room))
    send(room, range(10))
    daemon.wait_for_messages(10)
    assert out.lines() == [b"%d" % n for n in range(10)]
    [aside] = damaged(room)
    assert aside.read_bytes() == content
    assert f"set_aside={aside}" in daemon.log()


def test_a_journal_of_another_version_is_kept_whole(room, out, start):
    """The version is at the beginning; `sluiced journal` shows it."""
    path = leave_behind(room, start)
    version = int(dict(line.split(": ") for line in run(
        "journal", path).out.splitlines() if ": " in line)["version"])
    data = bytearray(path.read_bytes())
    where = data.index(version.to_bytes(4, "little"))
    data[where:where + 4] = (version + 1).to_bytes(4, "little")
    path.write_bytes(data)
    daemon = start(short(room))
    send(room, [50])
    daemon.wait_for_messages(1)
    assert out.lines() == [b"50"]
    [aside] = damaged(room)
    assert aside.read_bytes() == data
    assert "version" in daemon.log()


# --- another size

def size_bytes(megabytes):
    """The journal's size is rounded up to whole pages."""
    return -(-megabytes * 1_000_000 // 4096) * 4096


def test_a_journal_takes_another_size_when_few_messages_wait(
        room, out, start):
    leave_behind(room, start)
    daemon = start(short(room, "storage.max_size 2M"))
    assert daemon.metrics().sum("sluiced_journal_size_bytes") == size_bytes(2)
    send(room, [50])
    wait_until(lambda: out.lines()[-1:] == [b"50"], "the line")
    assert [int(line) for line in out.lines()] == list(range(51))
    assert not damaged(room)


def test_a_reload_with_another_size_loses_nothing_when_many_messages_wait(
        room, out, start):
    """To take the new size, the messages would need twice the room for a
    moment.  So the journal keeps its size until few wait."""
    def reload(count):
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "done", count)
        return daemon.metrics().sum("sluiced_journal_size_bytes")
    fill_disk(room)
    daemon = start(short(room, "storage.max_size 4M"))
    send(room, range(2000), pad="x" * 1000)
    wait_until(lambda: daemon.metrics().queued == 2000, "the lines")
    room.write("sluiced.conf", short(room, "storage.max_size 8M"))
    assert reload(1) == size_bytes(4)
    assert re.search(
        r'level=warn mod=journal path=\S+ err="[0-9]+ bytes of messages wait '
        rf'in it" journal_size_bytes={size_bytes(4)} '
        r'wanted_size_bytes=8000000 .* action="continuing with the old sizes;',
        daemon.log())
    send(room, range(2000, 2100))
    wait_until(lambda: daemon.metrics().queued == 2100, "more lines")
    empty_disk(room)
    daemon.wait_for_messages(2100)
    assert reload(2) == size_bytes(8)
    counts = daemon.metrics()
    counts.check_accounting_equation()
    assert counts.written == 2100
    assert [int(line) for line in out.lines()] == list(range(2100))
    assert not damaged(room)


def test_messages_are_truncated_while_a_journal_in_memory_keeps_its_size(
        room, out, start, mount_disk):
    memory = room.path / "memory"
    mount_disk(memory, 100_000_000)

    def config(*lines):
        return inputs.config(room, inputs.unix_input(room, *lines)).replace(
            f"storage.path {room.path}\n", f"storage.path {memory}\n")

    def reload(count):
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "done", count)

    def send_lines(*lines):
        with inputs.connected(room.socket) as s:
            s.sendall(b"".join(line + b"\n" for line in lines))
            sent.extend(lines)
            wait_until(lambda: daemon.metrics().received == len(sent),
                       "the lines")
    sent = []
    fill_disk(room)
    daemon = start(config())
    send_lines(*[b"x" * 200_000] * 10)
    room.write("sluiced.conf", config("Buffer_Max_Size 1M"))
    reload(1)
    assert "the old sizes and truncating longer messages;" in daemon.log()
    send_lines(b"y" * 500_000, b"next")
    assert daemon.metrics().sum("sluiced_input_truncated_total") == 1
    empty_disk(room)
    daemon.wait_for_messages(12)
    reload(2)
    send_lines(b"z" * 500_000)
    daemon.wait_for_messages(13)
    sent[10] = sent[10][:212_992]
    assert out.lines() == sent


# --- a full one

def test_a_full_journal_drops_the_newest_messages_and_counts_them(
        room, out, start):
    fill_disk(room)
    daemon = start(short(room, "storage.max_size 1M"))
    send(room, [0])
    wait_until(lambda: daemon.metrics().sum("sluiced_pipeline_blocked"),
               "the disk to be full")
    send(room, range(1, 2000), pad="x" * 1000)
    counts = wait_until(lambda: (m := daemon.metrics()).received == 2000
                        and m, "all messages to be received")
    counts.check_accounting_equation()
    dropped = counts.dropped("journal_full")
    assert counts.dropped() == dropped > 500
    assert counts.queued == 2000 - dropped
    assert "level=error mod=journal" in daemon.log()
    before = daemon.ready_count()
    daemon.kill_worker()
    daemon.wait_for_worker(before)
    after = daemon.metrics()
    assert after.received == 2000
    assert after.dropped("journal_full") == dropped
    empty_disk(room)
    daemon.wait_for_messages(2000)
    written = 2000 - int(dropped)
    assert [int(line) for line in out.lines()] == list(range(written))


# --- more than one input

def test_each_message_in_the_journal_keeps_its_input(room, out, start):
    """There are two sockets, two tags, and one journal."""
    second = room.path / "second.sock"
    config = (short(room).replace("Match *", "Match in")
              + section("INPUT", "Name syslog", "Tag second",
                        f"Path {second}")
              + section("OUTPUT", "Name file", "Match second",
                        f"Path {room.out}", "File second.log",
                        "Format template", "Template {message}"))
    fill_disk(room)
    daemon = start(config)
    send(room, range(10))
    with Sender(second) as sender:
        sender.send(*(datagram(f"line {n}") for n in range(10)))
    wait_until(lambda: daemon.metrics().received == 20, "the lines")
    daemon.kill_tree()
    empty_disk(room)
    start(config).wait_for_messages(20)
    assert out.lines("lines.log") == [b"%d" % n for n in range(10)]
    assert out.lines("second.log") == [b"line %d" % n for n in range(10)]
