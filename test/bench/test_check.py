# SPDX-License-Identifier: Apache-2.0
"""A benchmark counts only if check.c finds every line.  These tests check that
check.c finds each kind of error."""
import subprocess

import pytest

from harness.compile import compiled
from harness.wait import wait_until

COUNT = 2000
SHAPE = ["-w", "0", "-t", "1800000000"]
C11 = ("-std=c11", "-D_GNU_SOURCE")


@pytest.fixture
def lines(room):
    """The file that the floor program wrote for COUNT lines."""
    floor, send = (compiled(f"../bench/{name}.c", *C11)
                   for name in ("floor", "send"))
    room.out.mkdir()
    path = room.out / "all"
    process = subprocess.Popen([floor, room.socket, path])
    try:
        wait_until(room.socket.exists, "the floor program's socket")
        done = subprocess.run([send, *SHAPE, "-b", room.socket, str(COUNT)],
                              capture_output=True, text=True, check=True)
        size = int(done.stdout.split()[5])
        wait_until(lambda: path.stat().st_size == size, f"{size} bytes")
    finally:
        process.kill()
        process.wait()
    return path


def check(path):
    done = subprocess.run(
        [compiled("../bench/check.c", *C11), *SHAPE, "-p", "one", path.parent,
         str(COUNT)], capture_output=True, text=True)
    words = done.stdout.split()
    return done.returncode, dict(zip(words[::2], map(int, words[1::2])))


def test_check_accepts_a_complete_file(lines):
    assert check(lines) == (0, {"lines": COUNT, "missing": 0, "twice": 0,
                                "wrong": 0})


@pytest.mark.parametrize("change, counted", [
    (lambda lines: lines[:7] + lines[8:], {"missing": 1}),
    (lambda lines: lines + lines[5:7], {"twice": 2}),
    (lambda lines: [lines[0].replace(b"POST", b"PAST"), *lines[1:]],
     {"wrong": 1, "missing": 1}),
    (lambda lines: [lines[0][:-9] + b"\n", *lines[1:]],
     {"wrong": 1, "missing": 1}),
    (lambda lines: [*lines, lines[0].replace(b"0" * 12, b"9" * 12, 1)],
     {"wrong": 1}),
])
def test_check_counts_every_line_that_differs(lines, change, counted):
    all_lines = lines.read_bytes().splitlines(keepends=True)
    lines.write_bytes(b"".join(change(all_lines)))
    code, counts = check(lines)
    assert code == 1
    assert {name: n for name, n in counts.items()
            if n and name != "lines"} == counted
