# SPDX-License-Identifier: Apache-2.0
"""The documents are true: every command works as it is printed, every link
leads somewhere, and every key, metric and drop reason exists.

A block of a README that starts with ```sh is run from the top of the
repository.  A block that needs a cluster, Docker or the host's directories
starts with ```console and is not run."""
import fnmatch
import os
import re
import shutil
import signal
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from textwrap import dedent

import pytest

from harness.config import (ROOT, json_filter, lua_filter, section, service,
                            syslog_input)
from harness.daemon import SLUICED, Daemon, environment, run
from harness.inputs import connected
from harness.metrics import Metrics
from harness.room import OutDir, Room
from harness.sender import Sender, datagram
from harness.wait import SAN, wait_until

pytestmark = pytest.mark.skipif(
    SAN != "", reason="a sanitizer adds nothing to the documents")


def documents(pattern):
    """The files below the repository, without those that are built.  Tests
    that run at the same time build some, so these directories are not even
    listed."""
    found = []
    for folder, below, names in os.walk(ROOT):
        below[:] = set(below) - {"build", ".git", "__pycache__"}
        found += (Path(folder) / name for name in fnmatch.filter(
            names, pattern))
    return sorted(filter(Path.is_file, found))


def name_of(path):
    return str(path.relative_to(ROOT))


MARKDOWN = documents("*.md")
README = (ROOT / "README.md").read_text()
SOURCE = (ROOT / "src/README.md").read_text()
KEYS = ROOT / "conf/README.md"

# --- commands

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.M | re.S)


def blocks():
    for path in MARKDOWN:
        if path.name == "README.md":
            scripts = [text for _, kind, text in
                       BLOCK.findall(path.read_text()) if kind == "sh"]
            for number, script in enumerate(scripts, 1):
                yield pytest.param(dedent(script),
                                   id=f"{name_of(path)}-{number}")


def adapted(script, room):
    """The block as it is printed, but with the binary that is tested, and with
    the test's own directory instead of /tmp."""
    build = os.path.relpath(os.path.dirname(SLUICED), ROOT)
    script = script.replace("/tmp/", f"{room.path}/")
    script = re.sub(r"\bbuild/(?=sluiced|unit|fuzz)", f"{build}/", script)
    script = script.replace("python3", sys.executable)
    # make must not link the binary again while other tests use it.
    script = re.sub(r"^make ", f"make -o {build}/sluiced "
                    f"-o {build}/libcore.a ", script, flags=re.M)
    env = environment({"BUILD": build, "SLUICED_HTTP_PORT": "0"})
    return script, env


