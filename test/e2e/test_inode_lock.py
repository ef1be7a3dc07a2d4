# SPDX-License-Identifier: Apache-2.0
"""A process of another user keeps the kernel's lock of one file, so that writes
to it hang.  Lines for other files are written, and the lines for this one are
written once when the lock is free."""
import os
import re
import signal
import threading
from collections import defaultdict

import pytest

from harness.config import section, service, syslog_input
from harness.inode_lock import USER, InodeLock
from harness.sender import Sender, datagram
from harness.wait import SAN, wait_until

OTHERS = b"\0" * 8191 + b"\n"  # what the other user has written

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root to act as another user")


@pytest.fixture
def lock():
    """Let another user lock a file's inode."""
    held = []

    def make(kind, path):
        held.append(InodeLock(kind, path))
        return held[-1]
    yield make
    for one in held:
        if one.process.returncode is None:
            one.end()


def config(room, *lines):
    """The first word of a message names its file."""
    return (service(f"storage.path {room.path / 'journal'}", *lines)
            + syslog_input(room)
            + section("FILTER", "Name rewrite_tag", "Match in",
                      "Rule $message ^(bad[0-9]*|good) $1.log false")
            + section("OUTPUT", "Name file", "Match *.log",
                      f"Path {room.out}", "Format template",
                      "Template {message}"))


def be_replaced(room, name="bad.log"):
    """The other user has replaced the file by one of his own."""
    path = room.out / name
    room.out.mkdir(exist_ok=True)
    path.write_bytes(OTHERS)
    path.chmod(0o666)
    os.chown(path, USER, USER)
    return path


class Traffic:
    def __init__(self, sender, out):
        self.sender = sender
        self.out = out
        self.sent = defaultdict(list)

    def send(self, name, count=1):
        for _ in range(count):
            line = b"%s %d" % (name.encode(), len(self.sent[name]))
            self.sent[name].append(line)
            self.sender.send(datagram(line.decode()))

    def are_written(self, name, files=None):
        """Zeros are what the other process has written."""
        found = b"".join(map(self.out.bytes, files or [f"{name}.log"]))
        found = found.replace(b"\0", b"")
        return found.lstrip() == b"".join(
            line + b"\n" for line in self.sent[name])

    def wait_for(self, name):
        wait_until(lambda: self.are_written(name), f"the lines of {name}")


@pytest.fixture
def begin(room, out, start):
    """Start sluiced, and a sender."""
    senders = []

    def make(*lines):
        daemon = start(config(room, *lines))
        senders.append(Sender(room.socket))
        return daemon, Traffic(senders[-1], out)
    yield make
    for sender in senders:
        sender.close()


def log_of_hang(daemon, path):
    return [line for line in daemon.log().splitlines()
            if f'path="{path}"' in line and "a write to the file hangs" in line]


@pytest.mark.parametrize("kind", ["write", "read"])
@pytest.mark.parametrize("fsync", ["never", "batch", "interval 0.1"])
def test_a_file_of_another_user_stops_no_other_file(
        room, begin, lock, kind, fsync):
    path = be_replaced(room)
    daemon, traffic = begin(f"Fsync {fsync}")
    held = lock(kind, path)
    for _ in range(3):
        traffic.send("bad", 10)
        traffic.send("good", 10)
        traffic.wait_for("good")
    wait_until(lambda: log_of_hang(daemon, path), "the log line")
    daemon.wait_for_spilled(30)
    held.end()
    traffic.wait_for("bad")
    traffic.send("bad")
    traffic.wait_for("bad")


def test_more_files_hang_than_threads_may_wait(room, begin, lock):
    names = [f"bad{n}" for n in range(10, 30)]
    held = [lock("write", be_replaced(room, f"{name}.log"))
            for name in names]
    daemon, traffic = begin()
    for _ in range(3):
        for name in names:
            traffic.send(name, 3)
        traffic.send("good")
        traffic.wait_for("good")
    daemon.wait_for_spilled(9 * len(names))
    for one in held:
        one.end()
    for name in names:
        traffic.wait_for(name)


def hang_once(daemon, traffic, lock, path):
    """The first time, nothing shows that the file is in use."""
    held = lock("read", path)
    traffic.send("bad")
    wait_until(lambda: daemon.metrics().sum("sluiced_pipeline_blocked"),
               "the write to hang")
    answer = daemon.get("/api/v1/health")
    assert answer.status == 500
    assert answer.body == f'error\na write to "{path}" hangs\n'.encode()
    assert re.search(f'mod=watchdog output=file.0 path="{path}" err="an output '
                     r'has not answered for \d+ s"', daemon.log())
    held.end()
    traffic.wait_for("bad")


def test_after_a_write_was_slow_no_other_one_stops_all_files(
        room, begin, lock):
    """The file is that of sluiced, and another user reads it."""
    daemon, traffic = begin("Health_Check On")
    traffic.send("bad", 1000)
    traffic.wait_for("bad")
    path = room.out / "bad.log"
    hang_once(daemon, traffic, lock, path)
    held = lock("read", path)
    for _ in range(3):
        traffic.send("bad", 10)
        traffic.send("good", 10)
        traffic.wait_for("good")
    held.end()
    traffic.wait_for("bad")


def test_a_file_is_renamed_while_a_write_hangs(room, begin, lock):
    """The kernel renames it when the lock is free."""
    path = be_replaced(room)
    daemon, traffic = begin()
    held = lock("write", path)
    traffic.send("bad", 10)
    daemon.wait_for_spilled(10)
    rename = threading.Thread(target=path.rename,
                              args=[room.out / "bad.log-1"])
    rename.start()
    held.end()
    rename.join()
    traffic.send("bad", 10)
    wait_until(lambda: traffic.are_written("bad", ["bad.log-1", "bad.log"]),
               "the lines in both files")


def test_a_worker_is_killed_while_a_write_hangs(room, begin, lock):
    path = be_replaced(room)
    daemon, traffic = begin()
    held = lock("write", path)
    traffic.send("bad", 10)
    daemon.wait_for_spilled(10)
    traffic.send("good")
    traffic.wait_for("good")
    ready = daemon.ready_count()
    os.kill(daemon.worker(), signal.SIGKILL)
    daemon.wait_for_worker(ready)
    traffic.send("bad", 10)
    held.end()
    traffic.wait_for("bad")


@pytest.mark.skipif("address" in SAN, reason="LeakSanitizer waits at the end "
                    "for a thread that waits in the kernel")
def test_sluiced_stops_while_a_write_hangs(room, begin, lock):
    path = be_replaced(room)
    daemon, traffic = begin()
    held = lock("write", path)
    traffic.send("bad", 10)
    daemon.wait_for_spilled(10)
    traffic.sender.close()
    daemon.stop(queued=10)
    held.end()
    daemon, later = begin()
    later.sent = traffic.sent
    later.send("bad")
    later.wait_for("bad")
