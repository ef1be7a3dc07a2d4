# SPDX-License-Identifier: Apache-2.0
"""sluiced's own log never stops the collecting: not when nobody reads it, and
not when its disk is full or hangs."""
import fcntl
import os
import resource
import signal

import pytest

from harness.daemon import Daemon
from harness.log_file import Filed
from harness.sender import Sender, datagram
from harness.strace import Strace, thread_named, why_not
from harness.stream import numbered
from harness.wait import SAN, wait_until

REPORT = "level=warn mod=log err=\"log lines could not be written\" dropped="


class Pipe:
    """A pipe of one page."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(self.reader, False)
        self.text = b""

    def read(self):
        try:
            while got := os.read(self.reader, 65536):
                self.text += got
        except BlockingIOError:
            pass
        return self.text.decode()

    def fill(self):
        """Fill it through another file description, so that sluiced's
        description keeps its flags."""
        other = os.open(f"/proc/self/fd/{self.writer}",
                        os.O_WRONLY | os.O_NONBLOCK)
        for size in (512, 1):
            try:
                while True:
                    os.write(other, b"." * size)
            except BlockingIOError:
                pass
        os.close(other)


class Talker(Daemon):
    """A daemon whose standard error is a pipe that the test can stop
    reading."""
    is_read = True

    def __init__(self, room, config, **more):
        self.pipe = Pipe()
        super().__init__(room, config, stderr=self.pipe.writer, **more)

    def log(self):
        return self.pipe.read() if self.is_read else self.pipe.text.decode()


@pytest.fixture
def talker(room):
    daemon = Talker(room, numbered(room, template="{n}"))
    yield daemon
    daemon.kill()


def test_a_log_that_nobody_reads_stops_nothing(room, out, talker):
    """Receiving, writing, HTTP, the supervisor and the shutdown work."""
    talker.is_read = False
    talker.pipe.fill()
    with Sender(room.socket) as sender:
        sender.send(*(datagram({"n": n}) for n in range(10)))
        sender.send(b"no JSON, which is logged")
        talker.wait_for_messages(11)
        killed = talker.kill_worker()
        wait_until(lambda: talker.worker() != killed, "the next worker")
        sender.send(*(datagram({"n": n}) for n in range(10, 20)))
    counts = talker.wait_for_messages(21)
    assert out.lines()[:10] == [b"%d" % n for n in range(10)]
    assert out.lines()[-10:] == [b"%d" % n for n in range(10, 20)]
    assert counts.sum("sluiced_log_lines_dropped_total") > 0
    talker.signal(signal.SIGTERM)
    assert talker.wait() == 0


def test_dropped_log_lines_are_reported_when_the_log_is_read_again(talker):
    talker.is_read = False
    talker.pipe.fill()
    worker = talker.worker()
    talker.signal(signal.SIGHUP)  # the supervisor logs it
    # The supervisor accepts the next reload when the old worker is reaped.
    wait_until(lambda: not os.path.exists(f"/proc/{worker}"), "the reload")
    assert talker.metrics().sum("sluiced_reloads_total") == 1
    talker.is_read = True
    assert REPORT not in talker.log()
    before = talker.ready_count()
    talker.signal(signal.SIGHUP)
    talker.wait_for_worker(before)
    assert REPORT in talker.log()
    talker.signal(signal.SIGTERM)
    assert talker.wait() == 0


def test_a_worker_that_cannot_start_ends_although_nobody_reads_why(
        room, talker):
    (room.path / "sluiced.conf").write_text("nonsense\n")
    talker.is_read = False
    talker.pipe.fill()
    talker.signal(signal.SIGHUP)
    wait_until(lambda: talker.metrics().sum("sluiced_reloads_total") == 1,
               "the failed reload")
    talker.signal(signal.SIGTERM)
    assert talker.wait() == 0


def test_a_log_file_at_the_size_limit_ends_no_process(room, start):
    """The kernel sends SIGXFSZ to a process that exceeds `ulimit -f`."""
    daemon = start(numbered(room))
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE,
                     (1, resource.RLIM_INFINITY))
    daemon.stop()  # the supervisor logs it
    assert "action=stopping" not in daemon.log()


@pytest.mark.skipif(why_not() != "", reason=why_not())
def test_a_log_file_on_a_disk_that_hangs_stops_nothing(room, out):
    """The thread that writes the file is held in write(), and more lines are
    logged than may wait for it: one for each bad message."""
    daemon = Filed(room, room.path / "own.log")
    strace = None
    try:
        strace = Strace(room, thread_named(daemon.worker(), "sluiced-log"),
                        "inject=write:delay_exit=3600s:when=1")
        with Sender(room.socket) as sender:
            sender.send(*(b"no JSON" for n in range(400)))
            wait_until(strace.holds, "the thread to be held")
            sender.send(*(datagram({"n": n}) for n in range(10)))
            counts = daemon.wait_for_messages(410)
        assert out.lines()[-10:] == [b"%d" % n for n in range(10)]
        assert counts.sum("sluiced_log_lines_dropped_total") > 0
    finally:
        daemon.kill()
        if strace:
            strace.end()


def test_a_log_file_on_a_full_disk_stops_nothing(room, out, mount_disk):
    """The report of the dropped lines starts a line of its own, although the
    full disk has torn the one before."""
    disk = mount_disk(room.path / "logs", 64 << 10)
    daemon = Filed(room, disk.path / "own.log")
    try:
        filler = disk.path / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"." * 4096)
            except OSError:
                pass
        with Sender(room.socket) as sender:
            def has_dropped():
                sender.send(b"no JSON")
                return daemon.metrics().sum("sluiced_log_lines_dropped_total")
            wait_until(has_dropped, "the disk to be full")
            filler.unlink()
            sender.send(datagram({"n": 1}))
            wait_until(lambda: b"1" in out.lines(), "the line")

            def is_reported():
                sender.send(b"no JSON")
                return REPORT in daemon.log()
            wait_until(is_reported, "the report")
        daemon.stop()
        lines = daemon.log().splitlines()
        assert any(line[24:].startswith(" " + REPORT) for line in lines)
    finally:
        daemon.kill()


def remove_directory(log_file):
    log_file.unlink()
    log_file.parent.rmdir()


def make_directory(log_file):
    log_file.unlink()
    log_file.mkdir()


def make_fifo(log_file):
    log_file.unlink()
    os.mkfifo(log_file)


def make_room(log_file):
    """Nothing is at the path any more, and a file can be made there."""
    if log_file.is_dir():
        log_file.rmdir()
    log_file.unlink(missing_ok=True)
    log_file.parent.mkdir(exist_ok=True)


@pytest.mark.skipif(SAN == "thread", reason="TSan allows no thread in a fork "
                    "of a process with threads")
@pytest.mark.parametrize("spoil", [remove_directory, make_directory, make_fifo])
def test_a_log_file_that_cannot_be_opened_any_more_stops_nothing(
        room, out, spoil):
    """The next worker and the supervisor log to standard error, until SIGUSR1
    finds the file again.  Only a reload fails."""
    own = room.path / "logs" / "own.log"
    own.parent.mkdir()
    daemon = Filed(room, own)

    def errors():
        return daemon.log_path.read_text(errors="replace")
    try:
        spoil(own)
        daemon.kill_worker()
        with Sender(room.socket) as sender:
            sender.send(datagram({"n": 1}))
            daemon.wait_for_messages(1)
        assert out.lines() == [b"1"]
        for module in ("assemble", "supervisor"):
            assert (f'level=warn mod={module} err="Log_File: open {own}: '
                    in errors())
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: "reload=failed" in errors(), "the failed reload")
        assert f": [SERVICE] Log_File: open {own}: " in errors()
        make_room(own)
        daemon.signal(signal.SIGUSR1)
        wait_until(lambda: daemon.log().count("state=opened") == 2,
                   lambda: f"both processes to open the file:\n{errors()}")
        daemon.stop()
        assert "action=stopping" in daemon.log()
        assert "action=stopping" not in errors()
    finally:
        daemon.kill()
