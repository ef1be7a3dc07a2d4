# SPDX-License-Identifier: Apache-2.0
"""A disk that fills, fails, hangs or vanishes: receiving continues, and when
the disk works again every line is written once, whole and in order.

The senders wait until the kernel accepts a line, so that no test depends on how
soon sluiced gets the CPU.  If receiving stopped, the sender would hang."""
import errno
import os
import re

import pytest

from harness.config import json_filter, section, service
from harness.faults import Faults
from harness.scale import scaled
from harness.sender import Sender, datagram
from harness.strace import Strace, thread_named, why_not
from harness.stream import (TEMPLATE, check_files, check_numbers, numbered,
                            numbered_in_files, numbers_in)
from harness.wait import SAN, wait_until

RATE = 500 if SAN else 2000
FILLS = scaled("FILLS", 3)


def is_blocked(counts):
    return counts.sum("sluiced_pipeline_blocked") == 1


def check_all_lines(daemon, lines, data):
    """To be called when the sender has stopped and the disk works."""
    assert lines.refused == lines.gone == 0
    counts = daemon.wait_for_messages(lines.sent)
    assert counts.received == counts.written == lines.sent
    check_numbers(numbers_in(data()), lines.accepted())


def take_away(path):
    """Remove the file, as a collecting tailer does, and return its whole lines.
    If the last line is torn, sluiced writes it again in the next file."""
    aside = path.with_suffix(".old")
    path.rename(aside)
    data = aside.read_bytes()
    aside.unlink()
    return data[:data.rfind(b"\n") + 1]


class Collector:
    """Makes room on a full disk, and keeps the lines that it removes."""

    def __init__(self, daemon, disk):
        self.daemon, self.disk = daemon, disk
        self.path = disk.path / "lines.log"
        self.taken = []

    def look(self):
        """Make room if the disk is full.  Returns how often it was full."""
        if (self.path.exists() and self.disk.free_bytes() < 4096
                and is_blocked(self.daemon.metrics())):
            self.taken.append(take_away(self.path))
        return len(self.taken)

    def is_done(self):
        self.look()
        return self.daemon.metrics().queued == 0

    def data(self):
        return b"".join(self.taken) + self.path.read_bytes()


def test_no_line_is_lost_when_the_disk_fills_and_is_emptied_again(
        room, small_disk, start, stream):
    daemon = start(numbered(room))
    collector = Collector(daemon, small_disk)
    lines = stream(RATE, "-w")
    for fill in range(FILLS):
        wait_until(lambda: collector.look() > fill, "the disk to fill")
    lines.stop()
    wait_until(collector.is_done, "the rest of the lines")
    check_all_lines(daemon, lines, collector.data)
    assert daemon.metrics().sum("sluiced_output_errors_total") >= FILLS


def test_no_line_is_lost_while_the_disk_stays_full(
        room, small_disk, start, stream):
    """Meanwhile the probes, on which the gateway's life depends, succeed."""
    daemon = start(numbered(room))
    lines = stream(RATE, "-w")
    wait_until(lambda: is_blocked(m := daemon.metrics())
               and m.queued >= 3 * RATE, "the disk to be full")
    for probe in ("/", "/api/v1/metrics/prometheus"):
        assert daemon.get(probe).status == 200
    lines.stop()
    collector = Collector(daemon, small_disk)
    wait_until(collector.is_done, "the rest of the lines")
    check_all_lines(daemon, lines, collector.data)


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT", "EROFS"])
def test_no_line_is_lost_when_the_disk_fails_and_recovers(
        room, out, start, stream, name):
    faults = Faults(room, room.out)
    daemon = start(numbered(room), env=faults.env)
    lines = stream(RATE, "-w")
    for _ in range(3):
        written = daemon.metrics().written
        received = wait_until(
            lambda: (m := daemon.metrics()).written > written and m,
            "more lines").received
        # The writes of the disk probe (file/disk_probe.h) fail, too.
        faults.strike(6, error=getattr(errno, name))
        wait_until(lambda: daemon.metrics().received > received + 50,
                   "receiving to continue")
        faults.end()
        wait_until(lambda: not is_blocked(daemon.metrics()), "writing")
    lines.stop()
    check_all_lines(daemon, lines, out.bytes)
    assert daemon.metrics().sum("sluiced_output_errors_total") >= 9


