# SPDX-License-Identifier: Apache-2.0
"""Control groups of the tests."""
import errno
import os
import subprocess
from pathlib import Path

from .wait import wait_until

GROUPS = Path("/sys/fs/cgroup")
LIMITS = {GROUPS / "memory": "memory.limit_in_bytes", GROUPS: "memory.max"}
LIMIT_BYTES = 128 << 20  # that of the manifest


def remove(path):
    """Remove the group as soon as its processes have ended.  A process that
    ends is no longer listed in the group shortly before it has left it."""
    def is_removed():
        try:
            path.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            return False
        return True
    wait_until(is_removed, f"the processes of {path} to end")


class MemoryGroup:
    """A control group below one with a memory limit, of version 1 or 2.
    `wrapper` starts a command in it.  The constructor raises OSError where
    such a group is not possible."""

    def __init__(self, limit_bytes=LIMIT_BYTES):
        for top, file in LIMITS.items():
            self.path = top / f"sluiced-test-{os.getpid()}"
            self.child = self.path / "child"
            try:
                self.child.mkdir(parents=True)
                (self.path / file).write_text(str(limit_bytes))
            except OSError as error:
                why = error
                for each in (self.child, self.path):
                    if each.exists():
                        each.rmdir()
                continue
            self.wrapper = ("sh", "-c", 'echo $$ > "$0"/cgroup.procs; '
                            'exec "$@"', self.child)
            return
        raise why

    def fill(self, path):
        """Fill the memory with a file's pages, which the kernel can take away,
        as after hours of writing.  The file is made at the path."""
        with open(path, "wb") as file:
            file.truncate(LIMIT_BYTES)
        subprocess.run([*self.wrapper, "cat", path], check=True,
                       stdout=subprocess.DEVNULL)

    def dirty_bytes(self):
        """The bytes of files that are not on their disks yet."""
        rows = dict(line.split() for line in
                    (self.child / "memory.stat").read_text().splitlines())
        return sum(int(rows.get(name, 0)) for name in (
            "dirty", "writeback", "file_dirty", "file_writeback"))

    def remove(self):
        remove(self.child)
        remove(self.path)
