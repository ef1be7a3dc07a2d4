# SPDX-License-Identifier: Apache-2.0
"""A disk that fills, fails, waits or goes away: the sender is never refused,
and every line is there once, whole, in order, when it works again."""
import errno
import time

import pytest

from harness.config import json_filter, section, service
from harness.faults import Faults
from harness.scale import scaled
from harness.sender import Sender, datagram
from harness.strace import Strace, threads, why_not
from harness.stream import (TEMPLATE, check_files, check_numbers, numbered,
                            numbered_in_files, numbers_in)
from harness.wait import SAN, wait_until

RATE = 500 if SAN else 2000
FILLS = scaled("FILLS", 3)
# A sender that does not wait, and has room of its own for half a second.
AS_NGINX = ("-s", "32")


def is_blocked(counts):
    return counts.sum("sluiced_pipeline_blocked") == 1


def check_all_there(daemon, lines, data, timeout_s=30):
    """The sender has stopped, the disk works."""
    assert lines.refused == lines.gone == 0
    counts = daemon.settled(lines.sent, timeout_s)
    assert counts.received == counts.written == lines.sent
    check_numbers(numbers_in(data()), lines.accepted())


def take_away(path):
    """As a tailer that collects: the torn end of a file that goes away is no
    line, it will stand whole in the next one."""
    aside = path.with_suffix(".old")
    path.rename(aside)
    data = aside.read_bytes()
    aside.unlink()
    return data[:data.rfind(b"\n") + 1]


class Collector:
    """Makes room on a full disk, and keeps what it takes away."""

    def __init__(self, daemon, disk):
        self.daemon, self.disk = daemon, disk
        self.path = disk.path / "lines.log"
        self.taken = []

    def look(self):
        """How often the disk was full."""
        if (self.path.exists() and self.disk.free_bytes() < 4096
                and is_blocked(self.daemon.metrics())):
            self.taken.append(take_away(self.path))
        return len(self.taken)

    def is_done(self):
        self.look()
        return self.daemon.metrics().queued == 0

    def data(self):
        return b"".join(self.taken) + self.path.read_bytes()


def test_a_disk_that_fills_and_is_emptied_again(
        room, small_disk, start, stream):
    daemon = start(numbered(room))
    collector = Collector(daemon, small_disk)
    lines = stream(RATE, *AS_NGINX)
    wait_until(lambda: collector.look() >= FILLS, "the disk to fill",
               timeout_s=30 * FILLS)
    lines.stop()
    wait_until(collector.is_done, "the rest", 30)
    check_all_there(daemon, lines, collector.data)
    assert daemon.metrics().sum("sluiced_output_errors_total") >= FILLS


def test_a_disk_that_stays_full_for_long_costs_no_line(
        room, small_disk, start, stream):
    """Probes that a gateway's life depends on stay green meanwhile."""
    daemon = start(numbered(room))
    lines = stream(RATE, *AS_NGINX)
    wait_until(lambda: is_blocked(m := daemon.metrics())
               and m.queued >= 3 * RATE, "the disk to be full", 30)
    for probe in ("/", "/api/v1/metrics/prometheus"):
        assert daemon.get(probe).status == 200
    lines.stop()
    collector = Collector(daemon, small_disk)
    wait_until(collector.is_done, "the rest", 30)
    check_all_there(daemon, lines, collector.data)


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT", "EROFS"])
def test_a_disk_that_fails_and_recovers(room, out, start, stream, name):
    faults = Faults(room, room.out)
    daemon = start(numbered(room), env=faults.env)
    lines = stream(RATE, *AS_NGINX)
    for _ in range(3):
        received = daemon.settled(1).received
        faults.strike(3, error=getattr(errno, name))
        wait_until(lambda: daemon.metrics().received > received + 50,
                   "receiving to go on")
        faults.end()
        wait_until(lambda: not is_blocked(daemon.metrics()), "writing")
    lines.stop()
    check_all_there(daemon, lines, out.bytes)
    assert daemon.metrics().sum("sluiced_output_errors_total") >= 9


def test_writes_that_are_short_anywhere(room, out, start, stream):
    faults = Faults(room, room.out)
    daemon = start(numbered(room), env=faults.env)
    lines = stream(RATE, *AS_NGINX)
    faults.strike(100, short_every=2)
    lines.stop()
    check_all_there(daemon, lines, out.bytes)


