# SPDX-License-Identifier: Apache-2.0
"""Control groups of the tests."""
import errno

from .wait import wait_until


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
