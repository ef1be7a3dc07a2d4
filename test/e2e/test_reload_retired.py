# SPDX-License-Identifier: Apache-2.0
"""A reload removes an input, and the old worker dies before it has read the
datagrams that wait in the input's socket.  The next worker reads them.  The old
worker is stopped by SIGSTOP, so that it reads nothing."""
import os
import re
import signal
import socket

import pytest

from harness.config import lua_filter, section, service, template
from harness.daemon import is_alive, suspend
from harness.gate import Gate
from harness.namespace import free_port
from harness.reload import wait_for_reload
from harness.sender import Sender
from harness.wait import wait_until

PAUSED = "leaving datagrams in the kernel's queue"
NAMES = ("first", "gone", "udp", "more")
JOURNALS = pytest.mark.parametrize(
    "before, after", [("one", "one"), ("one", "two"), ("memory", "memory")],
    ids=["journal-stays", "journal-changes", "journal-in-memory"])


class Inputs:
    """Datagram inputs, each with a tag and a parser of its own.  Each line
    begins with the tag."""

    def __init__(self, room):
        self.room = room
        self.port = free_port(socket.SOCK_DGRAM)

    def path(self, name):
        return self.room.path / f"{name}.sock"

    def _input(self, name):
        where = [f"Path {self.path(name)}"]
        if name == "udp":
            where = ["Mode udp", "Listen 127.0.0.1", f"Port {self.port}"]
        return section("INPUT", "Name syslog", f"Tag {name}",
                       f"Parser {name}", *where)

    def config(self, *names, journal="one", lines=(), **more):
        where = ("storage.type memory" if journal == "memory"
                 else f"storage.path {self.room.path / journal}")
        return (service(where, *lines, **more)
                + "".join(section("PARSER", f"Name {name}", "Format regex",
                                  f"Regex ^{name}:(?<message>.*)$")
                          for name in NAMES)
                + "".join(map(self._input, names))
                + "".join(section("FILTER", "Name record_modifier",
                                  f"Match {name}", f"Record from {name}")
                          for name in NAMES)
                + template("{from} {message}", self.room))

    def _connected(self, name):
        """A reload may be about to make the socket."""
        senders = []

        def is_connected():
            try:
                senders.append(Sender(self.path(name)))
            except (FileNotFoundError, ConnectionRefusedError):
                return False
            return True
        wait_until(is_connected, lambda: f"a socket at {self.path(name)}")
        return senders[0]

    def send(self, name, count=3):
        """Returns the lines that must be written."""
        texts = [b"%s:%d" % (name.encode(), n) for n in range(count)]
        if name == "udp":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                for text in texts:
                    s.sendto(text, ("127.0.0.1", self.port))
        else:
            with self._connected(name) as sender:
                sender.send(*texts)
        return [text.replace(b":", b" ") for text in texts]


@pytest.fixture
def inputs(room):
    for name in ("one", "two"):
        (room.path / name).mkdir()
    return Inputs(room)


def begin_reload(daemon, text):
    """Begin a reload, and wait until the next worker has loaded its
    configuration.  It has no endpoints yet.  Returns the next worker."""
    daemon.room.write("sluiced.conf", text)
    started = daemon.log().count("state=started")
    daemon.signal(signal.SIGHUP)
    return wait_for_next(daemon, started)


def wait_for_next(daemon, started):
    wait_until(lambda: daemon.log().count("state=started") > started,
               lambda: f"the next worker:\n{daemon.log()}")
    return int(re.findall(r"worker=(\d+) state=started", daemon.log())[-1])


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), "the worker's death")


def check(daemon, out, lines):
    daemon.wait_for_messages(len(lines))
    assert sorted(out.lines()) == sorted(lines)
    assert " datagrams=" not in daemon.log(), daemon.log()


@JOURNALS
@pytest.mark.parametrize("gone", ["gone", "udp"])
def test_the_next_worker_reads_the_socket_of_a_removed_input(
        out, start, inputs, gone, before, after):
    daemon = start(inputs.config("first", gone, journal=before))
    old = daemon.worker()
    suspend(old)
    lines = inputs.send(gone) + inputs.send("first")
    begin_reload(daemon, inputs.config("first", journal=after))
    kill(old)
    wait_for_reload(daemon, "done", 1)
    check(daemon, out, lines)


def test_the_same_if_an_input_has_another_path(out, start, inputs):
    daemon = start(inputs.config("gone"))
    old = daemon.worker()
    suspend(old)
    lines = inputs.send("gone")
    begin_reload(daemon, inputs.config("more"))
    lines += inputs.send("more")
    kill(old)
    wait_for_reload(daemon, "done", 1)
    check(daemon, out, lines)


