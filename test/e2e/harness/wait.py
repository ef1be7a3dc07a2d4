# SPDX-License-Identifier: Apache-2.0
"""Waiting for events.

No test waits for time to pass, and no test passes or fails by the speed of
the machine: it asks again and again until something has happened.  HANG_S is
how long it asks before it reports a hang.  That limit only matters to a test
that fails anyway, so it is far beyond what a slow and busy machine needs."""
import os
import time

SAN = os.environ.get("SAN", "")
HANG_S = 240


def wait_until(question, what):
    """Ask until the answer is true, and return the answer.  After HANG_S,
    fail and say what was awaited (a text, or a function that makes one)."""
    deadline = time.monotonic() + HANG_S
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"waited {HANG_S} s for {text}")
        time.sleep(0.005)
