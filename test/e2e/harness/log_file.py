# SPDX-License-Identifier: Apache-2.0
"""Runs sluiced with the key Log_File."""
from .daemon import LISTENING, Daemon
from .stream import numbered


class Filed(Daemon):
    """A daemon with the key Log_File."""

    def __init__(self, room, log_file, **more):
        self.log_file = log_file
        super().__init__(room, numbered(
            room, f"Log_File {log_file}", "Log_Level debug", template="{n}"),
            **more)

    def _is_ready(self):
        """Each process has a thread that writes the file, so the supervisor's
        lines may come late."""
        return super()._is_ready() and LISTENING.search(self.log())

    def log(self):
        if not self.log_file.is_file():
            return ""
        return self.log_file.read_text(errors="replace")