def test_no_line_is_lost_when_writes_are_short(room, out, start, stream):
    faults = Faults(room, room.out)
    daemon = start(numbered(room), env=faults.env)
    lines = stream(RATE, "-w")
    faults.strike(100, short_every=2)
    lines.stop()
    check_all_lines(daemon, lines, out.bytes)


def test_no_line_is_lost_by_short_writes_and_kills(
        room, start, stream, held_socket):
    """The next process completes the line that a kill has torn."""
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
    counts = daemon.wait_for_messages(lines.sent)
    assert counts.written == counts.received == lines.sent
    check_files(room, lines.accepted(), 3)


def test_no_line_is_lost_by_a_failing_disk_and_kills(
        room, out, start, stream, held_socket):
    """Each process starts, fails and is killed on a disk that accepts half a
    batch."""
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
    check_all_lines(daemon, lines, out.bytes)


def test_receiving_and_http_continue_while_a_write_hangs(
        room, out, start, stream):
    faults = Faults(room, room.out)
    daemon = start(numbered(room), env=faults.env)
    lines = stream(RATE, "-w")
    wait_until(lambda: daemon.metrics().written > 0, "lines")
    for _ in range(2):
        faults.order(hold=True)
        wait_until(lambda: faults.held, "a write to hang")
        received = daemon.metrics().received
        wait_until(lambda: daemon.metrics().received > received + 50,
                   "receiving to continue")
        assert faults.held
        faults.end()
        wait_until(lambda: not faults.held, "the write to continue")
    lines.stop()
    check_all_lines(daemon, lines, out.bytes)


def test_an_output_that_does_not_answer_counts_as_blocked(
        room, out, start, stream):
    """When the journal is full, datagrams are dropped and counted."""
    faults = Faults(room, room.out)
    daemon = start(numbered(room, "Health_Check On", "storage.max_size 1M"),
                   env=faults.env)
    lines = stream(RATE, "-w")
    wait_until(lambda: daemon.metrics().written > 0, "lines")

    def health():
        return {daemon.get(f"/api/v{n}/health").status for n in (1, 2)}
    faults.order(hold=True)
    wait_until(lambda: is_blocked(daemon.metrics()), "the output to be blocked")
    assert health() == {500}
    wait_until(lambda: re.search(
        r'level=error mod=watchdog output=file\.0 path="\S+/lines\.log" '
        r'err="an output has not answered for [0-9]+ s" action="',
        daemon.log()), "the log")
    for _ in range(2):
        dropped = daemon.metrics().dropped("journal_full")
        wait_until(lambda: daemon.metrics().dropped("journal_full") > dropped,
                   "datagrams to be dropped")
        daemon.metrics().check_accounting_equation()
    assert faults.held and is_blocked(daemon.metrics())
    faults.end()
    wait_until(lambda: not is_blocked(daemon.metrics()) and health() == {200},
               "writing")
    wait_until(lambda: "level=info mod=watchdog output=file.0 state=answered"
               in daemon.log(), "the log")
    lines.stop()
    counts = daemon.wait_for_messages(lines.sent)
    assert counts.received == lines.sent
    assert counts.written + counts.dropped("journal_full") == lines.sent
    numbers = numbers_in(out.bytes())
    assert numbers == sorted(set(numbers)) and len(numbers) == counts.written


def test_no_line_is_lost_on_a_full_disk_that_rejects_large_writes_only(
        room, out, ext4_disk, start, stream):
    """A small write still fits, so the disk is full, not the file bad."""
    ext4_disk.fill()
    daemon = start(numbered(room, "storage.spill_size 1M"))
    lines = stream(20000, "-w", count=20000).wait()  # -w: none is refused
    wait_until(lambda: (m := daemon.metrics()).received == lines.sent
               and (is_blocked(m) or m.dropped()), "the disk to reject writes")
    assert daemon.metrics().dropped() == 0
    ext4_disk.empty()
    check_all_lines(daemon, lines, out.bytes)


