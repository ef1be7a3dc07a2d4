# SPDX-License-Identifier: Apache-2.0
"""The small C programs of the tests, compiled once for a session."""
import os
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parents[1]
BUILT = TemporaryDirectory(prefix="sluiced-built-")


@lru_cache
def compiled(source, *flags):
    """sender.c, and the like, made a program or, with -shared, a library."""
    program = Path(BUILT.name) / Path(source).stem
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra",
                    *flags, "-o", program, HERE / source], check=True)
    return program
