# SPDX-License-Identifier: Apache-2.0
"""A reload adds, removes or reorders outputs while lines wait for a file.

An output is the same output although its number, and with it its default name,
is another one."""
import signal

import pytest

from harness.config import json_filter, section, service, syslog_input, template
from harness.reload import wait_for_reload
from harness.sender import Sender, datagram
from harness.stream import TEMPLATE, check_numbers, numbers_in
from harness.wait import wait_until

LINES = 20
NO_OUTPUT = "files that no output writes now"
NULL = section("OUTPUT", "Name null", "Match *")


def config(room, *outputs, lines=()):
    return (service(*lines, flush="0.02") + syslog_input(room)
            + json_filter() + "".join(outputs))


def reload(room, daemon, text, count=1):
    room.write("sluiced.conf", text)
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", count)


# --- a batch that is written in part

def wait_for_torn_batch(daemon, disk):
    wait_until(lambda: daemon.metrics().sum("sluiced_pipeline_blocked") == 1
               and disk.free_bytes() < 4096, "the disk to be full")


def check_once(path, lines):
    check_numbers(numbers_in(path.read_bytes()), lines.accepted())


@pytest.mark.parametrize("first", ["null", "file"])
def test_a_new_output_in_front_doubles_no_line_of_a_torn_batch(
        room, small_disk, start, stream, first):
    output = template(TEMPLATE, room)
    in_front = {"null": NULL,
                "file": template(TEMPLATE, room, file="no.log", match="no")}
    daemon = start(config(room, output))
    lines = stream(20000, "-w", count=5000)
    wait_for_torn_batch(daemon, small_disk)
    reload(room, daemon, config(room, in_front[first], output))
    small_disk.grow(32 << 20)
    lines.wait()
    daemon.wait_for_messages(lines.sent)
    check_once(room.out / "lines.log", lines)
    assert "incomplete line" not in daemon.log()
    assert NO_OUTPUT not in daemon.log()


def test_lines_in_a_file_that_no_output_writes_after_a_reload_are_reported(
        room, small_disk, start, stream):
    daemon = start(config(room, template(TEMPLATE, room)))
    lines = stream(20000, "-w", count=5000)
    wait_for_torn_batch(daemon, small_disk)
    reload(room, daemon,
           config(room, template(TEMPLATE, room, file="other.log")))
    small_disk.grow(32 << 20)
    lines.wait()
    daemon.wait_for_messages(lines.sent)
    old, new = ((room.out / name).read_bytes()
                for name in ("lines.log", "other.log"))
    whole = old[:old.rfind(b"\n") + 1]
    assert set(numbers_in(whole) + numbers_in(new)) == set(lines.accepted())
    assert daemon.log().count(NO_OUTPUT) == 1


@pytest.mark.parametrize("after", ["removed", "swapped"])
def test_lines_written_before_a_reload_are_not_written_by_another_number(
        room, mount_disk, start, stream, after):
    """The first output has a full disk and a full spill, so that the batch is
    not committed.  The second output has written its lines."""
    small = mount_disk(room.path / "small", 1 << 20)
    full = template(TEMPLATE, room).replace(f"{room.out}", f"{small.path}")
    good = template(TEMPLATE, room, file="good.log")
    daemon = start(config(room, full, good, lines=["storage.spill_size 1M"]))
    lines = stream(20000, "-w", count=8000)
    wait_for_torn_batch(daemon, small)
    outputs = {"removed": [good], "swapped": [good, full]}[after]
    reload(room, daemon,
           config(room, *outputs, lines=["storage.spill_size 1M"]))
    small.grow(32 << 20)
    lines.wait()
    daemon.wait_for_messages(lines.sent)
    wait_until(lambda: daemon.metrics().sum("sluiced_output_lines_queued") == 0,
               "the spilled lines")
    check_once(room.out / "good.log", lines)
    if after == "swapped":
        check_once(small.path / "lines.log", lines)


# --- spilled lines

CHANGES = {
    "renamed": lambda a, b: (a, b.rstrip("\n") + "\n    Alias other\n\n"),
    "removed": lambda a, b: (a,),
    "moved": lambda a, b: (NULL, a, b),
    "swapped": lambda a, b: (b, a),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_outputs_that_is_rolled_back_loses_no_spilled_line(
        room, start, change):
    paths = [room.out / name for name in ("a.log", "b.log")]
    outputs = [template("{message}", room, file=path.name) for path in paths]
    expected = {path: [] for path in paths}
    for path in paths:
        path.mkdir(parents=True)
    daemon = start(config(room, *outputs))

    def spill(first, count, text):
        numbers = range(first, first + count)
        with Sender(room.socket) as sender:
            sender.send(*(datagram(str(n)) for n in numbers))
        for path in paths:
            if path.name in text:
                expected[path] += numbers
        daemon.wait_for_spilled(sum(map(len, expected.values())))

    spill(0, LINES, config(room, *outputs))
    for count, how in enumerate((CHANGES[change](*outputs), outputs), 1):
        text = config(room, *how)
        reload(room, daemon, text, count)
        daemon.metrics().check_accounting_equation()
        spill(count * LINES, LINES * count // 2, text)
        daemon.metrics().check_accounting_equation()
        assert daemon.metrics().dropped() == 0
    for path in paths:
        path.rmdir()
    counts = daemon.wait_for_messages(2 * LINES + LINES // 2)
    assert counts.received == counts.written
    wait_until(lambda: daemon.metrics().sum("sluiced_output_lines_queued") == 0,
               "the spilled lines")
    for path in paths:
        assert [int(n) for n in path.read_text().split()] == expected[path]
    assert daemon.metrics().sum("sluiced_output_lines_dropped_total") == 0
    assert "missing" not in daemon.log()


@pytest.mark.parametrize("how", ["reloaded", "killed"])
def test_a_removed_output_with_a_full_disk_does_not_stop_the_other(
        room, mount_disk, start, how):
    """The operator takes out the output of the full disk.  The other output
    takes over the lines that wait for that disk, and continues."""
    small = mount_disk(room.path / "small", 1 << 20)
    full = template("{n}", room).replace(f"{room.out}", f"{small.path}")
    good = template("{n}", room, file="good.log")
    daemon = start(config(room, good, full))
    small.fill(0)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
    daemon.wait_for_spilled(10)
    if how == "reloaded":
        reload(room, daemon, config(room, good))
    else:
        room.write("sluiced.conf", config(room, good))
        ready = daemon.ready_count()
        daemon.kill_worker()
        daemon.wait_for_worker(ready)
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10, 20)))
    wait_until(lambda: (room.out / "good.log").read_bytes().count(b"\n") == 20,
               "the lines of the other output")
    assert daemon.metrics().sum("sluiced_output_lines_spilled") == 10
    small.empty()
    daemon.wait_for_messages(0)
    wait_until(lambda: daemon.metrics().sum("sluiced_output_lines_spilled")
               == 0, "an empty spill")
    assert ((small.path / "lines.log").read_bytes().split()
            == [b"%d" % n for n in range(10)])
