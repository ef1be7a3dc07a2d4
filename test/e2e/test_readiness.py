# SPDX-License-Identifier: Apache-2.0
"""A pod becomes ready when its outputs have taken a write, and stays so."""
import os
import select
import signal

import pytest

from harness.config import file_output, section, service, syslog_input
from harness.faults import Faults
from harness.sender import Sender, datagram
from harness.wait import wait_until

READINESS = "/api/v1/metrics/prometheus"
LIVENESS = ("/", "/api/v1/health", "/metrics")


def is_ready(daemon):
    return daemon.get(READINESS).status == 200


def is_alive(daemon):
    return all(daemon.get(path).status == 200 for path in LIVENESS)


def gateway(room, *lines):
    return (service("Health_Check On", "HC_Errors_Count 1000000")
            + syslog_input(room) + file_output(room, *lines))


def test_a_pod_whose_outputs_work_is_ready_and_leaves_nothing_behind(
        room, out, start):
    daemon = start(gateway(room))
    wait_until(lambda: is_ready(daemon), "readiness")
    assert "mod=output_probe state=ready test_writes=1" in daemon.log()
    assert out.files() == []


@pytest.mark.parametrize("args", [(), ("--no-supervisor",)])
def test_a_pod_whose_output_is_not_writable_is_not_ready(
        room, out, start, args):
    """It receives all the same, and becomes ready when the output can be
    written."""
    room.out.write_text("a file, where a directory should be")
    daemon = start(gateway(room), args=args)
    answer = daemon.get(READINESS)
    assert answer.status == 503
    reason = f"create a file in {room.out}/: Not a directory"
    assert answer.body.decode() == f"not ready: {reason}\n"
    assert answer.headers["Content-Type"] == "text/plain"
    assert f'level=error mod=output_probe err="{reason}"' in daemon.log()
    assert is_alive(daemon)
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))
    wait_until(lambda: daemon.metrics().received == 1, "the message")
    room.out.unlink()
    wait_until(lambda: is_ready(daemon), "readiness")
    daemon.wait_for_messages(1)
    assert len(out.lines()) == 1


def test_the_directory_of_the_tags_counts_if_an_output_has_no_path(
        room, start):
    """As in the published configuration, the tag is the whole path."""
    room.out.write_text("a file, where a directory should be")
    daemon = start(service() + syslog_input(room)
                   + section("FILTER", "Name rewrite_tag", "Match in",
                             f"Rule $ident ^(.*)$ {room.out}/$ident.log false")
                   + section("OUTPUT", "Name file", "Match *"))
    answer = daemon.get(READINESS)
    assert answer.status == 503
    assert f"create a file in {room.out}/: ".encode() in answer.body
    room.out.unlink()
    wait_until(lambda: is_ready(daemon), "readiness")
    assert list(room.out.iterdir()) == []


def test_a_pod_that_was_ready_stays_so(room, out, start):
    """Not even a new worker tries the outputs again."""
    daemon = start(gateway(room))
    wait_until(lambda: is_ready(daemon), "readiness")
    room.out.rmdir()
    room.out.write_text("a file, where a directory should be")
    assert is_ready(daemon)
    before = daemon.ready_count()
    daemon.signal(signal.SIGHUP)
    daemon.wait_for_worker(before)
    assert is_ready(daemon)
    daemon.kill_worker()
    daemon.wait_for_worker(before + 1)
    assert is_ready(daemon)
    room.out.unlink()


def test_an_output_that_hangs_stops_neither_receiving_nor_the_end(
        room, out, start):
    faults = Faults(room, room.out)
    faults.order(hold=True)
    daemon = start(gateway(room), env=faults.env, outputs_hang=True)
    wait_until(lambda: faults.held == 1, "the first write to hang")
    answer = daemon.get(READINESS)
    assert answer.status == 503
    assert (answer.body
            == b"not ready: the first write to the outputs has not ended\n")
    assert is_alive(daemon)
    daemon.stop()
    daemon = start(gateway(room), env=faults.env, outputs_hang=True)
    with Sender(room.socket) as sender:
        sender.send(datagram("x"))
    wait_until(lambda: daemon.metrics().received == 1, "the message")
    faults.end()
    wait_until(lambda: is_ready(daemon), "readiness")
    daemon.wait_for_messages(1)
    assert len(out.lines("*.log")) == 1
    for rest in room.out.glob(".sluiced-probe-*"):
        rest.unlink()  # of the daemon that ended while its write hung


def test_a_disk_that_is_full_or_read_only_is_not_ready(
        room, out, start, small_disk):
    small_disk.read_only(True)
    daemon = start(gateway(room))
    assert b"Read-only file system" in daemon.get(READINESS).body
    small_disk.read_only(False)
    wait_until(lambda: is_ready(daemon), "readiness")
    daemon.stop()
    with open(room.out / "filler", "wb") as f:
        f.write(b"x" * small_disk.free_bytes())
    daemon = start(gateway(room))
    assert b"No space left on device" in daemon.get(READINESS).body
    (room.out / "filler").unlink()
    wait_until(lambda: is_ready(daemon), "readiness")
    assert out.files() == []


def test_every_output_must_have_taken_a_write(room, start):
    second = room.disk / "second"
    second.write_text("a file")
    daemon = start(gateway(room) + section(
        "OUTPUT", "Name file", "Match *", f"File {second}/absolute.log")
        + section("OUTPUT", "Name null", "Match *"))
    assert str(second) in daemon.get(READINESS).body.decode()
    second.unlink()
    wait_until(lambda: is_ready(daemon), "readiness")


@pytest.mark.parametrize("lines, is_good", [
    (("Path /dev", "File null"), True),
    (("File /dev/null",), True),
    (("Path /proc",), False),
    (("Path /tmp/sluiced-is-not-made/there", "Mkdir off"), False),
])
def test_an_output_with_one_file_needs_only_that_file(
        room, start, lines, is_good):
    daemon = start(service() + syslog_input(room)
                   + section("OUTPUT", "Name file", "Match *", *lines))
    if is_good:
        wait_until(lambda: is_ready(daemon), "readiness")
    else:
        assert not is_ready(daemon)


@pytest.mark.parametrize("follow", ["off", "on"])
def test_a_symlink_in_place_of_the_file_is_followed_only_on_request(
        room, start, follow):
    """The reader of a FIFO notices that somebody opened it for writing."""
    fifo = room.path / "fifo"
    os.mkfifo(fifo)
    room.out.mkdir()
    (room.out / "lines.log").symlink_to(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    daemon = start(gateway(room, f"Follow_Symlinks {follow}"))
    wait_until(lambda: is_ready(daemon), "readiness")
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    was_opened = poll.poll(0) != []
    os.close(reader)
    assert was_opened == (follow == "on")


def test_without_a_file_output_a_pod_is_ready(room, start):
    daemon = start(service() + syslog_input(room)
                   + section("OUTPUT", "Name null", "Match *"))
    wait_until(lambda: is_ready(daemon), "readiness")
