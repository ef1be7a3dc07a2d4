# SPDX-License-Identifier: Apache-2.0
"""How long the fault tests run, and the seed of everything random.

By default the tests are short, and shortest under a sanitizer; the environment
makes them longer (`make torture`).  SEED repeats the random choices of an
earlier run, which printed its seed."""
import os
import random
import time

from .wait import SAN

SEED = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**9))


def scaled(name, short):
    """The number that the environment sets, for example KILLS=3000.  Without
    one: `short`, or a tenth of it under a sanitizer."""
    return int(os.environ.get(name, 0)) or max(short // 10 if SAN else short, 1)


def dice(*purpose):
    """A random generator that depends on SEED and the purpose only, so that
    each test can be repeated alone."""
    return random.Random(" ".join(map(str, (SEED, *purpose))))


def at_random_moments(count, rng, longest_s=0.12):
    """Yield `count` times, each time after a random pause.  The pause chooses
    the moment at which a fault strikes; the test must pass at any moment."""
    for _ in range(count):
        time.sleep(rng.uniform(0, longest_s))
        yield