class Shell:
    """A block that runs, and perhaps starts a daemon that does not end."""

    def __init__(self, script, room):
        script, env = adapted(script, room)
        self.log_path = room.path / "shell.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-ec", script], cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True, env=env)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def is_over(self):
        return self.process.poll() is not None

    def has_daemon(self):
        return "mod=worker state=ready" in self.log()

    def stop_daemon(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        wait_until(lambda: "mod=worker state=stopped" in self.log(),
                   lambda: f"sluiced to end:\n{self.log()}")

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


@pytest.fixture
def shell(room):
    shells = []

    def start(script):
        shells.append(Shell(script, room))
        return shells[-1]
    yield start
    for one in shells:
        one.kill()


@lru_cache
def make_help():
    return subprocess.run(["make", "-C", ROOT, "help"], check=True,
                          capture_output=True, text=True).stdout


@pytest.mark.parametrize("script", list(blocks()))
def test_every_block_of_commands_works_as_printed(shell, script):
    started = shell(script)
    wait_until(lambda: started.is_over() or started.has_daemon(),
               lambda: f"the commands:\n{script}\n{started.log()}")
    if started.is_over():
        assert started.process.returncode == 0, started.log()
    else:
        started.stop_daemon()


def test_the_quick_start_collects_a_line(room, shell):
    by_hand, = [text for _, kind, text in BLOCK.findall(README)
                if kind == "sh" and "build/sluiced -c" in text]
    directory = room.path / "sluiced"
    started = shell(by_hand)
    wait_until(lambda: started.is_over() or started.has_daemon(),
               lambda: f"sluiced to start:\n{started.log()}")
    assert "configuration test is successful" in started.log()
    with Sender(directory / "log.sock") as sender:
        sender.send(datagram({"vhost": "a", "uri": "/by-hand"}))
    out = OutDir(directory / "log")
    wait_until(lambda: out.has(1, "*/*.log"), "the line")
    assert b"\turi:/by-hand\t" in out.bytes()
    started.stop_daemon()


@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_every_make_target_in_a_document_exists(path):
    targets = set(re.findall(r"^([a-z0-9-]+) ", make_help(), re.M))
    named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)(?=[\s`])",
                       path.read_text(), re.M)
    assert set(named) <= targets | {"help"}

# --- links


def anchors(path):
    """The anchors of a document's headings, as GitHub makes them."""
    text = BLOCK.sub("", path.read_text())
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
            for title in re.findall(r"^#+ +(.*)$", text, re.M)}


@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_every_relative_link_leads_to_a_file_and_a_heading(path):
    text = BLOCK.sub("", path.read_text())
    broken = []
    for target in re.findall(r"\[[^\]]*\]\(([^()\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        to = (path.parent / file).resolve() if file else path
        if not to.exists() or (anchor and to.suffix == ".md"
                               and anchor not in anchors(to)):
            broken.append(target)
    assert broken == []

# --- keys
#
# conf/README.md has tables whose first column is headed "Key", with the key in
# backticks.  The headings above a table name the section ([SERVICE], ...), the
# plug-in if the keys belong to one (lua), and the format after the word Format.
# A heading inherits section, plug-in and format from the headings above it.

SECTIONS = ("service", "input", "parser", "filter", "output")


def keys_of_the_program():
    """(section, plug-in, format, key) in lower case, and whether it is
    a key of Fluent Bit that has no effect."""
    return {tuple(field.lower() for field in row[:4]): row[6] == "ignored"
            for row in rows_of_the_program()}


def rows_of_the_program():
    listed = run("keys", "--plain")
    assert listed.code == 0, listed.err
    return [line.split("\t") for line in listed.out.splitlines()]


def place_of(heading, plugins, above):
    """The (section, plug-in, format) of a heading below another place."""
    place, after = list(above), ""
    for word in re.findall(r"\w+", heading.lower()):
        if word in SECTIONS and word.upper() in heading:
            place = [word, "-", "-"]
        elif after == "format":
            place[2] = word
        elif (place[0], word) in plugins:
            place[1:] = [word, "-"]
        after = word
    return tuple(place)


def keys_of_the_document(plugins):
    found, places, in_table = set(), {0: ("-", "-", "-")}, False
    for line in KEYS.read_text().splitlines():
        if line.startswith("#"):
            level = len(line) - len(line.lstrip("#"))
            places = {n: place for n, place in places.items() if n < level}
            places[level] = place_of(line, plugins, places[max(places)])
            in_table = False
        elif re.match(r"\| *Key *\|", line):
            in_table = True
        elif not line.startswith("|"):
            in_table = False
        elif in_table:
            found |= {(*places[max(places)], key.lower())
                      for key in re.findall(r"`([^`]+)`", line.split("|")[1])}
    return found


@pytest.mark.skipif(not KEYS.exists(), reason="needs conf/README.md")
def test_conf_readme_lists_exactly_the_keys_that_exist():
    program = keys_of_the_program()
    document = keys_of_the_document({key[:2] for key in program})
    effective = {key for key, is_ignored in program.items() if not is_ignored}
    assert sorted(effective - document) == [], "these keys are not documented"
    assert sorted(document - set(program)) == [], "these keys do not exist"


def test_conf_readme_has_the_types_and_defaults_of_the_program():
    program = {(row[3], row[4], row[5]) for row in rows_of_the_program()}
    rows = re.findall(r"^\| `([\w.]+)` \| ([^|]+?)(?:, repeatable)? "
                      r"\| `?([^|`]+)`? \|", KEYS.read_text(), re.M)
    assert rows and sorted(set(rows) - program) == []

# --- metrics


def everything(room):
    """A configuration with one plug-in of each kind, so that all metrics
    exist."""
    return (service(f"storage.path {room.path}", "Health_Check On",
                    "storage.metrics On", f"Dead_Letter {room.path}/letters")
            + syslog_input(room)
            + section("INPUT", "Name syslog", "Mode unix_tcp", "Tag in",
                      f"Path {room.path}/stream.sock")
            + json_filter()
            + lua_filter(room, "function hook(tag, timestamp, record)\n"
                               "    return 0, timestamp, record\nend\n")
            + section("FILTER", "Name rewrite_tag", "Match in",
                      "Rule $uri ^/new new true")
            + section("FILTER", "Name grep", "Match in", "Exclude uri ^/no")
            + section("OUTPUT", "Name file", "Match *", f"Path {room.out}",
                      "File lines.log")
            + section("OUTPUT", "Name stdout", "Match none")
            + section("OUTPUT", "Name null", "Match *"))


@pytest.fixture(scope="module")
def names():
    """The names of all metrics of a running sluiced."""
    room = Room()
    daemon = Daemon(room, everything(room))
    try:
        with Sender(room.socket) as sender:
            sender.send(datagram({"uri": "/new"}), datagram("not JSON"), b"")
        with connected(room.path / "stream.sock") as stream:
            stream.sendall(b"one\n")
            daemon.wait_for_messages(4)
        found = set()
        for path in ("/metrics", "/api/v1/metrics/prometheus",
                     "/api/v2/metrics/prometheus"):
            metrics = Metrics(daemon.get(path).body.decode())
            found |= {name for name, _ in metrics.samples}
        daemon.stop()
    finally:
        daemon.kill()
        room.remove()
    return found


# Words that look like a metric, but are not one.
OTHER_NAMES = {"sluiced_conf", "fluentbit_api"}
FILES = sorted({*MARKDOWN, *documents("*.conf"),
                *(path for path in (ROOT / "deploy").iterdir()
                  if path.is_file())})


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_metric_in_a_document_exists(names, path):
    """A name that ends in an underscore stands for all metrics that start
    with it."""
    used = set(re.findall(r"\b(?:sluiced|fluentbit)_[a-z0-9_]+",
                          path.read_text())) - OTHER_NAMES
    missing = [name for name in sorted(used)
               if name not in names and not (
                   name.endswith("_")
                   and any(one.startswith(name) for one in names))]
    assert missing == []


def test_every_drop_reason_is_explained(room, start):
    reasons = start(everything(room)).metrics().labels(
        "sluiced_messages_dropped_total", "reason")
    table = re.search(r"^\| Reason \|.*?(?=^$)", SOURCE, re.M | re.S)[0]
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.M)) == reasons


def test_every_folder_of_the_source_is_explained():
    table = re.search(r"^\| Folder \|.*?(?=^$)", SOURCE, re.M | re.S)[0]
    assert sorted(re.findall(r"^\| `(\w+)/`", table, re.M)) == sorted(
        path.name for path in (ROOT / "src").iterdir() if path.is_dir())


@pytest.mark.parametrize("path", MARKDOWN, ids=name_of)
def test_every_file_in_backticks_exists(path):
    """A path with a folder and a suffix, as seen from the top of the
    repository, from src/ or from the document's own folder."""
    text = BLOCK.sub("", path.read_text())
    named = set(re.findall(
        r"`((?:[\w-]+/)+[\w-]+\.(?:c|h|py|sh|lua|md|yaml|txt))`", text))
    assert [name for name in sorted(named)
            if not any((top / name).exists()
                       for top in (ROOT, ROOT / "src", path.parent))
            and "NAME" not in name] == []


def test_every_test_that_compat_md_names_exists():
    cells = re.findall(r"\| (test/\S+): (`.*`) \|$",
                       (ROOT / "conf/compat.md").read_text(), re.M)
    assert cells
    assert not [name for path, names in cells
                for name in re.findall("`([^`]+)`", names)
                if name not in (ROOT / path).read_text()]


def test_the_example_configuration_of_readme_is_correct(tmp_path):
    example, = [text for _, kind, text in BLOCK.findall(README)
                if kind == "ini"]
    assert len(example.splitlines()) <= 30
    (tmp_path / "sluiced.conf").write_text(example)
    hook = "create-log-file-path.lua"
    shutil.copy(ROOT / "lua" / hook, tmp_path)
    result = run("-c", tmp_path / "sluiced.conf", "--dry-run", cwd=tmp_path)
    assert result.code == 0, result.err


def test_the_example_configuration_of_readme_keeps_broken_json(room, start):
    example, = [text for _, kind, text in BLOCK.findall(README)
                if kind == "ini"]
    shutil.copy(ROOT / "lua" / "create-log-file-path.lua", room.path)
    for old, new in (("HTTP_Server    On", "HTTP_Server On\n"
                      "    HTTP_Listen 127.0.0.1\n    HTTP_Port 0"),
                     ("/tmp/sidecar-nginx/sys-log.sock", room.socket),
                     ("Script         create", f"Script {room.path}/create"),
                     ("/log/output/path", room.out)):
        assert old in example
        example = example.replace(old, str(new))
    daemon = start(example)
    with Sender(room.socket) as sender:
        sender.send(datagram({"vhost": "a", "status": 200}),
                    b"<190>Nov 21 02:08:26 h nginx: {not json")
        assert daemon.wait_for_messages(2).written == 2
    out = OutDir(room.out)
    assert b" status:200\n" in out.bytes()
    line, = out.lines("unparsed.log")
    assert b"{not json" in line


@pytest.mark.parametrize("text", [
    text for _, kind, text in BLOCK.findall(KEYS.read_text())
    if kind == "ini" and "@INCLUDE" not in text])
def test_every_key_in_the_examples_of_conf_readme_exists(text):
    known = {key[3] for key in keys_of_the_program()}
    used = {line.split()[0].lower() for line in text.splitlines()
            if line.startswith("    ")}
    assert used and used <= known, used - known