def test_no_line_is_lost_when_the_directory_becomes_read_only(
        room, out, mount_disk, start, stream):
    """The test mounts an empty read-only file system over the directory."""
    daemon = start(numbered(room))
    lines = stream(RATE, "-w")
    wait_until(lambda: daemon.metrics().written > 0, "lines")
    errors = daemon.metrics().sum("sluiced_output_errors_total")
    cover = mount_disk(room.out, 1 << 20, is_read_only=True)
    wait_until(lambda: (m := daemon.metrics()).queued > RATE // 2
               and m.sum("sluiced_output_errors_total") >= errors + 3,
               "writing to fail")
    cover.unmount()
    lines.stop()
    check_all_lines(daemon, lines, out.bytes)


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed"])
def test_no_line_is_lost_when_no_file_of_a_read_only_disk_can_be_opened(
        room, small_disk, start, stream, held_socket, killed):
    """The spill is small.  What it cannot take stays in the journal."""
    config = numbered_in_files(room, "storage.spill_size 1M")
    small_disk.read_only(True)
    daemon = start(config, listen=held_socket)
    lines = stream(2000, "-w", "-k", "3", count=5000)  # -w: none is refused
    if killed:
        wait_until(lambda: is_blocked(daemon.metrics()), "the disk to reject")
        daemon.kill_tree()
        daemon = start(config, listen=held_socket)
    lines.wait()
    wait_until(lambda: is_blocked(m := daemon.metrics())
               and m.queued == lines.sent, "all lines to wait")
    small_disk.grow(64 << 20)
    counts = daemon.wait_for_messages(lines.sent)
    assert counts.received == counts.written == lines.sent
    check_files(room, lines.accepted(), 3)


def test_no_line_is_lost_when_the_directory_is_renamed_again_and_again(
        room, out, start, stream):
    """The renamed directory has whole lines, and the rest is in the new
    one."""
    daemon = start(numbered(room))
    lines = stream(RATE, "-w")
    path = room.out / "lines.log"
    for turn in range(5):
        wait_until(lambda: path.exists() and path.stat().st_size > 100000,
                   "lines")
        room.out.rename(room.disk / f"taken-{turn}")
    lines.stop()
    daemon.wait_for_messages(lines.sent)

    def taken():
        return b"".join((room.disk / f"taken-{turn}/lines.log").read_bytes()
                        for turn in range(5)) + out.bytes()
    check_all_lines(daemon, lines, taken)


@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize("fsync, wanted", [
    ("never", 0), ("batch", 3), ("interval 3600", 0), ("interval 0.001", 3)])
def test_sluiced_syncs_files_as_often_as_configured(
        room, start, fsync, wanted):
    daemon = start(numbered(room, f"Fsync {fsync}", template="{n}"))
    strace = Strace(room, thread_named(daemon.worker(), "pipeline"),
                    "trace=fsync,fdatasync")
    with Sender(room.socket) as sender:
        for batch in range(1, 4):
            sender.send(datagram({"n": batch}))
            daemon.wait_for_messages(batch)

    def syncs():
        return [call for call in strace.calls() if "sync(" in call]
    wait_until(lambda: len(syncs()) >= wanted, f"{wanted} syncs")
    strace.end()
    assert wanted or syncs() == []


# --- one file that cannot be written

def send_to(room, *names):
    """Send a line for each file."""
    with Sender(room.socket) as sender:
        for name in names:
            sender.send(datagram({"n": 1, "pad": "x" * 640, "to": name}))


def check_that_others_are_written(room, daemon, bad):
    """A line for a good file is written after lines for bad ones."""
    send_to(room, "good", *bad, "good")
    good = room.out / "good.log"
    wait_until(lambda: count_of(good) == 2, "the good file's lines")
    send_to(room, *bad, "good")
    wait_until(lambda: count_of(good) == 3, "another line")
    assert not is_blocked(daemon.metrics())
    daemon.metrics().check_accounting_equation()


def test_a_client_that_exhausts_the_inodes_does_not_block_other_files(
        room, mount_disk, start):
    disk = mount_disk(room.out, 32 << 20, inodes=8)
    daemon = start(numbered_in_files(room))
    bad = [f"vhost-{n}/log" for n in range(20)]
    check_that_others_are_written(room, daemon, bad)
    assert os.statvfs(disk.path).f_ffree == 0
    disk.allow_inodes(1000)
    daemon.wait_for_messages(3 + 2 * len(bad))


