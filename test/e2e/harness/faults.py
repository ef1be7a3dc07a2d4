# SPDX-License-Identifier: Apache-2.0
"""A bad disk on demand: faults.c, loaded into the daemon, takes orders."""
import struct

from .compile import compiled
from .wait import SAN, wait_until


class Faults:
    """For the files below a directory; `env` is for Daemon."""

    ORDERS = struct.Struct("=III")
    COUNTS = struct.Struct("=II")

    def __init__(self, room, below):
        self.path = room.write("faults", "\0" * 64)
        self.env = {
            "LD_PRELOAD": str(compiled("faults.c", "-shared", "-fPIC")),
            "FAULTS": str(self.path), "FAULTS_BELOW": str(below)}
        if "address" in SAN:
            self.env["ASAN_OPTIONS"] = "verify_asan_link_order=0"

    def order(self, error=0, short_every=0, delay_ms=0):
        with open(self.path, "r+b", buffering=0) as file:
            file.write(self.ORDERS.pack(error, short_every, delay_ms))

    def end(self):
        self.order()

    @property
    def struck(self):
        """How many writes were hit."""
        return self.COUNTS.unpack_from(self.path.read_bytes(),
                                       self.ORDERS.size)[0]

    def strike(self, times, timeout_s=30, **order):
        """Give the order and wait until so many writes were hit."""
        before = self.struck
        self.order(**order)
        wait_until(lambda: self.struck >= before + times,
                   lambda: f"{times} faulty writes, were {self.struck - before}",
                   timeout_s)
