# SPDX-License-Identifier: Apache-2.0
"""Several outputs: each continues when another one is blocked."""
import re

from harness.config import (
    file_output, section, service, syslog_input, template)
from harness.sender import Sender, datagram
from harness.wait import wait_until


def numbers(room, name):
    path = room.out / name
    return ([int(line) for line in path.read_text().splitlines()]
            if path.exists() else [])


def send(room, which):
    with Sender(room.socket) as sender:
        for n in which:
            sender.send(datagram(str(n)))


def config(room):
    return (service() + syslog_input(room)
            + file_output(room, "Format template", "Template {message}",
                          "Follow_Symlinks On", file="full.log")
            + template("{message}", room, file="good.log"))


def test_a_full_disk_blocks_only_its_own_output(room, start):
    full = room.out / "full.log"
    room.out.mkdir(exist_ok=True)
    full.symlink_to("/dev/full")
    daemon = start(config(room))
    for first in range(0, 100, 10):
        send(room, range(first, first + 10))
        wait_until(lambda: numbers(room, "good.log")
                   == list(range(first + 10)), "the other output's lines")
    # The counters follow when the whole batch is done.
    counts = wait_until(lambda: (m := daemon.metrics()).sum(
        "sluiced_output_lines_spilled", output="file.0") == 100 and m,
        "the spilled lines")
    assert counts.sum("sluiced_pipeline_blocked") == 0
    full.unlink()
    daemon.wait_for_messages(100)
    assert numbers(room, "full.log") == list(range(100))


def test_lines_spilled_for_a_full_disk_survive_a_kill(room, start):
    full = room.out / "full.log"
    room.out.mkdir(exist_ok=True)
    full.symlink_to("/dev/full")
    daemon = start(config(room))
    send(room, range(50))
    wait_until(lambda: len(numbers(room, "good.log")) == 50, "the lines")
    daemon.kill_tree()
    full.unlink()
    start(config(room)).wait_for_messages(50)
    assert numbers(room, "full.log") == list(range(50))
    assert numbers(room, "good.log") == list(range(50))


def test_each_matching_output_gets_one_line(room, start):
    daemon = start(service() + syslog_input(room)
                   + section("OUTPUT", "Name null", "Match none")
                   + section("OUTPUT", "Name null", "Match_Regex ^i")
                   + template("{message}", room))
    send(room, range(3))
    counts = daemon.wait_for_messages(3)
    assert counts.sum("sluiced_output_lines_total", output="null.0") == 0
    assert counts.sum("sluiced_output_lines_total", output="null.1") == 3
    assert counts.sum("sluiced_output_lines_total", output="file.2") == 3


def test_lines_that_wait_for_a_second_output_are_logged_at_the_end(
        room, start):
    """The first output counts the messages, so no message is queued."""
    bad = room.out / "bad.log"
    bad.mkdir(parents=True)
    text = (service() + syslog_input(room)
            + template("{message}", room, file="good.log")
            + template("{message}", room, file="bad.log"))
    daemon = start(text)
    send(room, range(30))
    counts = daemon.wait_for_messages(30)
    assert counts.sum("sluiced_output_lines_queued") == 30
    daemon.stop()
    assert re.search(r"level=warn mod=worker state=stopped .* queued=0"
                     r' lines_queued=30 action="', daemon.log())
    bad.rmdir()
    daemon = start(text)
    wait_until(lambda: numbers(room, "bad.log") == list(range(30)),
               "the lines that waited")
    daemon.stop()
    assert re.search(r"level=info mod=worker state=stopped .* queued=0"
                     r" lines_queued=0\n", daemon.log())
