# SPDX-License-Identifier: Apache-2.0
"""The end of Grace, on a clock that the test sets."""
import time
from signal import SIGTERM

from .wait import wait_until


def pass_grace(daemon, faults, **order):
    """Stop sluiced, whose Grace is 0, and let the 2 s pass in which it writes
    to a slow disk.  Its clock stands still then.  Returns the time of the
    signal on that clock, in milliseconds."""
    begin_ms = time.monotonic_ns() // 1000000
    faults.order(clock_ms=begin_ms, **order)
    daemon.signal(SIGTERM)
    wait_until(lambda: 'err="Grace is over" state=' in daemon.log(), "Grace")
    faults.order(clock_ms=begin_ms + 2000, **order)
    wait_until(lambda: 'err="Grace is over, and not everything is written"'
               in daemon.log(), "the time for writing to be over")
    return begin_ms
