# SPDX-License-Identifier: Apache-2.0
"""A process of another user keeps the kernel's lock of one file, so that writes
to it hang.  All outputs wait, as for a disk that hangs.  sluiced receives
meanwhile, names the file, and writes each line once when the lock is free."""
import os
import re

import pytest

from harness.config import section, service, syslog_input
from harness.inode_lock import USER, InodeLock, has_userfaultfd
from harness.sender import Sender, datagram
from harness.wait import wait_until

OTHERS = b"\0" * 8191 + b"\n"  # what the other user has written

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0,
                       reason="needs root to act as another user"),
    pytest.mark.skipif(not has_userfaultfd(),
                       reason="the kernel does not allow userfaultfd()")]


def config(room):
    """The first word of a message names its file."""
    return (service("Health_Check On")
            + syslog_input(room)
            + section("FILTER", "Name rewrite_tag", "Match in",
                      "Rule $message ^(bad|good) $1.log false")
            + section("OUTPUT", "Name file", "Match *.log",
                      f"Path {room.out}", "Format template",
                      "Template {message}"))


def be_replaced(path):
    """The other user has replaced the file by one of his own."""
    path.write_bytes(OTHERS)
    path.chmod(0o666)
    os.chown(path, USER, USER)


def lines_of(path):
    """Zeros are what the other process has written."""
    return path.read_bytes().replace(b"\0", b"").split()


@pytest.mark.parametrize("kind", ["write", "read"])
def test_a_file_that_another_user_locks_is_named(
        room, ext4_disk, start, kind):
    """Not each file system locks an inode for a read."""
    bad, good = room.out / "bad.log", room.out / "good.log"
    daemon = start(config(room))
    with Sender(room.socket) as sender:
        if kind == "write":
            be_replaced(bad)
        else:
            sender.send(*(datagram(f"bad{n}") for n in range(1000)))
            daemon.wait_for_messages(1000)
        before = daemon.metrics().received
        held = InodeLock(kind, bad)
        try:
            sender.send(datagram("bad-1"), datagram("good-1"))
            wait_until(lambda: daemon.metrics().sum("sluiced_pipeline_blocked"),
                       "the write to hang")
            sender.send(datagram("bad-2"), datagram("good-2"))
            wait_until(lambda: daemon.metrics().received == before + 4,
                       "the messages to be received")
            answer = daemon.get("/api/v1/health")
            assert answer.status == 500
            assert answer.body == f'error\na write to "{bad}" hangs\n'.encode()
            assert re.search(
                f'mod=watchdog output=file.0 path="{bad}" err="an output has '
                r'not answered for \d+ s"', daemon.log())
        finally:
            held.end()
        daemon.wait_for_messages(before + 4)
    assert lines_of(bad)[-2:] == [b"bad-1", b"bad-2"]
    assert lines_of(good) == [b"good-1", b"good-2"]
    assert len(lines_of(bad)) == before + 2
    assert daemon.get("/api/v1/health").status == 200
