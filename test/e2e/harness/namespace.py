# SPDX-License-Identifier: Apache-2.0
"""A network namespace for the tests: ports that nobody else has, and a
datagram queue as short as in a new pod, which may be raised without touching
the machine's own."""
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
    """This thread, and what it starts from now on.  False: not permitted."""
    if libc.unshare(CLONE_NEWNET) != 0:
        return False
    _loopback_up()
    return True


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
    """Of sockets that are created from now on."""
    with open(QUEUE_LENGTH, "w") as f:
        f.write(str(length))
