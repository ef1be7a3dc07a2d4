# SPDX-License-Identifier: Apache-2.0
"""Polling.  No test waits for time to pass: it asks until the answer is yes."""
import os
import time

SAN = os.environ.get("SAN", "")
# How much slower a sanitizer build may be before a test gives up.
SLOWNESS = {"": 1, "thread": 8}.get(SAN, 4)


def wait_until(question, what, timeout_s=10):
    """Ask until the answer is true, and return it; fail saying what was
    waited for (a text, or a function that makes one)."""
    deadline = time.monotonic() + timeout_s * SLOWNESS
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            text = what() if callable(what) else what
            raise AssertionError(f"waited {timeout_s * SLOWNESS} s for {text}")
        time.sleep(0.005)
