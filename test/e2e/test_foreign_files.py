# SPDX-License-Identifier: Apache-2.0
"""A file that sluiced has not written, where sluiced expects its own: it is set
aside, and the log advises `sluiced replay` only where that can help.  If it
cannot be a damaged journal, it stays, and sluiced does not start."""
import fcntl
import os
import re

import pytest

from harness.config import file_output, service, syslog_input
from harness.daemon import run, stopped
from harness.faults import empty_disk, fill_disk
from harness.sender import Sender, datagram
from harness.wait import wait_until

ADVICE = "sluiced replay"

FOREIGN = [b"", b"x\n", b"\0" * 8192, b"no file of ours\n" * 1000,
           b'{"status":200,"host":"a"}\n' * 1000]
IDS = ["empty", "a byte", "zeros", "text", "json"]


def config(room):
    return (service(f"storage.path {room.path / 'journal'}")
            + syslog_input(room) + file_output(room))


def replay(room, path):
    return run("replay", path, "-c", room.path / "sluiced.conf")


def log_line(daemon, word):
    [line] = [at for at in daemon.log().splitlines() if word in at]
    return line


def assert_one_error(answer):
    assert answer.code == 71
    assert answer.out == "sent: 0\n"
    [line] = answer.err.splitlines()
    assert line.startswith("sluiced replay: ")
    return line


@pytest.mark.parametrize("content", [b"", b"\0" * 8192],
                         ids=["empty", "zeros"])
def test_a_file_in_place_of_the_journal_is_not_for_replay(
        room, start, content):
    (room.path / "journal").write_bytes(content)
    daemon = start(config(room))
    aside = room.path / "journal.damaged.1"
    assert aside.read_bytes() == content
    line = log_line(daemon, f"set_aside={aside}")
    assert ADVICE not in line
    assert ('err="empty"' if content == b"" else
            'err="not a journal of sluiced"') in line
    if content != b"":
        assert "no journal and no spill of sluiced" in assert_one_error(
            replay(room, aside))


@pytest.mark.parametrize("content", [b"x\n", b"no file of ours\n" * 1000])
def test_a_file_that_sluiced_did_not_make_stays_in_place_of_the_journal(
        room, content):
    path = room.path / "journal"
    path.write_bytes(content)
    conf = room.write("sluiced.conf", config(room))
    for options in [["--dry-run"], [], ["--no-supervisor"]]:
        done = run("-c", conf, *options)
        assert done.code == 78
        assert re.search(rf"sluiced\.conf:\d+: \[SERVICE\] storage.path: {path} "
                         "exists and is not a journal of sluiced; move it "
                         "away", done.err)
    assert path.read_bytes() == content
    assert "journal.damaged.1" not in os.listdir(room.path)


def test_a_journal_that_cannot_be_read_is_not_for_replay(room, start):
    start(config(room)).stop()
    path = room.path / "journal"
    path.write_bytes(path.read_bytes()[:100])
    daemon = start(config(room))
    aside = room.path / "journal.damaged.1"
    line = log_line(daemon, f"set_aside={aside}")
    assert ADVICE not in line
    assert 'err="truncated to 100 bytes"' in line
    assert "truncated to 100 bytes" in assert_one_error(replay(room, aside))


def test_a_damaged_journal_is_for_replay(room, start):
    """Its header is good, and one of its messages is not."""
    fill_disk(room)
    daemon = start(config(room))
    with Sender(room.socket) as sender:
        sender.send(datagram("good"), datagram("bad"))
    wait_until(lambda: (m := daemon.metrics()).received == 2
               and m.sum("sluiced_pipeline_blocked"), "the messages to wait")
    daemon.kill_tree()
    empty_disk(room)
    path = room.path / "journal"
    path.write_bytes(path.read_bytes().replace(b"bad", b"BAD"))
    daemon = start(config(room))
    aside = room.path / "journal.damaged.1"
    assert f"run {ADVICE} {aside} -c" in log_line(daemon, "set_aside=")
    assert "sent: 1\n" in replay(room, aside).out
    daemon.wait_for_messages(1)


# --- spills

def spills(room):
    return room.path / "journal.spill"


@pytest.mark.parametrize("content", FOREIGN, ids=IDS)
def test_a_file_in_place_of_a_spill_is_not_for_replay(room, start, content):
    spills(room).mkdir()
    (spills(room) / "x.spill").write_bytes(content)
    daemon = start(config(room))
    aside = spills(room) / "x.damaged"
    assert aside.read_bytes() == content
    line = log_line(daemon, f'kept_in="{aside}"')
    assert ADVICE not in line
    assert 'err="not a spill of sluiced"' in line


