# SPDX-License-Identifier: Apache-2.0
"""A disk that fails on demand: the daemon loads faults.c, which takes orders
from here."""
import errno
import struct

from .compile import compiled
from .sender import datagram
from .wait import SAN, wait_until


class Faults:
    """Faults for the files below a directory.  Pass `env` to the Daemon."""

    ORDERS = struct.Struct("=QIIIII")
    COUNTS = struct.Struct("=IIII")

    def __init__(self, room, below):
        self.path = room.write("faults", "\0" * 64)
        self.env = {
            "LD_PRELOAD": str(compiled("faults.c", "-shared", "-fPIC")),
            "FAULTS": str(self.path), "FAULTS_BELOW": str(below)}
        if "address" in SAN:
            self.env["ASAN_OPTIONS"] = "verify_asan_link_order=0"

    def order(self, error=0, short_every=0, delay_ms=0, hold=False,
              hold_exit=False, clock_ms=0):
        """`hold` keeps each write waiting until another order comes, and
        `hold_exit` each worker that has done all its work and exits.  With
        `clock_ms`, sluiced's monotonic clock stands still at this time."""
        with open(self.path, "r+b", buffering=0) as file:
            file.write(self.ORDERS.pack(clock_ms, error, short_every,
                                        delay_ms, hold, hold_exit))

    def end(self):
        self.order()

    def _counts(self):
        return self.COUNTS.unpack_from(self.path.read_bytes(),
                                       self.ORDERS.size)

    @property
    def struck(self):
        """How many writes had a fault."""
        return self._counts()[0]

    @property
    def held(self):
        """How many writes wait at this moment."""
        return self._counts()[2]

    @property
    def exits_held(self):
        """How many workers wait at this moment."""
        return self._counts()[3]

    def strike(self, times, **order):
        """Give the order, and wait until `times` writes had a fault."""
        before = self.struck
        self.order(**order)
        wait_until(
            lambda: self.struck >= before + times,
            lambda: f"{times} faulty writes, not {self.struck - before}")


def fill_disk(room):
    """Daemons that are started from now on find the disk of the output
    full."""
    room.faults = Faults(room, room.out)
    room.faults.order(error=errno.ENOSPC)


def empty_disk(room):
    room.faults.end()


def hang_on_second(daemon, sender, faults):
    """The first line is written, and the write of the second hangs."""
    sender.send(datagram({"n": 0}))
    wait_until(lambda: daemon.metrics().written == 1, "the first line")
    faults.order(hold=True)
    sender.send(datagram({"n": 1}))
    wait_until(lambda: faults.held, "a write to hang")
