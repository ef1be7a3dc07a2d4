# SPDX-License-Identifier: Apache-2.0
"""A journal and spills in memory fit into half of the container's memory
limit."""
import re

import pytest

from harness.cgroup import LIMIT_BYTES
from harness.config import file_output, section, service, syslog_input

CHOSEN = re.compile(
    rf"level=(\w+) mod=storage memory_limit_bytes={LIMIT_BYTES} "
    r"journal_bytes=(\d+) spill_bytes=(\d+) outputs=(\d+)( err=.*)?")


def text(room, *lines):
    return (service(*lines) + syslog_input(room) + file_output(room)
            + section("OUTPUT", "Name null", "Match *"))


def test_defaults_fill_at_most_half_of_the_limit(
        limited, mount_disk, room, start):
    daemon = start(text(room), wrapper=limited.wrapper)
    level, journal, spill, outputs, _ = CHOSEN.search(daemon.log()).groups()
    assert level == "info"
    assert int(outputs) == 1
    assert LIMIT_BYTES // 4 < int(journal) < 64_000_000
    assert int(spill) < 16_000_000
    assert int(journal) + int(spill) <= LIMIT_BYTES // 2
    size = daemon.metrics().sum("sluiced_journal_size_bytes")
    assert 0 <= size - int(journal) < 4096


def test_configured_sizes_that_do_not_fit_are_a_warning(
        limited, mount_disk, room, start):
    daemon = start(text(room, "storage.max_size 100M"), wrapper=limited.wrapper)
    level, journal, spill, _, rest = CHOSEN.search(daemon.log()).groups()
    assert level == "warn"
    assert int(journal) == 100_000_000
    assert f"add up to {100_000_000 + int(spill)} bytes" in rest


def test_a_journal_on_a_disk_does_not_count(limited, room, start):
    room.disk.chmod(0o777)
    daemon = start(text(room, f"storage.path {room.disk}"), wrapper=limited.wrapper)
    if "the journal is on a disk" not in daemon.log():
        pytest.skip("/tmp is in memory")
    assert "mod=storage" not in daemon.log()
    size = daemon.metrics().sum("sluiced_journal_size_bytes")
    assert 0 <= size - 64_000_000 < 4096


@pytest.mark.parametrize("size, is_warned", [("212992", False), ("1M", True)])
def test_connections_that_can_hold_too_much_are_a_warning(
        limited, room, start, size, is_warned):
    inputs = section("INPUT", "Name syslog", "Mode unix_tcp", "Tag in",
                     f"Path {room.socket}", f"Buffer_Max_Size {size}")
    daemon = start(service() + inputs + file_output(room), wrapper=limited.wrapper)
    assert ("the connections of stream inputs can hold more than half"
            in daemon.log()) == is_warned
    assert not is_warned or "stream_bytes_max=256000000" in daemon.log()
