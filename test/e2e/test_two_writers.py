# SPDX-License-Identifier: Apache-2.0
"""Two pods on one node may have the same file: every line of both is there
once, whole, while one of them is killed again and again."""
import re

import pytest

from harness.faults import Faults
from harness.room import Room
from harness.scale import at_random_moments, scaled
from harness.stream import Stream, check_numbers, numbered
from harness.wait import SAN, wait_until

RATE = 200 if SAN else 2000
KILLS = scaled("WRITER_KILLS", 60)
LINE = re.compile(rb"([ab]) (\d+) x{640} \2")


class Pod:
    """A room with a daemon of its own; the directory of files is shared."""

    def __init__(self, letter, out, start, **more):
        self.letter = letter
        self.room = Room()
        self.room.out = out
        self.start = start
        self.more = more
        self.begin()

    def begin(self):
        config = self.room.write("sluiced.conf", numbered(
            self.room, template=self.letter + " {n} {pad} {n}",
            flush="0.01"))
        self.daemon = self.start(config, cwd=self.room.path, **self.more)

    def send(self):
        self.lines = Stream(self.room, RATE, "-r")

    def remove(self):
        self.lines.kill()
        self.room.remove()


def lines_by_letter(data):
    assert data.endswith(b"\n")
    numbers = {"a": [], "b": []}
    for line in data.split(b"\n")[:-1]:
        match = LINE.fullmatch(line)
        assert match, f"a torn line: {line[:60]} ... {line[-60:]}"
        numbers[match[1].decode()].append(int(match[2]))
    return numbers


@pytest.mark.parametrize("writes", ["whole", "short"])
def test_two_daemons_on_one_file_one_of_them_killed(
        room, out, start, writes):
    """Its disk is slow, so that it is often killed while it has the file.
    With writes that are short it leaves torn lines, which the other one waits
    for."""
    faults = Faults(room, room.out)
    room.out.mkdir()
    a = Pod("a", room.out, start)
    b = Pod("b", room.out, start, env=faults.env)
    try:
        a.send()
        b.send()
        wait_until(lambda: out.has(10), "lines")
        faults.order(short_every=3 * (writes == "short"), delay_ms=3)
        for _ in at_random_moments(KILLS):
            b.daemon.kill_tree()
            b.begin()
        faults.end()
        a.lines.stop()
        b.lines.stop()
        assert a.lines.refused == a.lines.gone == 0
        counts_a = a.daemon.settled(a.lines.sent)
        counts_b = b.daemon.settled(0)
        there = lines_by_letter(out.bytes())
        check_numbers(there["a"], a.lines.accepted())
        assert counts_a.written == a.lines.sent
        assert there["b"] == sorted(set(there["b"])), "twice, or not in order"
        assert set(b.lines.accepted()).issuperset(there["b"])
        assert len(there["b"]) == counts_b.received == counts_b.written
    finally:
        a.remove()
        b.remove()


@pytest.mark.skipif(SAN != "", reason="it waits as long without")
def test_a_torn_line_of_a_process_that_never_comes_back_is_closed(
        room, out, start, stream):
    """After ten seconds, and this is said; until then the lines wait."""
    room.out.mkdir()
    (room.out / "lines.log").write_bytes(b"a 0 xxx")
    daemon = start(numbered(room))
    lines = stream(100, "-s", "8", count=100).wait()
    wait_until(lambda: daemon.metrics().received == 100, "lines")
    assert out.bytes() == b"a 0 xxx"
    daemon.settled(100, timeout_s=20)
    torn, *rest = out.lines()
    assert torn == b"a 0 xxx"
    assert [int(line.split()[0]) for line in rest] == lines.accepted()
    assert "level=warn" in daemon.log()
