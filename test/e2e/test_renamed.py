# SPDX-License-Identifier: Apache-2.0
"""A log file that is renamed or truncated while the disk is full, and then
sluiced is reloaded, restarted or killed: the lines that are in the renamed file
are not written again."""
import signal

import pytest

from harness.config import section
from harness.daemon import stopped, suspend
from harness.reload import wait_for_reload
from harness.sender import Sender, datagram
from harness.stream import TEMPLATE, check_numbers, numbered, numbers_in
from harness.wait import wait_until

LINES = 300
OLD, NEW = "lines.log.1", "lines.log"


class FullDisk:
    """A daemon whose disk is full, so that a batch is written in part."""

    def __init__(self, room, disk, start, *outputs):
        self.room, self.disk, self.start = room, disk, start
        self.config = (numbered(room, "Hot_Reload On", grace="0")
                       + "".join(outputs))
        self.daemon = start(self.config)
        disk.fill(100 << 10)
        with Sender(room.socket) as sender:
            for n in range(LINES):
                sender.send(datagram({"n": n, "pad": "x" * 640}))

    def wait_until_blocked(self):
        wait_until(lambda: (m := self.daemon.metrics()).received == LINES
                   and m.sum("sluiced_pipeline_blocked") == 1,
                   "a full disk")

    def take_file(self, is_removed=False):
        """Rename or remove the file; returns its whole lines."""
        path = self.disk.path / NEW
        data = path.read_bytes()
        path.rename(self.disk.path / OLD)
        if is_removed:
            (self.disk.path / OLD).unlink()
        return numbers_in(data[:data.rfind(b"\n") + 1])

    def copy_and_truncate_file(self):
        """As logrotate does with copytruncate.  Returns its whole lines."""
        path = self.disk.path / NEW
        data = path.read_bytes()
        path.write_bytes(b"")
        return numbers_in(data[:data.rfind(b"\n") + 1])

    def numbers(self, name):
        return numbers_in((self.disk.path / name).read_bytes())


def restart(full):
    full.disk.empty()
    full.daemon = full.start(full.config)


def by_sigterm(full, rename):
    lines = rename()
    full.daemon.signal(signal.SIGTERM)
    full.daemon.wait()
    full.daemon.has_ended = True
    restart(full)
    return lines


def by_kill(full, rename):
    """Meanwhile the worker does not run, so it never sees the new name."""
    suspend(full.daemon.worker())
    lines = rename()
    full.daemon.kill_tree()
    restart(full)
    return lines


def by_kill_of_worker(full, rename):
    suspend(full.daemon.worker())
    lines = rename()
    ready = full.daemon.ready_count()
    full.daemon.kill_worker()
    full.daemon.wait_for_worker(ready)
    full.disk.empty()
    return lines


def by_sighup(full, rename):
    with stopped(full.daemon.worker()):
        lines = rename()
        full.daemon.signal(signal.SIGHUP)
    wait_for_reload(full.daemon, "done", 1)
    full.disk.empty()
    return lines


def by_http(full, rename):
    lines = rename()
    full.daemon.get("/api/v2/reload", method="POST")
    wait_for_reload(full.daemon, "done", 1)
    full.disk.empty()
    return lines


ENDS = [by_sigterm, by_kill, by_kill_of_worker, by_sighup, by_http]


@pytest.mark.parametrize("end", ENDS)
def test_lines_in_a_renamed_file_are_not_written_again(
        room, small_disk, start, end):
    full = FullDisk(room, small_disk, start)
    full.wait_until_blocked()
    assert end(full, full.take_file)
    full.daemon.wait_for_messages(0)
    old = (small_disk.path / OLD).read_bytes()
    whole = numbers_in(old[:old.rfind(b"\n") + 1])
    check_numbers(whole + full.numbers(NEW), list(range(LINES)))


@pytest.mark.parametrize("end", ENDS)
def test_no_line_is_lost_if_the_file_is_removed(room, small_disk, start, end):
    """The lines that were in it may be written again."""
    full = FullDisk(room, small_disk, start)
    full.wait_until_blocked()
    taken = end(full, lambda: full.take_file(is_removed=True))
    full.daemon.wait_for_messages(0)
    new = full.numbers(NEW)
    check_numbers(sorted({*taken, *new}), list(range(LINES)))
    assert len(set(new)) == len(new)


@pytest.mark.parametrize("end", [by_kill, by_kill_of_worker])
def test_lines_that_are_written_again_to_a_truncated_file_are_reported(
        room, small_disk, start, end):
    """Some lines of one batch may be in the copy and in the file.  The note of
    a retry tells that the file was longer."""
    full = FullDisk(room, small_disk, start)
    full.wait_until_blocked()
    wait_until(lambda: full.daemon.metrics().sum(
        "sluiced_output_retries_total") >= 2, "a retry to end")
    taken = end(full, full.copy_and_truncate_file)
    full.daemon.wait_for_messages(0)
    new = full.numbers(NEW)
    check_numbers(sorted({*taken, *new}), list(range(LINES)))
    assert len(set(new)) == len(new)
    assert (f'path="{small_disk.path / NEW}" err="the file is shorter than '
            'before the restart"') in full.daemon.log()


@pytest.mark.parametrize("end", ENDS)
def test_spilled_lines_are_written_once_although_the_file_is_renamed(
        room, small_disk, start, end):
    """With a second output, the lines are spilled, and the batch is done."""
    other = room.path / "other"
    full = FullDisk(room, small_disk, start,
                    section("OUTPUT", "Name file", "Match *", f"Path {other}",
                            f"File {NEW}", "Format template",
                            f"Template {TEMPLATE}"))
    wait_until(lambda: (other / NEW).exists()
               and (other / NEW).read_bytes().count(b"\n") == LINES,
               "the other output")
    assert end(full, full.take_file)
    full.daemon.wait_for_messages(0)
    old = (small_disk.path / OLD).read_bytes()
    whole = numbers_in(old[:old.rfind(b"\n") + 1])
    check_numbers(whole + full.numbers(NEW), list(range(LINES)))
    check_numbers(numbers_in((other / NEW).read_bytes()), list(range(LINES)))