def test_writes_that_are_short_and_a_worker_that_is_killed(
        room, start, stream, held_socket):
    """The line that is torn then is completed by the next process."""
    faults = Faults(room, room.out)
    faults.order(short_every=2)
    daemon = start(numbered_in_files(room), env=faults.env,
                   listen=held_socket)
    lines = stream(RATE, "-w", "-k", "3")
    for round in range(3 if SAN else 30):
        struck = faults.struck
        wait_until(lambda: faults.struck > struck + round % 4, "a short write")
        daemon.kill_tree()
        daemon = start(numbered_in_files(room), env=faults.env,
                       listen=held_socket)
    lines.stop()
    counts = daemon.settled(lines.sent)
    assert counts.written == counts.received == lines.sent
    check_files(room, lines.accepted(), 3)


def test_a_failing_disk_and_a_worker_that_is_killed(
        room, out, start, stream, held_socket):
    """Each life begins, fails and ends on a disk that takes half a batch."""
    faults = Faults(room, room.out)
    daemon = start(numbered(room), env=faults.env, listen=held_socket)
    lines = stream(RATE, "-w")
    for _ in range(3 if SAN else 10):
        wait_until(lambda: daemon.metrics().written > 0, "lines")
        faults.strike(1, short_every=1)
        faults.strike(1, error=errno.EIO, short_every=1)
        daemon.kill_tree()
        daemon = start(numbered(room), env=faults.env, listen=held_socket)
        faults.strike(1, error=errno.ENOSPC)
        daemon.kill_worker()
        faults.end()
    lines.stop()
    check_all_there(daemon, lines, out.bytes)


def test_writes_that_take_two_seconds(room, out, start, stream):
    faults = Faults(room, room.out)
    daemon = start(numbered(room), env=faults.env)
    lines = stream(RATE, *AS_NGINX)
    wait_until(lambda: daemon.metrics().written > 0, "lines")
    asked = time.monotonic()
    faults.strike(2, delay_ms=2000)
    assert daemon.metrics().received > 0
    assert time.monotonic() - asked < 4, "HTTP waits for the disk"
    faults.end()
    lines.stop()
    check_all_there(daemon, lines, out.bytes)


def test_a_directory_that_becomes_read_only(
        room, out, mount_disk, start, stream):
    """Another file system, empty and read-only, is mounted over it."""
    daemon = start(numbered(room))
    lines = stream(RATE, *AS_NGINX)
    wait_until(lambda: daemon.metrics().written > 0, "lines")
    errors = daemon.metrics().sum("sluiced_output_errors_total")
    cover = mount_disk(room.out, 1 << 20)
    cover.read_only(True)
    wait_until(lambda: (m := daemon.metrics()).queued > RATE // 2
               and m.sum("sluiced_output_errors_total") >= errors + 3, "it to fail")
    cover.unmount()
    lines.stop()
    check_all_there(daemon, lines, out.bytes)


def test_a_directory_that_is_taken_away_again_and_again(
        room, out, start, stream):
    """Whoever takes it finds whole lines in it, and the rest is in the next
    one."""
    daemon = start(numbered(room))
    lines = stream(RATE, *AS_NGINX)
    path = room.out / "lines.log"
    for turn in range(5):
        wait_until(lambda: path.exists() and path.stat().st_size > 100000,
                   "lines")
        room.out.rename(room.disk / f"taken-{turn}")
    lines.stop()
    daemon.settled(lines.sent)

    def taken():
        return b"".join((room.disk / f"taken-{turn}/lines.log").read_bytes()
                        for turn in range(5)) + out.bytes()
    check_all_there(daemon, lines, taken)


@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize("fsync, wanted", [
    ("never", 0), ("batch", 3), ("interval 3600", 0), ("interval 0.001", 3)])
def test_fsync_as_it_is_configured(room, start, fsync, wanted):
    daemon = start(numbered(room, f"Fsync {fsync}", template="{n}"))
    strace = Strace(room, threads(daemon.worker())[1], "trace=fsync,fdatasync")
    with Sender(room.socket) as sender:
        for batch in range(1, 4):
            sender.send(datagram({"n": batch}))
            daemon.settled(batch)
    strace.end()
    synced = [call for call in strace.calls() if "sync(" in call]
    assert len(synced) >= wanted if wanted else synced == []


