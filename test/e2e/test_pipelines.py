# SPDX-License-Identifier: Apache-2.0
"""Whole configurations as people publish them.  From the same 2,000 lines,
sluiced must write the bytes that Fluent Bit wrote when its digests were
recorded.  All configurations run side by side."""
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
def test_sluiced_writes_the_same_bytes_as_fluent_bit(name, problems):
    assert not problems[name], "\n".join(problems[name])
