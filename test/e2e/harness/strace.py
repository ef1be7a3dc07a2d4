# SPDX-License-Identifier: Apache-2.0
"""Injects a fault at a chosen system call of one thread of a process."""
import contextlib
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from .wait import SAN, wait_until

STRACE = shutil.which("strace")


def why_not():
    """The reason why strace cannot be used, or ""."""
    if SAN:
        return "a sanitizer build cannot be traced"
    if not STRACE:
        return "needs strace"
    return ""


def thread_named(pid, name):
    """The thread of the process that has this name.  Other threads may end
    meanwhile, for example the one that tries the outputs."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            comm = Path(f"/proc/{pid}/task/{tid}/comm").read_text()
            if comm == f"{name}\n":
                return int(tid)
    raise AssertionError(f"no thread {name}")


class Strace:
    """Runs strace -e WHAT on one thread; `calls` returns its output.  With
    `path`, it looks only at calls that touch that path."""

    def __init__(self, room, tid, what="trace=all", path=None):
        self.log = room.new_file("strace", ".txt")
        self.status = Path(f"/proc/{tid}/status")
        self.process = subprocess.Popen(
            [STRACE, "-qq", "-o", self.log, "-e", what, "-p", str(tid),
             *(["-P", path] if path else [])],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        room.straces.append(self)
        wait_until(lambda: self._says(f"TracerPid:\t{self.process.pid}\n")
                   or self.process.poll() is not None, "strace to attach")

    def _says(self, text):
        try:
            return text in self.status.read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False

    def holds(self):
        """Whether a call with delay_exit is done and cannot return: strace
        writes its line before it delays the thread."""
        return "(DELAYED)" in self.log.read_text(errors="replace")

    def sees_stop(self):
        """Whether SIGSTOP has stopped the thread."""
        return "stopped by SIGSTOP" in self.log.read_text(errors="replace")

    def calls(self):
        return self.log.read_text(errors="replace").splitlines()

    def numbered_calls(self):
        """The calls as (name, number), numbered for each name from 1 as
        strace's `when` counts them."""
        names = [re.match(r"\w+", call) for call in self.calls()]
        counts = Counter()
        for name in filter(None, names):
            counts[name[0]] += 1
            yield name[0], counts[name[0]]

    def end(self):
        """Detach from the thread.  While strace delays a call, only SIGKILL
        ends strace."""
        self.process.kill()
        self.process.wait()
