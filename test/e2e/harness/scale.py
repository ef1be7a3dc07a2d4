# SPDX-License-Identifier: Apache-2.0
"""How long the tests of faults go on: short by itself, longer by the
environment (`make torture`), shortest under a sanitizer."""
import os
import random
import time

from .wait import SAN


def scaled(name, short):
    """KILLS=3000 in the environment, else `short`, a tenth with SAN."""
    return int(os.environ.get(name, 0)) or max(short // 10 if SAN else short, 1)


def at_random_moments(count, longest_s=0.12):
    """A rate, not a wait: nothing is asked for but that the moment is any."""
    for _ in range(count):
        time.sleep(random.uniform(0, longest_s))
        yield
