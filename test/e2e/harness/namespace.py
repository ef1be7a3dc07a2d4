# SPDX-License-Identifier: Apache-2.0
"""A network namespace for the tests.  No other process uses its ports, and its
datagram queue is as short as in a new pod; a test can raise it without changing
the machine's own setting."""
import ctypes
import fcntl
import os
import socket
import struct

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP_RUNNING = 0x41
QUEUE_LENGTH = "/proc/sys/net/unix/max_dgram_qlen"

libc = ctypes.CDLL(None, use_errno=True)


def _loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS,
                    struct.pack("16sh14x", b"lo", IFF_UP_RUNNING))


def enter_new():
    """Move this thread, and all that it starts later, into a new network
    namespace.  False if that is not permitted."""
    if libc.unshare(CLONE_NEWNET) != 0:
        return False
    _loopback_up()
    return True


_free_ports = set()


def free_port(kind=socket.SOCK_STREAM):
    """A port that no process uses, and that was not returned before."""
    while True:
        with socket.socket(socket.AF_INET, kind) as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in _free_ports:
            _free_ports.add(port)
            return port


def here():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter(fd):
    assert libc.setns(fd, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


def queue_length():
    with open(QUEUE_LENGTH) as f:
        return int(f.read())


def may_set_queue_length():
    return os.access(QUEUE_LENGTH, os.W_OK)


def set_queue_length(length):
    """For sockets that are created from now on."""
    with open(QUEUE_LENGTH, "w") as f:
        f.write(str(length))
