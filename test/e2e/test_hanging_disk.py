# SPDX-License-Identifier: Apache-2.0
"""A disk hangs below the page cache: it accepts writes and completes none.  The
bytes that are not on the disk count towards the container's memory limit.  If
they filled it, no thread could continue, and nobody would receive."""
import re

import pytest

from harness.cgroup import LIMIT_BYTES
from harness.config import section
from harness.stream import numbered, numbered_in_files, numbers_in
from harness.wait import SAN, wait_until

RATE = 20000
# 1/8 of the limit for files, and some pages of directories and inodes
DIRTY_MAX = LIMIT_BYTES // 8 + (6 << 20)

pytestmark = pytest.mark.skipif(
    bool(SAN), reason="a sanitizer needs more memory than the limit")


def is_blocked(counts):
    return counts.sum("sluiced_pipeline_blocked") == 1


def wait_for_full_journal(daemon, check=lambda: None):
    """Wait until the journal is full, which shows that receiving continues, and
    check again and again."""
    def is_full():
        check()
        return daemon.metrics().dropped("journal_full") > 0
    wait_until(lambda: is_blocked(daemon.metrics()), "the output to be blocked")
    wait_until(is_full, lambda: "the journal to be full: " +
               f"{daemon.metrics().received} messages were received")


def check_rest(daemon, lines):
    """Each message that was not dropped is written.  Returns how many."""
    counts = daemon.wait_for_messages(lines.sent)
    assert counts.received == lines.sent
    assert counts.written + counts.dropped("journal_full") == lines.sent
    assert not is_blocked(counts)
    return counts.written


def test_receiving_continues_until_the_journal_is_full(
        room, out, limited, hanging_disk, start, stream):
    limited.fill(room.disk / "pages")
    daemon = start(numbered(room, "Health_Check On"), wrapper=limited.wrapper)

    def check():
        assert limited.dirty_bytes() < DIRTY_MAX
    with hanging_disk.hangs():
        lines = stream(RATE, "-w")
        wait_for_full_journal(daemon, check)
        assert daemon.get("/api/v1/health").status == 500
        assert re.search(r'mod=watchdog output=file\.0 path=\S+ err="an output '
                         'has not answered', daemon.log())
    lines.stop()
    written = check_rest(daemon, lines)
    numbers = numbers_in(out.bytes())
    assert numbers == sorted(set(numbers)) and len(numbers) == written


def test_receiving_continues_with_more_files_than_stay_open(
        room, out, limited, hanging_disk, start, stream):
    daemon = start(numbered_in_files(room), wrapper=limited.wrapper)

    def check():
        assert limited.dirty_bytes() < DIRTY_MAX
    with hanging_disk.hangs():
        lines = stream(RATE, "-w", "-k", "500")
        wait_for_full_journal(daemon, check)
    lines.stop()
    written = check_rest(daemon, lines)
    numbers = numbers_in(out.bytes())
    assert len(set(numbers)) == len(numbers) == written


def test_receiving_continues_with_dead_letters(
        room, limited, hanging_disk, start, stream):
    letters = room.out / "letters"
    daemon = start(
        numbered(room, f"Dead_Letter {letters}").replace(
            f"Path {room.out}", f"Path {room.path}/lines")
        + section("FILTER", "Name lua", "Match in", "call f",
                  "code function f() error('x') end"),
        wrapper=limited.wrapper)

    def check():
        assert limited.dirty_bytes() < DIRTY_MAX
    with hanging_disk.hangs():
        lines = stream(RATE, "-w")
        wait_for_full_journal(daemon, check)
    lines.stop()
    counts = daemon.wait_for_messages(lines.sent)
    assert counts.received == lines.sent
    assert counts.dead_lettered == letters.read_bytes().count(b"\n")


@pytest.mark.parametrize("limited", [LIMIT_BYTES // 2], indirect=True)
def test_receiving_continues_with_the_journal_on_the_same_disk(
        room, out, limited, hanging_disk, start, stream):
    """The whole journal may be in memory then."""
    room.out.chmod(0o777)
    daemon = start(numbered(room, f"storage.path {room.out}/journal"),
                   wrapper=limited.wrapper)
    assert "the journal is on a disk" in daemon.log()
    size = daemon.metrics().sum("sluiced_journal_size_bytes")
    assert size == LIMIT_BYTES // 4
    with hanging_disk.hangs():
        lines = stream(RATE, "-w")
        wait_for_full_journal(daemon)
    lines.stop()
    written = check_rest(daemon, lines)
    numbers = numbers_in(out.bytes("lines.log"))
    assert numbers == sorted(set(numbers)) and len(numbers) == written
