# SPDX-License-Identifier: Apache-2.0
"""Waits for the outcome of a reload."""
from .wait import wait_until


def reloads(daemon, result):
    return daemon.metrics().sum("sluiced_reloads_total", result=result)


def wait_for_reload(daemon, result, count):
    """The old worker counts the reload shortly before the supervisor completes
    it and accepts the next.  So wait until the supervisor has logged it.
    Before that, the old worker may leave instead of answering."""
    def what():
        return f"reload {count} to be {result}:\n{daemon.log()[-2000:]}"
    wait_until(lambda: daemon.log().count(f"reload={result}") >= count, what)
    wait_until(lambda: reloads(daemon, result) == count, what)