# --- one file that cannot be written

def kept_and_rewritten(room, *service_lines):
    """As the seed has it: `Match *` without a path also writes the record
    that rewrite_tag kept, into a file that is called as its tag, kube.*, in
    the working directory."""
    return (service(*service_lines, flush="0.02")
            + section("INPUT", "Name syslog", "Tag kube.*",
                      f"Path {room.socket}")
            + json_filter().replace("Match in", "Match kube.*")
            + section("FILTER", "Name rewrite_tag", "Match kube.*",
                      f"Rule $vhost ^(.*)$ {room.out}/lines.log true")
            + section("OUTPUT", "Name file", "Match *", "Format template",
                      f"Template {TEMPLATE}"))


@pytest.fixture
def read_only_cwd(room, mount_disk):
    disk = mount_disk(room.path / "cwd", 32 << 20)
    disk.read_only(True)
    return disk


def count_of(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_a_file_that_cannot_be_written_costs_the_other_nothing(
        room, read_only_cwd, start, stream, held_socket, killed):
    """Its own lines are set aside, and appended when it works."""
    good, kept = room.out / "lines.log", read_only_cwd.path / "kube.*"
    how = dict(listen=held_socket, cwd=read_only_cwd.path)
    daemon = start(kept_and_rewritten(room), **how)
    lines = stream(2000, "-w", count=2000)
    for turn in range(5 * killed):
        wait_until(lambda: count_of(good) > 200 * turn, "lines")
        daemon.kill_tree()
        daemon = start(kept_and_rewritten(room), **how)
    lines.wait()
    wait_until(lambda: count_of(good) >= lines.sent, "the good file's lines")
    check_numbers(numbers_in(good.read_bytes()), lines.accepted())
    daemon.metrics().check_laws()
    assert not kept.exists()
    read_only_cwd.read_only(False)
    wait_until(lambda: count_of(kept) >= lines.sent, "the spilled lines", 20)
    check_numbers(numbers_in(kept.read_bytes()), lines.accepted())
    daemon.settled(lines.sent)


def test_a_spill_has_an_end(room, read_only_cwd, start, stream):
    """What it cannot take is given up and counted; the other file has all."""
    good, kept = room.out / "lines.log", read_only_cwd.path / "kube.*"
    daemon = start(kept_and_rewritten(room, "storage.spill_size 1M"),
                   cwd=read_only_cwd.path)
    lines = stream(2000, *AS_NGINX, count=5000).wait()
    wait_until(lambda: count_of(good) >= lines.sent, "the good file's lines")
    check_numbers(numbers_in(good.read_bytes()), lines.accepted())

    def given_up():
        return daemon.metrics().sum("sluiced_output_lines_dropped_total",
                                    reason="write_failed")
    wait_until(given_up, "lines to be given up")
    daemon.metrics().check_laws()
    read_only_cwd.read_only(False)
    wait_until(lambda: daemon.metrics().sum("sluiced_output_lines_queued") == 0,
               "the spilled lines", 20)
    numbers = numbers_in(kept.read_bytes())
    assert numbers == sorted(set(numbers)), "twice, or not in order"
    assert len(numbers) + given_up() == lines.sent
    daemon.settled(lines.sent)


def test_a_spill_that_is_full_leaves_dead_letters(room, out, start, stream):
    """Here the line that cannot be written is the message's only one."""
    letters = room.path / "letters"
    daemon = start(numbered(room, "storage.spill_size 1M",
                            f"Dead_Letter {letters}"))
    (room.out / "lines.log").mkdir(parents=True)
    lines = stream(2000, *AS_NGINX, count=5000).wait()
    wait_until(lambda: (m := daemon.metrics()).received == lines.sent
               and m.dead_lettered > 0, "dead letters", 20)
    daemon.metrics().check_laws()
    (room.out / "lines.log").rmdir()
    counts = daemon.settled(lines.sent)
    assert counts.written + counts.dead_lettered == lines.sent
    numbers = numbers_in(out.bytes())
    assert numbers == sorted(set(numbers)) and len(numbers) == counts.written
    assert letters.read_bytes().count(b'"reason":"write_failed"') \
        == counts.dead_lettered
