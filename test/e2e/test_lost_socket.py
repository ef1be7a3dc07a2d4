# SPDX-License-Identifier: Apache-2.0
"""The path of an input's socket no longer leads to it, or the socket that an
input needs now cannot be opened.  The old socket must stay in use as long as
there is no other: its connected senders still send to it."""
import signal
import socket

import pytest

from harness.config import section
from harness.inputs import config, network_input
from harness.namespace import free_port
from harness.reload import wait_for_reload
from harness.wait import wait_until

LOST = 'err="somebody removed the socket" action="opening a new socket'
KEPT = "this input's old socket"
MODES = pytest.mark.parametrize("mode, kind", [
    ("unix_udp", socket.SOCK_DGRAM), ("unix_tcp", socket.SOCK_STREAM)])


class Place:
    """The directory of the socket, which can go away and come back."""

    def __init__(self, room, mode, kind):
        self.dir = room.path / "run"
        self.away = room.path / "away"
        self.path = self.dir / "access.sock"
        self.kind = kind
        self.dir.mkdir()
        self.text = config(room, section(
            "INPUT", "Name syslog", "Tag a", f"Path {self.path}",
            f"Mode {mode}", "Parser all"))

    def connected(self):
        s = socket.socket(socket.AF_UNIX, self.kind)
        s.connect(str(self.path))
        return s

    def lose(self, daemon):
        lost = daemon.log().count(LOST)
        self.dir.rename(self.away)
        wait_until(lambda: daemon.log().count(LOST) > lost, "the loss")

    def come_back(self):
        self.away.rename(self.dir)


@pytest.fixture
def place(room, mode, kind):
    return Place(room, mode, kind)


def reload(daemon):
    """A reload that fails ends the test at once."""
    done = daemon.log().count("reload=done")
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: daemon.log().count("reload=done") > done
               or "reload=failed" in daemon.log(), "the reload")
    assert "reload=failed" not in daemon.log(), daemon.log()
    wait_for_reload(daemon, "done", done + 1)


def kill_worker(daemon):
    ready = daemon.ready_count()
    daemon.kill_worker()
    daemon.wait_for_worker(ready)


@MODES
def test_a_socket_whose_directory_comes_back_is_used_again(
        room, out, start, place):
    daemon = start(place.text)
    for turn in range(2):
        with place.connected() as old:
            place.lose(daemon)
            place.come_back()
            reload(daemon)
            old.send(b"old\n")
            daemon.wait_for_messages(2 * turn + 1)
        kill_worker(daemon)
        with place.connected() as new:
            new.send(b"new\n")
            daemon.wait_for_messages(2 * turn + 2)
    assert sorted(out.lines()) == [b"new", b"new", b"old", b"old"]
    assert KEPT not in daemon.log()
    daemon.stop()
    assert list(place.dir.iterdir()) == []


@MODES
def test_the_next_worker_continues_with_a_socket_that_is_lost(
        room, out, start, place):
    daemon = start(place.text)
    sends = place.kind == socket.SOCK_DGRAM  # a death cuts connections
    with place.connected() as old:
        place.lose(daemon)
        for turn in range(2):
            kill_worker(daemon)
            if sends:
                old.send(b"old")
                daemon.wait_for_messages(turn + 1)
        assert daemon.log().count(KEPT) == 2
        place.come_back()
        wait_until(lambda: "the socket is at its path again" in daemon.log(),
                   "the supervisor to look again")
        with place.connected() as new:
            new.send(b"new\n")
            daemon.wait_for_messages(3 if sends else 1)
    assert out.lines() == [b"old", b"old"] * sends + [b"new"]


def test_a_socket_that_stays_lost_does_not_keep_another_one_lost(
        room, out, start):
    """The directories of both sockets are removed, and one comes back."""
    places = [room.path / "a", room.path / "b"]
    for place in places:
        place.mkdir()
    daemon = start(config(room, *(section(
        "INPUT", "Name syslog", f"Tag {place.name}",
        f"Path {place / 'access.sock'}", "Mode unix_udp", "Parser all")
        for place in places)))
    for place in places:
        place.rename(room.path / f"away-{place.name}")
    wait_until(lambda: daemon.log().count(LOST) == 2, "the loss")
    places[0].mkdir()
    wait_until((places[0] / "access.sock").exists, "a new socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as new:
        new.connect(str(places[0] / "access.sock"))
        new.send(b"new")
    daemon.wait_for_messages(1)
    assert out.lines() == [b"new"]
    assert "reload=failed" not in daemon.log()


@pytest.mark.parametrize("mode, kind", [
    ("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)])
def test_the_next_worker_continues_if_the_new_port_is_in_use(
        room, out, start, mode, kind):
    """The reload has failed, and nobody has corrected the configuration."""
    port = free_port(kind)
    text = config(room, network_input(mode, port))
    daemon = start(text)

    def send(line, to):
        with socket.socket(socket.AF_INET, kind) as s:
            s.connect(("127.0.0.1", to))
            s.send(line + b"\n")
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        busy = other.getsockname()[1]
        room.write("sluiced.conf", text.replace(f"Port {port}",
                                                f"Port {busy}"))
        daemon.signal(signal.SIGHUP)
        wait_for_reload(daemon, "failed", 1)
        for turn in range(2):
            kill_worker(daemon)
            send(b"old", port)
            daemon.wait_for_messages(turn + 1)
        assert daemon.log().count(KEPT) == 2
    daemon.signal(signal.SIGHUP)
    wait_for_reload(daemon, "done", 1)
    send(b"new", busy)
    daemon.wait_for_messages(3)
    assert out.lines() == [b"old", b"old", b"new"]