def test_a_link_to_a_full_device_does_not_block_other_files(room, start):
    room.out.mkdir()
    (room.out / "bad.log").symlink_to("/dev/full")
    daemon = start(numbered_in_files(room).replace(
        f"Path {room.out}", f"Path {room.out}\n    Follow_Symlinks On"))
    check_that_others_are_written(room, daemon, ["bad"])
    (room.out / "bad.log").unlink()
    daemon.wait_for_messages(5)


def kept_and_rewritten(room, *service_lines):
    """As in the published configuration: an output with `Match *` and without
    a path also writes the record that rewrite_tag kept.  It uses a file in the
    working directory that is named like the tag, kube.*."""
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
def test_a_file_that_cannot_be_written_does_not_delay_the_other(
        room, read_only_cwd, start, stream, held_socket, killed):
    """Its own lines are spilled, and appended when it can be written.  Each
    process writes lines before it is killed: a message at which several
    processes in a row are killed is set aside."""
    good, kept = room.out / "lines.log", read_only_cwd.path / "kube.*"
    how = dict(listen=held_socket, cwd=read_only_cwd.path)
    daemon = start(kept_and_rewritten(room), **how)
    lines = stream(2000, "-w", count=2000)
    before = 0  # lines, when the last process was killed
    for turn in range(5 * killed):
        wait_until(lambda: count_of(good) > min(max(200 * turn, before), 1999),
                   "lines")
        daemon.kill_tree()
        before = count_of(good)
        daemon = start(kept_and_rewritten(room), **how)
    lines.wait()
    wait_until(lambda: count_of(good) >= lines.sent, "the good file's lines")
    check_numbers(numbers_in(good.read_bytes()), lines.accepted())
    daemon.metrics().check_accounting_equation()
    assert not kept.exists()
    read_only_cwd.read_only(False)
    wait_until(lambda: count_of(kept) >= lines.sent, "the spilled lines")
    check_numbers(numbers_in(kept.read_bytes()), lines.accepted())
    daemon.wait_for_messages(lines.sent)


def test_a_full_spill_drops_lines_of_its_file_only(
        room, read_only_cwd, start, stream):
    """The lines for which the spill has no room are dropped and counted.  The
    other file has all lines."""
    good, kept = room.out / "lines.log", read_only_cwd.path / "kube.*"
    daemon = start(kept_and_rewritten(room, "storage.spill_size 1M"),
                   cwd=read_only_cwd.path)
    lines = stream(2000, "-w", count=5000).wait()
    wait_until(lambda: count_of(good) >= lines.sent, "the good file's lines")
    check_numbers(numbers_in(good.read_bytes()), lines.accepted())

    def dropped():
        return daemon.metrics().sum("sluiced_output_lines_dropped_total",
                                    reason="write_failed")
    wait_until(dropped, "lines to be dropped")
    daemon.metrics().check_accounting_equation()
    read_only_cwd.read_only(False)
    wait_until(lambda: daemon.metrics().sum("sluiced_output_lines_queued") == 0,
               "the spilled lines")
    numbers = numbers_in(kept.read_bytes())
    assert numbers == sorted(set(numbers)), "doubled or not in order"
    assert len(numbers) + dropped() == lines.sent
    daemon.wait_for_messages(lines.sent)


def test_a_full_spill_leaves_dead_letters(room, out, start, stream):
    """Here the line that cannot be written is the only line of its
    message."""
    letters = room.path / "letters"
    daemon = start(numbered(room, "storage.spill_size 1M",
                            f"Dead_Letter {letters}"))
    (room.out / "lines.log").mkdir(parents=True)
    lines = stream(2000, "-w", count=5000).wait()
    wait_until(lambda: (m := daemon.metrics()).received == lines.sent
               and m.dead_lettered > 0, "dead letters")
    daemon.metrics().check_accounting_equation()
    (room.out / "lines.log").rmdir()
    counts = daemon.wait_for_messages(lines.sent)
    assert counts.written + counts.dead_lettered == lines.sent
    numbers = numbers_in(out.bytes())
    assert numbers == sorted(set(numbers)) and len(numbers) == counts.written
    assert letters.read_bytes().count(b'"reason":"write_failed"') \
        == counts.dead_lettered
