# SPDX-License-Identifier: Apache-2.0
"""A fault at a chosen system call of one thread of a running process."""
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from .wait import SAN, wait_until

STRACE = shutil.which("strace")


def why_not():
    """Why it cannot be used; "" when it can."""
    if SAN:
        return "a sanitizer does not like to be traced"
    if not STRACE:
        return "needs strace"
    return ""


def threads(pid):
    """The main thread (intake) first, then the others (the pipeline)."""
    tids = sorted(map(int, os.listdir(f"/proc/{pid}/task")))
    return [pid] + [tid for tid in tids if tid != pid]


class Strace:
    """strace -e WHAT on one thread; `calls` tells what it did."""

    def __init__(self, room, tid, what="trace=all"):
        self.log = room.new_file("strace", ".txt")
        self.status = Path(f"/proc/{tid}/status")
        self.stopped_in_a_row = 0
        self.process = subprocess.Popen(
            [STRACE, "-qq", "-o", self.log, "-e", what, "-p",
             str(tid)],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self._says(f"TracerPid:\t{self.process.pid}\n")
                   or self.process.poll() is not None, "strace to attach")

    def _says(self, text):
        try:
            return text in self.status.read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False

    def holds(self):
        """A call with delay_exit is done and does not return: any other one
        lets the thread stop for a moment only."""
        is_stopped = self._says("State:\tt")
        self.stopped_in_a_row = (self.stopped_in_a_row + 1) * is_stopped
        return self.stopped_in_a_row >= 20

    def calls(self):
        return self.log.read_text(errors="replace").splitlines()

    def numbered_calls(self):
        """Which calls there were: (name, its how-manyth), as `when` counts
        them."""
        names = [re.match(r"\w+", call) for call in self.calls()]
        counts = Counter()
        for name in filter(None, names):
            counts[name[0]] += 1
            yield name[0], counts[name[0]]

    def end(self):
        """Let go of the thread.  One that holds a call lets go only so."""
        self.process.kill()
        self.process.wait()
