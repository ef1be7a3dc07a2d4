# SPDX-License-Identifier: Apache-2.0
"""Whole configurations as people publish them: 2,000 lines through each give
the bytes that Fluent Bit gave when its digests were recorded.  They run side
by side, all at once."""
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.config import ROOT
from harness.daemon import SLUICED

sys.path.insert(0, str(ROOT / "test/compat"))
import pipelines  # noqa: E402
from program import Sluiced, moved_clock  # noqa: E402


@pytest.fixture(scope="module")
def problems():
    moved_clock()
    program = Sluiced(SLUICED)
    with ThreadPoolExecutor(len(pipelines.NAMES)) as pool:
        found = pool.map(lambda name: pipelines.problems_with_record(
            program, name), pipelines.NAMES)
        return dict(zip(pipelines.NAMES, found))


@pytest.mark.parametrize("name", pipelines.NAMES)
def test_the_bytes_are_fluent_bits(name, problems):
    assert not problems[name], "\n".join(problems[name])