def test_the_same_if_the_path_was_replaced_and_has_a_new_socket(
        out, start, inputs):
    """Both sockets belong to the same input.  The supervisor begins the reload
    itself."""
    daemon = start(inputs.config("gone"))
    old = daemon.worker()
    suspend(old)
    lines = inputs.send("gone")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(inputs.path("more")))
    inputs.path("more").rename(inputs.path("gone"))
    wait_for_next(daemon, 1)
    kill(old)
    wait_for_reload(daemon, "done", 1)
    check(daemon, out, lines + inputs.send("gone"))


def test_the_same_if_the_next_worker_dies_too(out, start, inputs):
    daemon = start(inputs.config("first", "gone"))
    old = daemon.worker()
    suspend(old)
    lines = inputs.send("gone")
    following = begin_reload(daemon, inputs.config("first"))
    suspend(following)
    kill(old)
    wait_until(lambda: "reload=done" in daemon.log(), "the reload")
    kill(following)
    check(daemon, out, lines)


def test_the_same_with_two_reloads_in_quick_succession(out, start, inputs):
    """The second reload removes another input and brings the first back."""
    daemon = start(inputs.config("first", "gone", "udp"))
    old = daemon.worker()
    suspend(old)
    lines = inputs.send("gone") + inputs.send("udp")
    following = begin_reload(daemon, inputs.config("first", "udp"))
    suspend(following)
    kill(old)
    wait_until(lambda: "reload=done" in daemon.log(), "the first reload")
    begin_reload(daemon, inputs.config("first", "gone"))
    kill(following)
    wait_until(lambda: daemon.log().count("reload=done") == 2, "the second")
    lines += inputs.send("gone")
    check(daemon, out, lines)


def test_the_same_while_sluiced_stops(out, start, inputs):
    daemon = start(inputs.config("first", "gone"))
    old = daemon.worker()
    suspend(old)
    lines = inputs.send("gone") + inputs.send("first")
    begin_reload(daemon, inputs.config("first"))
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: "action=stopping" in daemon.log(), "the stop")
    kill(old)
    daemon.check_end()
    assert sorted(out.lines()) == sorted(lines)
    assert " datagrams=" not in daemon.log(), daemon.log()


def fill_journal(daemon, path):
    """A hook waits, so the journal fills up, and datagrams stay in the kernel.
    Returns the lines that must be written."""
    lines = []
    with Sender(path, blocking=False) as sender:
        def is_full():
            refused = sender.refused
            while sender.refused == refused:
                text = b"%d %s" % (len(lines), b"x" * 20000)
                sender.send(b"first:" + text)
                if sender.refused == refused:
                    lines.append(b"first " + text)
            return PAUSED in daemon.log()
        wait_until(is_full, "the journal to be full")
    return lines


def test_the_same_if_the_journal_is_full(room, out, start, inputs):
    """The hook of each worker waits.  The journal has no room for the next one
    either, before its hook continues."""
    gate = Gate(room)
    small = ["storage.max_size 1M", "Hook_Timeout 0"]
    hook = lua_filter(room, f"""
        function hook(tag, timestamp, record)
            if not has_waited then {gate.lua} end
            has_waited = true
            return 0, timestamp, record
        end""").replace("Match in", "Match first")
    daemon = start(inputs.config("first", "gone", lines=small) + hook)
    lines = fill_journal(daemon, inputs.path("first"))
    lines += inputs.send("gone")
    old = daemon.worker()
    begin_reload(daemon, inputs.config("first", lines=small) + hook)
    kill(old)
    gate.wait()
    wait_until(lambda: daemon.log().count(PAUSED) == 2, "the next pause")
    gate.open()
    wait_for_reload(daemon, "done", 1)
    check(daemon, out, lines)


def test_an_old_worker_that_lives_reads_the_socket_itself(
        out, start, inputs):
    daemon = start(inputs.config("first", "gone"))
    old = daemon.worker()
    suspend(old)
    lines = inputs.send("gone")
    begin_reload(daemon, inputs.config("first"))
    os.kill(old, signal.SIGCONT)
    wait_for_reload(daemon, "done", 1)
    check(daemon, out, lines)
    assert "waited in its socket" not in daemon.log()


def test_datagrams_that_no_worker_reads_before_sluiced_exits_are_logged(
        start, inputs):
    """The worker reacts to nothing until the deadline."""
    daemon = start(inputs.config("first", "gone", grace="0"))
    old = daemon.worker()
    suspend(old)
    inputs.send("gone")
    inputs.send("first", 2)
    begin_reload(daemon, inputs.config("first", grace="0"))
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 71
    daemon.has_ended = True
    for name, count in ("gone", 3), ("first", 2):
        assert (f"level=error mod=socket path={inputs.path(name)} "
                f"datagrams={count} ") in daemon.log()
