# SPDX-License-Identifier: Apache-2.0
"""A reload that changes an address, a path, or the properties of a socket that
stays.  The old worker still uses the old socket while the new one is opened."""
import os
import signal
import socket
import stat

import pytest

from harness.config import section
from harness.daemon import stopped, suspend
from harness.inputs import config, connected, network_input
from harness.namespace import free_port
from harness.reload import wait_for_reload
from harness.sender import Sender
from harness.wait import HANG_S, wait_until

CORRECT = ("correct the configuration, because if this worker dies or sluiced "
           "is restarted, the next worker reads it and fails")
OTHERS = {"127.0.0.1": "0.0.0.0", "0.0.0.0": "127.0.0.1"}


def reload_with(daemon, room, text, result="done"):
    room.write("sluiced.conf", text)
    daemon.signal(signal.SIGHUP)
    reloaded(daemon, result)


def reloaded(daemon, result="done", count=1):
    """A reload with the other result ends the test at once."""
    other = {"done": "failed", "failed": "done"}[result]
    wait_until(lambda: daemon.log().count(f"reload={result}") >= count
               or f"reload={other}" in daemon.log(), "the reload")
    assert f"reload={other}" not in daemon.log(), daemon.log()
    wait_for_reload(daemon, result, count)


def unix_input(path, *lines):
    return section("INPUT", "Name syslog", "Tag in", f"Path {path}",
                   "Parser all", *lines)


def send_net(mode, port, line, host="127.0.0.1"):
    if mode == "tcp":
        with connected((host, port)) as s:
            s.sendall(line + b"\n")
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(line, (host, port))


def send_unix(mode, path, line):
    kind = socket.SOCK_DGRAM if mode == "unix_udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_UNIX, kind) as s:
        s.connect(str(path))
        s.sendall(line + b"\n")


def kill_worker(daemon):
    """The next worker reads the configuration on disk."""
    ready = daemon.ready_count()
    daemon.kill_worker()
    daemon.wait_for_worker(ready)


@pytest.mark.parametrize("new", ["    HTTP_Listen 0.0.0.0\n", ""],
                         ids=["changed", "removed"])
def test_the_http_server_moves_to_another_address(room, out, start, new):
    port = free_port()
    old = config(room, unix_input(room.socket)).replace("HTTP_Port 0",
                                                        f"HTTP_Port {port}")
    daemon = start(old)
    assert not answers("127.0.0.2", port)
    reload_with(daemon, room, old.replace("    HTTP_Listen 127.0.0.1\n", new))
    assert answers("127.0.0.2", port)
    kill_worker(daemon)
    assert answers("127.0.0.2", port)
    room.write("sluiced.conf", old)
    daemon.signal(signal.SIGHUP)
    reloaded(daemon, count=2)
    assert not answers("127.0.0.2", port)
    send_unix("unix_udp", room.socket, b"received")
    daemon.wait_for_messages(1)
    assert out.lines() == [b"received"]


def answers(host, port):
    try:
        with connected((host, port)):
            return True
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize("mode", ["tcp", "udp"])
@pytest.mark.parametrize("listen", OTHERS)
def test_an_input_moves_to_another_address_of_the_same_port(
        room, out, start, mode, listen):
    """Data that waits in the old socket is read by the old worker."""
    port = free_port(socket.SOCK_STREAM if mode == "tcp"
                     else socket.SOCK_DGRAM)
    old = config(room, network_input(mode, port)).replace(
        "Listen 127.0.0.1\n    Port", f"Listen {listen}\n    Port")
    daemon = start(old)
    send_net(mode, port, b"before")
    daemon.wait_for_messages(1)
    with stopped(daemon.worker()):
        send_net(mode, port, b"waiting")
        room.write("sluiced.conf", old.replace(f"Listen {listen}\n    Port",
                                               f"Listen {OTHERS[listen]}\n"
                                               "    Port"))
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: daemon.log().count("listening=" + mode) == 2
                   or "reload=failed" in daemon.log(), "the new socket")
    reloaded(daemon)
    host = "127.0.0.2" if listen == "127.0.0.1" else "127.0.0.1"
    send_net(mode, port, b"after", host)
    daemon.wait_for_messages(3)
    kill_worker(daemon)
    send_net(mode, port, b"last", host)
    daemon.wait_for_messages(4)
    assert out.lines() == [b"before", b"waiting", b"after", b"last"]


@pytest.mark.parametrize("mode", ["unix_udp", "unix_tcp"])
def test_an_input_changes_its_mode_at_the_same_path(room, out, start, mode):
    other = {"unix_udp": "unix_tcp", "unix_tcp": "unix_udp"}[mode]
    daemon = start(config(room, unix_input(room.socket, f"Mode {mode}")))
    with stopped(daemon.worker()):
        send_unix(mode, room.socket, b"waiting")
        room.write("sluiced.conf", config(
            room, unix_input(room.socket, f"Mode {other}")))
        daemon.signal(signal.SIGHUP)
        wait_until(lambda: daemon.log().count("state=started") == 2
                   or "reload=failed" in daemon.log(), "the new worker")
    reloaded(daemon)
    send_unix(other, room.socket, b"after")
    daemon.wait_for_messages(2)
    kill_worker(daemon)
    send_unix(other, room.socket, b"last")
    daemon.wait_for_messages(3)
    assert out.lines() == [b"waiting", b"after", b"last"]
    # The hidden link belongs to the new socket.
    os.unlink(room.socket)
    wait_until(lambda: "senders notice nothing" in daemon.log(), "the path")
    send_unix(other, room.socket, b"restored")
    daemon.wait_for_messages(4)


