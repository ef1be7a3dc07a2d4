# SPDX-License-Identifier: Apache-2.0
"""sluiced does what Fluent Bit does, or conf/compat.md says why not.  Each case
of test/compat is a test here.  All cases run side by side."""
import re
import sys

import pytest

from harness.config import ROOT
from harness.daemon import SLUICED
from harness.wait import SAN

sys.path.insert(0, str(ROOT / "test/compat"))
import case as cases  # noqa: E402
import table  # noqa: E402
from program import Sluiced  # noqa: E402
from run import outcomes  # noqa: E402

# A case sends one message after the other, so it cannot show a data race.
pytestmark = pytest.mark.skipif(SAN == "thread",
                                reason="the cases show no data race")
CASES = cases.load(ROOT / "test/compat/cases")


@pytest.fixture(scope="module")
def wrong(request):
    """The problems of each case that is selected."""
    asked = {item.callspec.params["case"] for item in request.session.items
             if item.module is request.module and hasattr(item, "callspec")}
    some = [case for case in CASES if case in asked]
    return {case: problems for case, problems, _ in
            outcomes(Sluiced(SLUICED), some, jobs=64)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: re.sub(
    "[^a-z0-9]+", "-", case.name.lower()))
def test_sluiced_does_what_the_case_expects(case, wrong):
    assert not wrong[case], "\n".join(wrong[case])


def test_every_case_was_confirmed_with_fluent_bit():
    assert not [case.name for case in CASES if not case.confirmed]


def test_every_row_of_compat_md_has_a_case_and_every_case_its_row():
    assert not table.problems(CASES)
