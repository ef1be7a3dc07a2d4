# SPDX-License-Identifier: Apache-2.0
"""Inputs that take any line, in all modes, and clients of them."""
import socket

from .config import section, service, syslog_input, template
from .wait import HANG_S, wait_until

PARSER = section("PARSER", "Name all", "Format regex",
                 "Regex ^(?<message>.*)$")


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
    s.settimeout(HANG_S)
    s.connect(to if isinstance(to, tuple) else str(to))
    return s


def numbered(n, upto):
    return b"".join(b"line %d\n" % i for i in range(n, upto))


def is_cut(s):
    """Whether the other end has closed the connection; bytes that it sent
    before do not matter."""
    try:
        return s.recv(1) == b""
    except (ConnectionResetError, BrokenPipeError):
        return True


LINE_BYTES = 510


def long_line(n):
    return b"%08d %s\n" % (n, b"x" * (LINE_BYTES - 10))


def fill_journal(daemon, s, reserve=0):
    """While the disk rejects writes, send long_line(0), long_line(1), ... over
    a connection until neither the kernel nor the journal has room, except for
    the reserve.  Returns how many bytes were sent."""
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
            # The journal has less room than the largest message needs.
            return (m.sum("sluiced_pipeline_blocked") == 1
                    and m.sum("sluiced_journal_pending_bytes")
                    > m.sum("sluiced_journal_size_bytes") - reserve - 213_000)
    wait_until(is_stuck, "the sender to be blocked")
    s.setblocking(True)
    return sent
