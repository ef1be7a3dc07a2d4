# SPDX-License-Identifier: Apache-2.0
"""Inputs that take any line, in all modes, and who connects to them."""
import socket

from .config import section, service, syslog_input, template
from .wait import wait_until

PARSER = section("PARSER", "Name all", "Format regex",
                 "Regex ^(?<message>.*)$")


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def network_input(mode, port, *lines):
    return section("INPUT", "Name syslog", f"Mode {mode}", "Tag in",
                   "Listen 127.0.0.1", f"Port {port}", "Parser all", *lines)


def unix_input(room, *lines):
    return syslog_input(room, "Mode unix_tcp", "Parser all", *lines)


def config(room, *inputs, lines=(), text="{message}", **more):
    return (service(f"storage.path {room.path}", *lines, **more) + PARSER
            + "".join(inputs) + template(text, room))


def connected(to):
    family = socket.AF_INET if isinstance(to, tuple) else socket.AF_UNIX
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(20)
    s.connect(to if isinstance(to, tuple) else str(to))
    return s


def numbered(n, upto):
    return b"".join(b"line %d\n" % i for i in range(n, upto))


def is_cut(s):
    """The other end was closed; what it sent does not matter."""
    try:
        return s.recv(1) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


LINE_BYTES = 510


def long_line(n):
    return b"%08d %s\n" % (n, b"x" * (LINE_BYTES - 10))


def fill_journal(daemon, s):
    """Send long_line(0) and so on over a connection until the journal has no
    room, since the disk takes nothing, nor has the kernel.  The bytes sent."""
    sent = 0
    s.setblocking(False)

    def is_stuck():
        nonlocal sent
        try:
            while True:
                line = long_line(sent // LINE_BYTES)
                sent += s.send(line[sent % LINE_BYTES:])
        except BlockingIOError:
            m = daemon.metrics()
            # Less is left than the largest message needs.
            return (m.sum("sluiced_pipeline_blocked") == 1
                    and m.sum("sluiced_journal_pending_bytes")
                    > m.sum("sluiced_journal_size_bytes") - 213_000)
    wait_until(is_stuck, "the sender to wait", 30)
    s.setblocking(True)
    return sent