def test_a_spill_of_another_version_is_not_for_replay(room, start):
    spills(room).mkdir()
    (spills(room) / "x.spill").write_bytes(b"sluiced spill 9" + b"\0" * 200)
    daemon = start(config(room))
    aside = spills(room) / "x.damaged"
    line = log_line(daemon, f'kept_in="{aside}"')
    assert ADVICE not in line
    assert 'err="its head is damaged or of another version"' in line
    answer = replay(room, aside)
    assert (answer.code, answer.out) == (71, "")
    assert "head is damaged or of another version" in answer.err


@pytest.fixture
def spilling(room, start):
    """A sluiced that has spilled two lines; and the spill."""
    path = room.out / "lines.log"
    path.mkdir(parents=True)
    daemon = start(config(room))
    with Sender(room.socket) as sender:
        sender.send(datagram("1"), datagram("2"))
    daemon.wait_for_spilled(2)
    [spill] = spills(room).glob("*.spill")
    return daemon, path, spill


def test_a_spill_with_a_damaged_state_is_for_replay(room, start, spilling):
    daemon, path, spill = spilling
    daemon.kill_tree()
    path.rmdir()
    data = bytearray(spill.read_bytes())
    data[data.index(b"1lps") + 63] ^= 1  # the check of the state
    spill.write_bytes(data)
    daemon = start(config(room))
    aside = spill.with_suffix(".damaged")
    line = log_line(daemon, f'kept_in="{aside}"')
    assert 'err="its state is damaged"' in line and ADVICE in line
    assert "2 lines" in replay(room, aside).out
    assert len(path.read_text().splitlines()) == 2


def test_a_spill_in_use_is_not_for_replay(room, spilling):
    """The running sluiced appends its lines itself."""
    daemon, path, spill = spilling
    answer = replay(room, spill)
    assert (answer.code, answer.out) == (71, "")
    assert "is in use by a running sluiced, which appends the lines itself" \
        in answer.err
    daemon.kill_tree()
    path.rmdir()
    assert replay(room, spill).out == f"appended to {path}: 2 lines\n"
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_spill_in_use_is_not_for_replay_without_its_journal(
        room, start, spilling, is_loaded):
    """The journal's file was renamed, and another file is in its place."""
    daemon, path, spill = spilling
    if is_loaded:
        daemon.kill_tree()
        daemon = start(config(room))
        daemon.wait_for_spilled(2)
    with stopped(daemon.process.pid):
        journal = spills(room).with_suffix("")
        journal.rename(room.path / "elsewhere")
        journal.write_text("another file")
    answer = replay(room, spill)
    assert (answer.code, answer.out) == (71, "")
    assert "is in use by a running sluiced" in answer.err
    path.rmdir()
    wait_until(lambda: path.exists() and len(path.read_text().splitlines())
               == 2, "the lines")
    assert not spill.exists()
    daemon.stop()


def test_a_spill_that_a_replay_appends_is_loaded_after_that(
        room, start, spilling):
    """A replay has the spill locked until it ends.  The test holds the same
    lock, and appends nothing."""
    daemon, path, spill = spilling
    daemon.kill_tree()
    path.rmdir()
    with open(spill, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another sluiced replay" in replay(room, spill).err
        daemon = start(config(room))
        wait_until(lambda: 'err="sluiced replay is using this spill"' in daemon.log(),
                   "the error")
        assert daemon.metrics().sum("sluiced_output_lines_queued") == 2
        assert not path.exists()
    wait_until(path.exists, "the lines")
    wait_until(lambda: not spill.exists(), "the spill to be removed")
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.parametrize("is_emptied", [False, True])
def test_a_spill_that_is_cut_while_in_use_is_for_replay_if_it_has_a_head(
        spilling, is_emptied):
    daemon, path, spill = spilling
    size = 0 if is_emptied else spill.stat().st_size - 1
    with open(spill, "r+b") as f:
        f.truncate(size)
    path.rmdir()
    wait_until(lambda: daemon.metrics().sum(
        "sluiced_output_lines_dropped_total") == 2, "the lines to be dropped")
    line = log_line(daemon, 'err="cannot be read or was removed"')
    assert (ADVICE in line) == (not is_emptied)
