# SPDX-License-Identifier: Apache-2.0
"""A thread that does not end although its process was killed, as if it waited
in a write to a disk that hangs.  Its process keeps its descriptors and locks,
and its parent cannot reap it.  A tracer has the same effect: the kernel stops
the thread at its end until the tracer lets it go."""
import contextlib
import ctypes
import os

from .daemon import is_alive
from .wait import wait_until

SEIZE, DETACH, TRACE_EXIT, ALL_THREADS = 0x4206, 17, 1 << 6, 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
libc.ptrace.restype = ctypes.c_long


def _ptrace(request, thread, data=0):
    if libc.ptrace(request, thread, 0, data) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} {thread}")


def thread_of(pid, name):
    """Other threads may end meanwhile, for example the one that tries the
    outputs."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        with (contextlib.suppress(FileNotFoundError, ProcessLookupError),
              open(f"/proc/{pid}/task/{thread}/comm") as comm):
            if comm.read() == name + "\n":
                return int(thread)
    raise ProcessLookupError(f"{pid} has no thread {name}")


class Unreaped:
    """A thread of the process that does not end before end() is called."""

    def __init__(self, pid, name):
        self.pid = pid
        self.thread = thread_of(pid, name)
        _ptrace(SEIZE, self.thread, TRACE_EXIT)
        self.is_held = True

    def kill(self, number):
        """Kill the process, and wait until the thread is at its end."""
        os.kill(self.pid, number)
        self.wait()

    def wait(self):
        os.waitpid(self.thread, ALL_THREADS)

    def end(self):
        if self.is_held:
            self.is_held = False
            _ptrace(DETACH, self.thread)
            wait_until(lambda: not is_alive(self.pid), "the process to end")
