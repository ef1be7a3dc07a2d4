# SPDX-License-Identifier: Apache-2.0
"""Compiles the small C programs of the tests, once for each session."""
import os
import subprocess
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parents[1]
BUILT = TemporaryDirectory(prefix="sluiced-built-")


@lru_cache
def compiled(source, *flags):
    """The program made from a C file of test/e2e or, with -shared, the
    library."""
    program = Path(BUILT.name) / Path(source).stem
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra",
                    *flags, "-o", program, HERE / source], check=True)
    return program
