# SPDX-License-Identifier: Apache-2.0
"""What README.md says can be typed works as it is printed, and what it lists
is what there is."""
import os
import re
import signal
import subprocess

import pytest

from harness.config import ROOT
from harness.daemon import SLUICED, environment
from harness.room import OutDir
from harness.sender import Sender, datagram
from harness.wait import wait_until

README = (ROOT / "README.md").read_text()
TWO_COMMANDS, BY_HAND = re.findall(r"^```sh\n(.*?)^```$", README, re.M | re.S)


def test_the_two_commands_are_targets():
    usage = subprocess.run(["make", "-C", ROOT, "help"], check=True,
                           capture_output=True, text=True).stdout
    targets = re.findall(r"^([a-z0-9-]+) ", usage, re.M)
    typed = re.findall(r"^make (\S+)", TWO_COMMANDS, re.M)
    assert typed == ["demo", "test"] and set(typed) <= set(targets)
    named = set(re.findall(r"`make ([a-z]+)`", README)) - {"help"}
    assert named and named <= set(targets)


def test_the_commands_to_run_it_by_hand_work(room):
    """Word for word, from the top of the repository; only what they call
    /tmp/sluiced is this test's room, and the HTTP port the kernel's."""
    assert "/tmp/sluiced" in BY_HAND and "build/sluiced -c" in BY_HAND
    script = BY_HAND.replace("/tmp/sluiced", str(room.path / "by-hand"))
    script = script.replace("build/sluiced", SLUICED)
    log_path = room.path / "sluiced.log"
    with open(log_path, "wb") as log:
        shell = subprocess.Popen(
            ["sh", "-ec", script], cwd=ROOT, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
            env=environment({"SLUICED_HTTP_PORT": "0"}))
    try:
        wait_until(lambda: "mod=worker ready" in log_path.read_text(),
                   lambda: f"ready:\n{log_path.read_text()}")
        assert "configuration test is successful" in log_path.read_text()
        with Sender(room.path / "by-hand" / "log.sock") as sender:
            sender.send(datagram({"vhost": "a", "uri": "/by-hand"}))
        out = OutDir(room.path / "by-hand" / "log")
        wait_until(lambda: out.has(1, "*/*.log"), "the line")
        assert b"\turi:/by-hand\t" in out.bytes()
        os.killpg(shell.pid, signal.SIGTERM)
        wait_until(lambda: "mod=worker stopped" in log_path.read_text(),
                   "its end")
    finally:
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        shell.wait()


def rows(title):
    """First column and the rest of the table whose head begins with it."""
    table = re.search(rf"^\| {title} \|.*?(?=^$)", README, re.M | re.S)[0]
    return [re.fullmatch(r"\| (.*?) \| (.*) \|", line).groups()
            for line in table.splitlines()[2:]]


def test_every_reason_and_every_folder_is_explained(room, start):
    daemon = start("[INPUT]\n    Name syslog\n    Path %s\n"
                   "[OUTPUT]\n    Name file\n    Match *\n    Path %s\n"
                   "[SERVICE]\n    HTTP_Server On\n    HTTP_Port 0\n"
                   "    Grace 0\n" % (room.socket, room.out))
    assert sorted(re.findall(r"`(\w+)`", " ".join(
        reason for reason, _ in rows("reason")))) == daemon.metrics().labels(
            "sluiced_messages_dropped_total", "reason")
    explained = {path.strip("`") for path, _ in rows("folder")}
    assert all((ROOT / path).exists() for path in explained)
    assert explained >= {f"src/{d.name}/" for d in (ROOT / "src").iterdir()
                         if d.is_dir()}


KEYS = {
    "[SERVICE]": "src/setup/settings.c src/setup/assemble.c",
    "[INPUT]": "src/setup/input_conf.c",
    "[PARSER]": "src/setup/parser_conf.c",
    "[FILTER] all": "src/filter/chain.c",
    "[FILTER] Name parser": "src/filter/parser.c",
    "[FILTER] Name lua": "src/filter/lua.c",
    "[FILTER] Name rewrite_tag": "src/filter/rewrite_tag.c",
    "[FILTER] Name grep": "src/filter/grep.c",
    "[FILTER] Name modify": "src/filter/modify.c",
    "[FILTER] Name record_modifier": "src/filter/record_modifier.c",
    "[FILTER] Name nest": "src/filter/nest.c",
    "[OUTPUT] all": "src/output/router.c",
    "[OUTPUT] Name file": "src/file/file_keys.c src/output/format.c "
                          "src/output/format_template.c "
                          "src/output/format_csv.c",
    "[OUTPUT] Name stdout": "src/output/stdout_sink.c",
}


@pytest.mark.parametrize("section", KEYS)
def test_every_key_is_listed(section):
    """Those that the sources ask for, in any case; the ones without meaning
    are told at start-up."""
    sources = "".join((ROOT / path).read_text()
                      for path in KEYS[section].split())
    asked = {key.lower() for key in re.findall(
        r'conf_get_\w+\(\s*\w+,\s*"([^"]+)"', sources)}
    row, = [keys for name, keys in rows("section")
            if name.replace("`", "").startswith(section)]
    listed = {key.lower() for key in re.findall(r"`([A-Za-z_.]+)[ `]", row)}
    # Only told where to look for what it does in other programs.
    assert asked - {"name", "fallback_file"} <= listed
    assert asked
