# SPDX-License-Identifier: Apache-2.0
"""The tests of the benchmark's own tools use the end-to-end tests' library and
run in the same namespaces."""
import importlib.util
import sys
from pathlib import Path

E2E = Path(__file__).resolve().parents[1] / "e2e"
sys.path.append(str(E2E))
spec = importlib.util.spec_from_file_location("e2e_conftest",
                                              E2E / "conftest.py")
e2e = importlib.util.module_from_spec(spec)
spec.loader.exec_module(e2e)

pytest_sessionstart = e2e.pytest_sessionstart
pytest_sessionfinish = e2e.pytest_sessionfinish
pytest_collection_modifyitems = e2e.pytest_collection_modifyitems
pytest_runtest_makereport = e2e.pytest_runtest_makereport
room = e2e.room
