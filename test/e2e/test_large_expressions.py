# SPDX-License-Identifier: Apache-2.0
"""Regular expressions that are too large for PCRE2.  A filter that only tests
whether a text matches accepts them.  Otherwise the error message names an
alternative."""
import pytest

from harness.config import file_output, section, service, syslog_input
from harness.daemon import run
from harness.room import OutDir
from harness.sender import Sender, datagram

CONFIG = 78
COUNT = 5000
HOSTS = "|".join(rf"host{i}\.example\.com" for i in range(COUNT))


def grep(*rules):
    return section("FILTER", "Name grep", "Match *", *rules)


def config(room, *filters):
    return (service() + syslog_input(room) + "".join(filters)
            + file_output(room, "Format template", "Template {message}"))


@pytest.mark.parametrize("regex", [
    f"^(?:{HOSTS})$", f"^({HOSTS})$", f"^(?<host>({HOSTS}|x(y|z)))$",
    HOSTS.replace("|", "$|") + "$", f"(?i)^(?:{HOSTS})$", f"/^({HOSTS})$/m",
], ids=["plain", "capturing", "nested", "bare", "option", "slashes"])
@pytest.mark.parametrize("rule", ["Exclude", "Regex"])
def test_grep_takes_5000_alternatives(room, start, rule, regex):
    daemon = start(config(room, grep(f"{rule} message {regex}")))
    matching = [f"host{i}.example.com" for i in (0, 1, 1234, 2500, COUNT - 1)]
    other = [f"host{COUNT}.example.com", "host1.example.net",
             "host1xexample.com", "host", "last"]
    with Sender(room.socket) as sender:
        for message in matching + other:
            sender.send(datagram(message))
    kept = matching if rule == "Regex" else other
    daemon.stop()
    assert OutDir(room.out).lines() == [m.encode() for m in kept]


def test_two_rules_beside_a_large_one_keep_their_order(room, start):
    daemon = start(config(room, grep(
        "Exclude message ^host7", f"Regex message ^(?:{HOSTS})$")))
    with Sender(room.socket) as sender:
        for message in ("host7.example.com", "host8.example.com", "host9"):
            sender.send(datagram(message))
    daemon.stop()
    assert OutDir(room.out).lines() == [b"host8.example.com"]


MISTAKES = {
    "a reference": (
        section("FILTER", "Name grep", "Match *",
                rf"Regex message ^(x)\1(?:{HOSTS})$"),
        "[FILTER] Regex: ", "refers to its groups",
        "write several Regex lines with Logical_Op or"),
    "a repetition": (
        section("FILTER", "Name grep", "Match *",
                f"Exclude message ^(?:{HOSTS})+$"),
        "[FILTER] Exclude: ", "outside of repeated groups",
        "write several Exclude lines"),
    "a Rule": (
        section("FILTER", "Name rewrite_tag", "Match *",
                f"Rule $message ^({HOSTS})$ to.$1 false"),
        "[FILTER] Rule: ", "64 KiB", "write several Rule lines"),
    "a Match_Regex": (
        section("FILTER", "Name modify", f"Match_Regex {HOSTS}", "Set a b"),
        "[FILTER] Match_Regex: ", "64 KiB", "write one section"),
    "a parser": (
        section("FILTER", "Name parser", "Match *", "Key_Name message",
                "Parser many"),
        "[PARSER] Regex: ", "64 KiB", "write several parsers"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_the_error_says_what_to_write_instead(room, name):
    text, *words = MISTAKES[name]
    room.write("parsers.conf", section(
        "PARSER", "Name many", "Format regex", f"Regex ^(?<h>{HOSTS})$")
        if name == "a parser" else "")
    path = room.write("sluiced.conf", section(
        "SERVICE", "Parsers_File parsers.conf") + config(room, text))
    result = run("-c", path, "--dry-run", cwd=room.path)
    assert result.code == CONFIG, result.err[:2000]
    for word in (".conf:", *words):
        assert word in result.err, result.err[:2000]
