# SPDX-License-Identifier: Apache-2.0
"""A gate at which a Lua script waits until the test opens it."""
import contextlib
import os

from .wait import wait_until


class Gate:
    """A script waits in the Lua expression `lua`.  Each script in turn needs
    wait() and open()."""

    def __init__(self, room):
        self.path = room.path / "gate"
        self.lua = f"io.open('{self.path}'):read('a')"
        os.mkfifo(self.path)

    def wait(self):
        """Wait until a script has come to the gate."""
        self._writer = wait_until(self._try, "a script that opens the gate")

    def _try(self):
        """Open the writer's end.  Fails as long as no script opens the
        other."""
        with contextlib.suppress(OSError):
            return os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)

    def renew(self):
        """While a script waits: those that come later wait at a new gate."""
        self.path.unlink()
        os.mkfifo(self.path)

    def open(self):
        """Let the script that waits continue."""
        os.close(self._writer)
