# SPDX-License-Identifier: Apache-2.0
"""A process of another user that keeps the lock of a file's inode: while it
waits for a page of the buffer of a read or a write, the kernel holds the lock.
Nobody else can write to the file meanwhile."""
import ctypes
import fcntl
import mmap
import os
import struct
import subprocess
import sys
import threading

USER = 65534
SYS_USERFAULTFD = 323 if os.uname().machine == "x86_64" else 282
UFFDIO_API, UFFDIO_REGISTER, UFFDIO_ZEROPAGE = (
    0xc018aa3f, 0xc020aa00, 0xc020aa04)
API_VERSION, MISSING = 0xaa, 1
PAGE = mmap.PAGESIZE

libc = ctypes.CDLL(None, use_errno=True)


class InodeLock:
    """`kind` is "write", which appends one page of zeros, or "read", which
    reads with O_DIRECT from a file that has a page at least.  The lock is held
    when this returns."""

    def __init__(self, kind, path):
        self.process = subprocess.Popen(
            [sys.executable, __file__, kind, path, str(USER)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"held\n"

    def end(self):
        """Release the lock."""
        self.process.communicate(b"\n")
        assert self.process.returncode == 0


def has_userfaultfd():
    """Containers often forbid this system call."""
    fd = libc.syscall(SYS_USERFAULTFD, os.O_CLOEXEC)
    if fd >= 0:
        os.close(fd)
    return fd >= 0


def _page_without_memory():
    """A page of which a use waits until _give_memory: the descriptor, the
    address, and the owner of the memory."""
    fd = libc.syscall(SYS_USERFAULTFD, os.O_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "userfaultfd")
    fcntl.ioctl(fd, UFFDIO_API, bytearray(struct.pack("3Q", API_VERSION, 0, 0)))
    page = mmap.mmap(-1, PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    at = ctypes.addressof(ctypes.c_char.from_buffer(page))
    fcntl.ioctl(fd, UFFDIO_REGISTER,
                bytearray(struct.pack("4Q", at, PAGE, MISSING, 0)))
    return fd, at, page


def _give_memory(fd, at):
    fcntl.ioctl(fd, UFFDIO_ZEROPAGE,
                bytearray(struct.pack("3Qq", at, PAGE, 0, 0)))


def _hold(kind, path, user):
    faults, at, _memory = _page_without_memory()
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    is_held = threading.Event()

    def call():
        page = ctypes.c_void_p(at)
        if kind == "write":
            fd = os.open(path, os.O_WRONLY | os.O_APPEND)
            libc.write(fd, page, PAGE)
        else:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
            libc.pread(fd, page, PAGE, 0)
        if not is_held.is_set():
            os._exit(1)  # the file is too short, or the page was not used

    thread = threading.Thread(target=call)
    thread.start()
    os.read(faults, 32)  # the kernel has asked for the page
    is_held.set()
    print("held", flush=True)
    sys.stdin.readline()
    _give_memory(faults, at)
    thread.join()


if __name__ == "__main__":
    _hold(sys.argv[1], sys.argv[2], int(sys.argv[3]))
