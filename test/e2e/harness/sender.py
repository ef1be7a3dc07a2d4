# SPDX-License-Identifier: Apache-2.0
"""Sends datagrams as nginx does."""
import json
import socket
import time

# The largest datagram that a socket with the default send buffer (wmem_default
# 212,992) can send.
LARGEST = 212960


def syslog_time(when):
    """The time as nginx writes it: the day is padded with a blank."""
    t = time.gmtime(when)
    return time.strftime("%b ", t) + f"{t.tm_mday:2d}" + time.strftime(
        " %H:%M:%S", t)


def header(when=None, host="gw-1", pri=190, tag="nginx"):
    when = time.time() if when is None else when
    name = f"{host} " if host else ""
    return f"<{pri}>{syslog_time(when)} {name}{tag}: ".encode()


def datagram(message, **head):
    """A syslog line around a text, bytes, or an object that becomes JSON."""
    if isinstance(message, dict):
        message = json.dumps(message, separators=(",", ":"))
    if isinstance(message, str):
        message = message.encode()
    return header(**head) + message


class Sender:
    """A blocking sender waits until the queue has room.  Any other sender
    loses the datagrams that the kernel refuses, as nginx does, but counts
    them."""

    def __init__(self, path, blocking=True):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 106496)
        self.socket.setblocking(blocking)
        self.socket.connect(str(path))
        self.refused = 0

    def send(self, *datagrams):
        for one in datagrams:
            try:
                self.socket.send(one)
            except BlockingIOError:
                self.refused += 1

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
