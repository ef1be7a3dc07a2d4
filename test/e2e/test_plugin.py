# SPDX-License-Identifier: Apache-2.0
"""A filter is added exactly as src/README.md says: one file and one row.
Everything from the list of keys to the metrics then knows the filter."""
import os
import shutil
import subprocess

import pytest

from harness.config import ROOT, section, service, syslog_input
from harness.sender import Sender, datagram

EXAMPLE = ROOT / "test/data/plugin/upper.c"
LIST = "#define FILTER_KINDS(X)"


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """sluiced with the example filter, built in a copy of the tree."""
    tree = tmp_path_factory.mktemp("tree")
    for name in "src", "lua", "conf":
        shutil.copytree(ROOT / name, tree / name)
    shutil.copy(ROOT / "Makefile", tree)
    shutil.copy(EXAMPLE, tree / "src/filter/upper.c")
    kinds = tree / "src/filter/kinds.h"
    text = kinds.read_text()
    assert LIST in text
    kinds.write_text(text.replace(LIST, f"{LIST} X(upper)", 1))
    # Without the variables of the make that runs this test.
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("MAKE") and name not in ("BUILD", "SAN")}
    subprocess.run(["make", "-C", tree, "OPT=-O0", "WERROR=-Werror",
                    "BUILD=build", "build/sluiced"],
                   check=True, env=env, stdout=subprocess.DEVNULL)
    return str(tree / "build/sluiced")


pytestmark = pytest.mark.skipif(
    bool(os.environ.get("SAN")), reason="the example is built without SAN")


def test_the_new_filter_is_listed_with_its_key(extended):
    listed = subprocess.run([extended, "keys", "--plain", "upper"], check=True,
                            capture_output=True, text=True).stdout
    assert listed.splitlines() == [
        "FILTER\tupper\t-\tKey\tfield\trequired\t-"]


def test_a_misspelt_name_of_the_new_filter_is_corrected(extended, room):
    conf = room.write("x.conf", syslog_input(room) + section(
        "FILTER", "Name uper", "Match *", "Key a")
        + section("OUTPUT", "Name null", "Match *"))
    result = subprocess.run([extended, "-c", str(conf), "--dry-run"],
                            capture_output=True, text=True)
    assert result.returncode == 78
    assert 'did you mean "upper"?' in result.stderr


def test_a_line_passes_the_new_filter_and_is_counted(
        extended, room, out, start):
    daemon = start(service() + syslog_input(room)
                   + section("FILTER", "Name parser", "Match in",
                             "Key_Name message", "Parser json")
                   + section("FILTER", "Name upper", "Match in", "Key method")
                   + section("OUTPUT", "Name file", "Match in",
                             f"Path {room.out}", "File x", "Format template",
                             "Template {method} {uri}"),
                   binary=extended)
    with Sender(room.socket) as sender:
        sender.send(datagram({"method": "get", "uri": "/a"}))
    counts = daemon.wait_for_messages(1)
    assert out.lines() == [b"GET /a"]
    assert counts.sum("sluiced_filter_records_total", filter="upper.1") == 1