def test_another_spelling_of_a_path_keeps_the_socket(room, out, start):
    (room.path / "link").symlink_to(room.path)
    by_link = room.path / "link" / room.socket.name
    daemon = start(config(room, unix_input(by_link)))
    inode = os.stat(room.socket).st_ino
    with Sender(room.socket) as sender:
        sender.send(b"before")
        daemon.wait_for_messages(1)
        reload_with(daemon, room, config(room, unix_input(room.socket)))
        (room.path / "link").unlink()
        sender.send(b"after")
        daemon.wait_for_messages(2)
        kill_worker(daemon)
        sender.send(b"last")
        daemon.wait_for_messages(3)
    assert os.stat(room.socket).st_ino == inode
    # The supervisor looks for the path under its new spelling.
    os.unlink(room.socket)
    wait_until(lambda: "senders notice nothing" in daemon.log(), "the path")
    assert os.stat(room.socket).st_ino == inode
    assert out.lines() == [b"before", b"after", b"last"]


def test_one_socket_does_not_serve_two_inputs(room, start):
    """A socket of :: receives what is sent to 0.0.0.0, too."""
    port = free_port(socket.SOCK_DGRAM)
    one = config(room, network_input("udp", port).replace(
        "Listen 127.0.0.1\n    Port", "Listen 0.0.0.0\n    Port"))
    daemon = start(one)
    reload_with(daemon, room, one + network_input("udp", port).replace(
        "Listen 127.0.0.1\n    Port", "Listen ::\n    Port"), "failed")
    assert CORRECT in daemon.log()
    room.write("sluiced.conf", one)
    send_net("udp", port, b"received")
    daemon.wait_for_messages(1)


def test_a_port_in_use_leaves_all_old_sockets_in_place(room, out, start):
    """The new socket at the path is opened before the port fails."""
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        old = config(room, unix_input(room.socket))
        daemon = start(old)
        inode = os.stat(room.socket).st_ino
        reload_with(daemon, room, config(
            room, unix_input(room.socket, "Mode unix_tcp"),
            network_input("tcp", port)), "failed")
    log = daemon.log()
    assert ('reload=failed err="a socket or port of the new configuration '
            'could not be opened" action="the old configuration stays in '
            f'force; {CORRECT}"') in log
    assert os.stat(room.socket).st_ino == inode
    assert "somebody removed the socket" not in log
    room.write("sluiced.conf", old)
    send_unix("unix_udp", room.socket, b"received")
    kill_worker(daemon)
    send_unix("unix_udp", room.socket, b"and again")
    daemon.wait_for_messages(2)
    assert sorted(out.lines()) == [b"and again", b"received"]


def test_a_worker_dies_while_the_file_names_a_port_in_use(room, start):
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        port = foreign.getsockname()[1]
        daemon = start(config(room, unix_input(room.socket)))
        room.write("sluiced.conf", config(room, unix_input(room.socket),
                                          network_input("tcp", port)))
        daemon.kill_worker()
        assert daemon.wait() == 71
        daemon.has_ended = True
    assert (f'err="TCP port {port} of 127.0.0.1: Address already in use" '
            'action="ending this worker; free the address or correct the '
            'configuration, because sluiced exits after 10 such workers in a '
            'row"') in daemon.log()


@pytest.mark.parametrize("mode", ["unix_udp", "unix_tcp"])
def test_a_kept_socket_gets_the_new_mode(room, out, start, mode):
    daemon = start(config(room, unix_input(room.socket, f"Mode {mode}")))
    inode = os.stat(room.socket).st_ino
    reload_with(daemon, room, config(
        room, unix_input(room.socket, f"Mode {mode}", "Unix_Perm 0600")))
    after = os.stat(room.socket)
    assert (after.st_ino, stat.S_IMODE(after.st_mode)) == (inode, 0o600)
    send_unix(mode, room.socket, b"received")
    daemon.wait_for_messages(1)
    assert out.lines() == [b"received"]


def test_a_kept_socket_cannot_get_a_longer_queue(own_network, room, start):
    daemon = start(config(room, unix_input(room.socket, "Queue_Length 50")))
    reload_with(daemon, room, config(
        room, unix_input(room.socket, "Queue_Length 60")))
    assert (f'path={room.socket} queue_length=50 wanted=60 err="the length is '
            'fixed when the socket is created" action="restart sluiced to '
            'apply Queue_Length"') in daemon.log()


@pytest.mark.parametrize("mode", ["udp", "tcp"])
def test_a_kept_socket_gets_the_new_receive_buffer(room, start, mode):
    port = free_port(socket.SOCK_DGRAM)
    old = config(room, network_input(mode, port, "Receive_Buffer_Size 64K"))
    daemon = start(old)
    reload_with(daemon, room, old.replace("64K", "128K"))
    assert (f"listen=127.0.0.1 port={port} receive_buffer_bytes=128000 "
            "wanted=128000") in daemon.log()
    send_net(mode, port, b"received")
    daemon.wait_for_messages(1)


def test_a_worker_reads_datagrams_for_which_it_has_no_input(room, out, start):
    """The worker that had the input is dead."""
    second = room.path / "second.sock"
    kept = config(room, unix_input(room.socket))
    daemon = start(config(room, unix_input(room.socket), unix_input(second)))
    ready = daemon.ready_count()
    worker = daemon.worker()
    suspend(worker)
    for _ in range(5):
        send_unix("unix_udp", second, b"read")
    send_unix("unix_udp", room.socket, b"kept")
    room.write("sluiced.conf", kept)
    os.kill(worker, signal.SIGKILL)
    daemon.wait_for_worker(ready)
    daemon.wait_for_messages(6)
    assert sorted(out.lines()) == [b"kept"] + 5 * [b"read"]
    assert " datagrams=" not in daemon.log()
