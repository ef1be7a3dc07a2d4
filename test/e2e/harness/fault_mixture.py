# SPDX-License-Identifier: Apache-2.0
"""Calls that fail at random, and deaths at random calls: the daemon loads
fault_mixture.c, which takes orders from here."""
import struct

from .compile import compiled
from .wait import SAN


class FaultMixture:
    """Faults for the files below the directories.  Pass `env` to the
    Daemon."""

    ORDERS = struct.Struct("=IIIII")
    SEED = struct.Struct("=I")
    COUNTS = struct.Struct("=III")

    def __init__(self, room, below, seed):
        self.path = room.write("mixture", "\0" * 64)
        self.env = {
            "LD_PRELOAD": str(compiled("fault_mixture.c", "-shared", "-fPIC")),
            "MIXTURE": str(self.path),
            "MIXTURE_BELOW": ":".join(map(str, below))}
        if "address" in SAN:
            self.env["ASAN_OPTIONS"] = "verify_asan_link_order=0"
        self._write(self.SEED.pack(seed), self.ORDERS.size)

    def _write(self, data, at=0):
        with open(self.path, "r+b", buffering=0) as file:
            file.seek(at)
            file.write(data)

    def order(self, opens=0, writes=0, reads=0, others=0, die_in=0):
        """One in `opens` opens fails, and so on; 0: none.  The process dies at
        the nth call from now on."""
        self._write(self.ORDERS.pack(opens, writes, reads, others, die_in))

    def end(self):
        self.order()

    def _counts(self):
        return self.COUNTS.unpack_from(self.path.read_bytes(),
                                       self.ORDERS.size + self.SEED.size)

    @property
    def struck(self):
        """How many calls had a fault."""
        return self._counts()[1]

    @property
    def deaths(self):
        return self._counts()[2]
