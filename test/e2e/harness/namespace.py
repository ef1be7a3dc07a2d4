# SPDX-License-Identifier: Apache-2.0
"""A network namespace for the tests.  No other process uses its ports, and its
datagram queue is as short as in a new pod; a test can raise it without changing
the machine's own setting.  And a process namespace for sluiced alone."""
import contextlib
import ctypes
import fcntl
import os
import random
import shutil
import socket
import struct
import subprocess

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
SIOCSIFADDR = 0x8916
IFF_UP_RUNNING = 0x41
QUEUE_LENGTH = "/proc/sys/net/unix/max_dgram_qlen"

# A wrapper: sluiced is process 1, as in a container.
AS_INIT = ("unshare", "-p", "-f", "--kill-child", "--mount-proc")

libc = ctypes.CDLL(None, use_errno=True)


def _loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS,
                    struct.pack("16sh14x", b"lo", IFF_UP_RUNNING))


def add_network(number):
    """Every address 10.NUMBER.x.y of this namespace becomes its own, as those
    of 127.x.y.z are, but without being a loopback address."""
    address = socket.inet_aton(f"10.{number}.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFADDR, struct.pack(
            "16sHH4s8x", b"lo:%d" % number, socket.AF_INET, 0, address))


def enter_new():
    """Move this thread, and all that it starts later, into a new network
    namespace.  False if that is not permitted."""
    if libc.unshare(CLONE_NEWNET) != 0:
        return False
    _loopback_up()
    return True


_free_ports = set()


def free_port(kind=socket.SOCK_STREAM):
    """A port that no process uses, and that was not returned before.  It is
    below 32768, where the kernel begins to choose ports for connections.
    Otherwise a connection could take the port before the server binds it, or a
    client that waits for the server could connect to itself."""
    while True:
        port = random.randrange(20000, 32000)
        with (socket.socket(socket.AF_INET, kind) as s,
              contextlib.suppress(OSError)):
            s.bind(("127.0.0.1", port))
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


def may_be_init():
    return shutil.which("unshare") and subprocess.run(
        [*AS_INIT, "true"], capture_output=True).returncode == 0
